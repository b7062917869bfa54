/* SPDX-License-Identifier: MIT */
/*
 * What the files of the compiler share: the parser's state, refusals, making nodes.
 *
 * Calls that may fail return 0, -EINVAL with the error filled, or -ENOMEM.
 */
#pragma once

#include "daemon/item/expr_lex.h"
#include "daemon/item/expr_tree.h"

struct parser {
    struct lexer lexer;
    struct token token; /* the one to be looked at next */
    struct expr *expr;
    unsigned nesting;
};

/* Goes to the next token. */
int parser_advance(struct parser *p);

/* Whether the token at hand is this operator, bracket or name. */
bool parser_at(const struct parser *p, const char *text);

/* Goes past the token, which must be this one. */
int parser_expect(struct parser *p, const char *text, const char *wanted);

/* The token at hand does not belong here: it is beyond us, or wrong. Returns -EINVAL. */
int parser_unexpected(struct parser *p, const char *wanted);

/* The token at hand is jq's, not ours. Returns -EINVAL. */
int parser_beyond(struct parser *p);

/* What to return after a NULL from the arena; for too many levels. */
int parser_no_room(struct parser *p);
int parser_too_deep(struct parser *p);
#ifdef __clang_analyzer__ /* it does not look into them: they only refuse */
#define parser_unexpected(p, wanted) (parser_unexpected(p, wanted), -1)
#define parser_beyond(p)             (parser_beyond(p), -1)
#define parser_no_room(p)            (parser_no_room(p), -1)
#define parser_too_deep(p)           (parser_too_deep(p), -1)
#endif

/* Makes room for one more in an array of n elements. */
int parser_grow(struct parser *p, void **items, size_t n, size_t size);

/* Bytes of a token to be shown in a message. */
int token_shown(const struct token *t);

unsigned node_depth(const struct node *n);
int node_new(struct parser *p, enum node_kind kind, struct node *left, struct node *right,
             struct node **ret);
int node_new_literal(struct parser *p, const struct json_value *v, struct node **ret);
int node_new_path(struct parser *p, struct node *base, struct node **ret);

/* left | right; two paths in a row are one. */
int node_new_pipe(struct parser *p, struct node *left, struct node *right, struct node **ret);

int node_add_step(struct parser *p, struct node *path, struct step step);
struct step step_of_member(const struct json_value *key);

/* Whether it is a path from the input. */
bool node_is_path(const struct node *n);

/* The grammar's levels that refer to each other over files; expr_compile.c says which is which. */
int parse_term(struct parser *p, struct node **ret);
int parse_alternative(struct parser *p, struct node **ret);
int parse_pipe(struct parser *p, struct node **ret);
int parse_pipe_rest(struct parser *p, struct node **ret);
