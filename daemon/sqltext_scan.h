/* SPDX-License-Identifier: MIT */
/*
 * One SQL statement as tokens: words, names, strings, parameters and signs.
 *
 * Sessions run without ANSI_QUOTES and NO_BACKSLASH_ESCAPES, so double quotes are strings and a
 * backslash escapes. Comments are no tokens.
 */
#pragma once

#include "daemon/sqltext.h"

enum token_kind { TOKEN_WORD, TOKEN_QUOTED_NAME, TOKEN_STRING, TOKEN_PARAM, TOKEN_SIGN };

struct token {
    enum token_kind kind;
    const char *at, *end;
};

struct sql_tokens {
    const char *text;
    struct token *items;
    size_t n, room;
    size_t n_params;
    struct sqltext_error *err;
};

/* Cuts a text into tokens, which point into it: of one statement, without a semicolon at its end.
 * 0, -EINVAL with *err, or -ENOMEM. */
int sql_scan(const char *text, struct sql_tokens *ret, struct sqltext_error *err);
void sql_tokens_done(struct sql_tokens *tokens);

bool sql_is_sign(const struct token *t, char sign);
bool sql_is_keyword(const struct token *t, const char *word);
