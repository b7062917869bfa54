/* SPDX-License-Identifier: MIT */
/*
 * jq's tokens: what a program is cut into before it is compiled.
 */
#pragma once

#include "daemon/item/expr.h"

enum token_kind {
    TOKEN_END,
    TOKEN_PUNCT,    /* text is the operator or bracket, as long as jq reads it */
    TOKEN_NAME,     /* text: a function's name or a keyword */
    TOKEN_FIELD,    /* .name; value is the name */
    TOKEN_VARIABLE, /* $name; text without the $ */
    TOKEN_FORMAT,   /* @name */
    TOKEN_NUMBER,   /* value */
    TOKEN_STRING,   /* value */
};

struct token {
    enum token_kind kind;
    size_t offset;
    const char *text; /* borrowed from the program */
    size_t len;
    const struct json_value *value;
};

struct lexer {
    const char *program;
    size_t at;
    struct arena *arena; /* for the values */
    struct expr_error *error;
};

/* Reads the next token. 0, -EINVAL with *error filled, or the arena's error. */
int lexer_next(struct lexer *l, struct token *ret);

/* Whether the token is this operator, bracket or name. */
bool token_is(const struct token *t, const char *text);

/* Fills the error and returns -EINVAL. */
int expr_refuse(struct expr_error *error, size_t offset, const char *format, ...)
    hr_printf_like(3, 4);
/* How a refusal ends whose construct jq knows and we do not. */
#define EXPR_BEYOND                                                                                \
    " is jq that does not run here (there are paths, literals, comparisons, and, or, not, //, "    \
    "{}, [], =, del(), |): compute it before the push, or in the SQL statement"

#ifdef __clang_analyzer__ /* it does not look into it */
#define expr_refuse(...) (expr_refuse(__VA_ARGS__), -1)
#endif
