/* SPDX-License-Identifier: MIT */
#include "daemon/sqltext_scan.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PARAMS_MAX    4096 /* a table has no more columns */
#define NAME_LEN_MAX  64
#define STATEMENT_MAX (256 * 1024)

static int fail(struct sql_tokens *s, const char *at, const char *format, ...) hr_printf_like(3, 4);

static int fail(struct sql_tokens *s, const char *at, const char *format, ...)
{
    va_list args;
    s->err->offset = (size_t)(at - s->text);
    va_start(args, format);
    vsnprintf(s->err->message, sizeof(s->err->message), format, args);
    va_end(args);
    return -EINVAL;
}

void sql_tokens_done(struct sql_tokens *s)
{
    free(s->items);
    s->items = NULL;
}

static int add_token(struct sql_tokens *s, enum token_kind kind, const char *at, const char *end)
{
    if (s->n == s->room) {
        size_t room = s->room ? 2 * s->room : 64;
        struct token *larger = reallocarray(s->items, room, sizeof(*larger));
        if (!larger)
            return -ENOMEM;
        s->items = larger;
        s->room = room;
    }
    s->items[s->n++] = (struct token){kind, at, end};
    return 0;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Behind the closing quote; NULL when there is none. */
static const char *skip_quoted(const char *at)
{
    char quote = *at++;
    for (; *at; at++) {
        bool escapes = *at == '\\' && quote != '`' && at[1];
        if (escapes || (*at == quote && at[1] == quote))
            at++;
        else if (*at == quote)
            return at + 1;
    }
    return NULL;
}

/* Behind a comment that begins here; at itself when none does, NULL when it is not closed. */
static const char *skip_comment(const char *at)
{
    bool dashes = at[0] == '-' && at[1] == '-' && (!at[2] || isspace((unsigned char)at[2]));
    if (at[0] == '#' || dashes)
        return at + strcspn(at, "\n");
    if (at[0] != '/' || at[1] != '*')
        return at;
    const char *end = strstr(at + 2, "*/");
    return end ? end + 2 : NULL;
}

static int scan_param(struct sql_tokens *s, const char **at)
{
    const char *end = *at + 1;
    while (is_word(*end))
        end++;
    if (end - *at - 1 > NAME_LEN_MAX)
        return fail(s, *at, "the parameter's name is longer than %d bytes", NAME_LEN_MAX);
    if (++s->n_params > PARAMS_MAX)
        return fail(s, *at, "more than %d parameters", PARAMS_MAX);
    int r = add_token(s, TOKEN_PARAM, *at, end);
    *at = end;
    return r;
}

/* Reads one token or comment at *at and steps over it. */
static int scan_one(struct sql_tokens *s, const char **at)
{
    const char *start = *at, *end;
    if (start[0] == '{' && start[1] == '{')
        return fail(s, start,
                    "SQL text is constant, {{ }} cannot stand in it (write :name and "
                    "give its value in params)");
    if (start[0] == '/' && start[1] == '*' && (start[2] == '!' || start[2] == 'M'))
        return fail(s, start, "a comment that the server runs cannot stand here");
    end = skip_comment(start);
    if (!end)
        return fail(s, start, "this comment is not closed");
    if (end > start) {
        *at = end;
        return 0;
    }
    if (strchr("'\"`", *start)) {
        end = skip_quoted(start);
        if (!end)
            return fail(s, start, "this quote is not closed");
        *at = end;
        return add_token(s, *start == '`' ? TOKEN_QUOTED_NAME : TOKEN_STRING, start, end);
    }
    if (*start == '?')
        return fail(s, start, "parameters have names here (write :name instead of ?)");
    if (*start == ':' && (isalpha((unsigned char)start[1]) || start[1] == '_'))
        return scan_param(s, at);
    if (is_word(*start)) {
        end = start + 1;
        while (is_word(*end))
            end++;
        *at = end;
        return add_token(s, TOKEN_WORD, start, end);
    }
    *at = start + 1;
    return add_token(s, TOKEN_SIGN, start, start + 1);
}

bool sql_is_sign(const struct token *t, char sign)
{
    return t->kind == TOKEN_SIGN && *t->at == sign;
}

bool sql_is_keyword(const struct token *t, const char *word)
{
    return t->kind == TOKEN_WORD && (size_t)(t->end - t->at) == strlen(word) &&
           strncasecmp(t->at, word, strlen(word)) == 0;
}

static int scan(struct sql_tokens *s)
{
    if (strlen(s->text) > STATEMENT_MAX)
        return fail(s, s->text, "the statement is longer than 256 KiB");
    for (const char *at = s->text; *at;) {
        int r = 0;
        if (isspace((unsigned char)*at))
            at++;
        else
            r = scan_one(s, &at);
        if (r < 0)
            return r;
    }
    if (s->n > 0 && sql_is_sign(&s->items[s->n - 1], ';'))
        s->n--;
    if (s->n == 0)
        return fail(s, s->text, "the statement is empty");
    for (size_t i = 0; i < s->n; i++) {
        if (sql_is_sign(&s->items[i], ';'))
            return fail(s, s->items[i].at, "only one statement may stand here");
    }
    /* Also INSERT LOW_PRIORITY IGNORE. */
    for (size_t i = 1; i < s->n && i <= 2 && sql_is_keyword(&s->items[0], "INSERT"); i++) {
        if (sql_is_keyword(&s->items[i], "IGNORE"))
            return fail(
                s, s->items[i].at,
                "INSERT IGNORE also cuts values that do not fit (use on_duplicate: ignore)");
    }
    return 0;
}

int sql_scan(const char *text, struct sql_tokens *ret, struct sqltext_error *err)
{
    hr_auto(sql_tokens_done) struct sql_tokens tokens = {.text = text, .err = err};
    int r = scan(&tokens);
    if (r == 0) {
        *ret = tokens;
        tokens.items = NULL;
    }
    return r;
}
