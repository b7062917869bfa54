/* SPDX-License-Identifier: MIT */
#include "daemon/item/expr_lex.h"

#include "daemon/item/number.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int(expr_refuse)(struct expr_error *error, size_t offset, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_format(error->message, sizeof error->message, format, args);
    va_end(args);
    error->offset = offset;
    return -EINVAL;
}

bool token_is(const struct token *t, const char *text)
{
    return (t->kind == TOKEN_PUNCT || t->kind == TOKEN_NAME) && strlen(text) == t->len &&
           memcmp(t->text, text, t->len) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool starts_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t name_length(const char *p)
{
    size_t n = 0;
    if (starts_name(p[0])) {
        while (starts_name(p[n]) || is_digit(p[n]))
            n++;
    }
    return n;
}

/* ---- strings ---- */

static int hex4(const char *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        if (is_digit(c))
            value = value * 16 + (c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            value = value * 16 + ((c | 32) - 'a' + 10);
        else
            return -1;
    }
    return value;
}

static char *put_utf8(char *p, int c)
{
    if (c < 0x80) {
        *p++ = (char)c;
    } else if (c < 0x800) {
        *p++ = (char)(0xc0 | c >> 6);
        *p++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *p++ = (char)(0xe0 | c >> 12);
        *p++ = (char)(0x80 | (c >> 6 & 63));
        *p++ = (char)(0x80 | (c & 63));
    } else {
        *p++ = (char)(0xf0 | c >> 18);
        *p++ = (char)(0x80 | (c >> 12 & 63));
        *p++ = (char)(0x80 | (c >> 6 & 63));
        *p++ = (char)(0x80 | (c & 63));
    }
    return p;
}

/* Reads \uXXXX, or the pair of them that is one character, at *from. */
static int read_unicode(struct lexer *l, const char **from, char **to)
{
    const char *p = *from;
    int c = hex4(p + 2);
    size_t offset = (size_t)(p - l->program);
    if (c < 0)
        return expr_refuse(l->error, offset, "\\u needs four hexadecimal digits");
    p += 6;
    if (c >= 0xd800 && c <= 0xdfff) {
        int low = c < 0xdc00 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return expr_refuse(l->error, offset, "\\u%04x alone is half a character", c);
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
    }
    *to = put_utf8(*to, c);
    *from = p;
    return 0;
}

/* Reads the string whose first quote is at the lexer's place. No escape is shorter than what it
 * stands for, so the program's rest is room enough. */
static int read_string(struct lexer *l, struct token *t)
{
    const char *p = l->program + l->at + 1;
    size_t span = 0;
    while (p[span] && p[span] != '"')
        span += p[span] == '\\' && p[span + 1] ? 2 : 1;
    if (!p[span])
        return expr_refuse(l->error, l->at, "the string has no end");
    char *text = arena_alloc(l->arena, span);
    if (!text)
        return arena_error(l->arena);

    const char *end = p + span;
    char *to = text;
    while (p < end) {
        static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
        const char *which;
        if (*p != '\\') {
            *to++ = *p++;
        } else if (p[1] == 'u') {
            int r = read_unicode(l, &p, &to);
            if (r < 0)
                return r;
        } else if ((which = strchr(escapes, p[1])) != NULL) {
            *to++ = meanings[which - escapes];
            p += 2;
        } else if (p[1] == '(') {
            return expr_refuse(l->error, (size_t)(p - l->program), "`\\(…)`" EXPR_BEYOND);
        } else {
            return expr_refuse(l->error, (size_t)(p - l->program), "`\\%c` is no escape", p[1]);
        }
    }
    l->at = (size_t)(end + 1 - l->program);
    t->kind = TOKEN_STRING;
    t->len = (size_t)(l->program + l->at - t->text);
    return json_string(l->arena, text, (size_t)(to - text), &t->value);
}

/* ---- numbers ---- */

/* jq reads 1. and .5 and 007 as well; values hold JSON's spelling of them. */
static int read_number(struct lexer *l, struct token *t)
{
    const char *p = t->text;
    const char *whole = p, *decimals = "", *exponent = "";
    int n_whole, n_decimals = 0, n_exponent = 0;
    while (is_digit(*p))
        p++;
    n_whole = (int)(p - whole);
    if (*p == '.') {
        decimals = ++p;
        while (is_digit(*p))
            p++;
        n_decimals = (int)(p - decimals);
    }
    size_t sign = (p[0] == 'e' || p[0] == 'E') && (p[1] == '+' || p[1] == '-');
    if ((p[0] == 'e' || p[0] == 'E') && is_digit(p[1 + sign])) {
        exponent = p;
        p += 1 + sign;
        while (is_digit(*p))
            p++;
        n_exponent = (int)(p - exponent);
    }
    while (n_whole > 1 && *whole == '0') {
        whole++;
        n_whole--;
    }

    size_t room = (size_t)(p - t->text) + 3;
    char *text = arena_alloc(l->arena, room);
    if (!text)
        return arena_error(l->arena);
    int n = snprintf(text, room, "%.*s%s%.*s%.*s", n_whole ? n_whole : 1, n_whole ? whole : "0",
                     n_decimals ? "." : "", n_decimals, decimals, n_exponent, exponent);
    t->kind = TOKEN_NUMBER;
    t->len = (size_t)(p - t->text);
    l->at += t->len;
    return json_number(l->arena, text, (size_t)n, &t->value);
}

/* ---- the rest ---- */

static size_t punct_length(const char *p)
{
    static const char *const longest_first[] = {
        "?//", "//=", "|=", "+=", "-=", "*=", "/=", "%=", "==", "!=", "<=", ">=", "//", ".."};
    for (size_t i = 0; i < HR_ARRAY_LEN(longest_first); i++) {
        size_t n = strlen(longest_first[i]);
        if (strncmp(p, longest_first[i], n) == 0)
            return n;
    }
    return strchr(".[]{}(),:;=<>|?+-*/%$", *p) ? 1 : 0;
}

static void skip_blanks(struct lexer *l)
{
    const char *p = l->program;
    while (p[l->at] && strchr(" \t\r\n#", p[l->at])) {
        bool comment = p[l->at++] == '#';
        while (comment && p[l->at] && p[l->at] != '\n')
            l->at++;
    }
}

int lexer_next(struct lexer *l, struct token *ret)
{
    skip_blanks(l);
    const char *p = l->program + l->at;
    struct token t = {.offset = l->at, .text = p};
    int r = 0;
    size_t n;
    if (*p == 0) {
        t.kind = TOKEN_END;
    } else if (*p == '"') {
        r = read_string(l, &t);
    } else if (is_digit(*p) || (*p == '.' && is_digit(p[1]))) {
        r = read_number(l, &t);
    } else if ((n = name_length(p)) > 0) {
        t.kind = TOKEN_NAME;
        t.len = n;
        while (p[t.len] == ':' && p[t.len + 1] == ':' && (n = name_length(p + t.len + 2)) > 0)
            t.len += 2 + n;
        l->at += t.len;
    } else if (*p == '.' && (n = name_length(p + 1)) > 0) {
        t.kind = TOKEN_FIELD;
        t.len = 1 + n;
        l->at += t.len;
        r = json_string(l->arena, p + 1, n, &t.value);
    } else if ((*p == '$' || *p == '@') && (n = name_length(p + 1)) > 0) {
        t.kind = *p == '$' ? TOKEN_VARIABLE : TOKEN_FORMAT;
        t.text += *p == '$';
        t.len = *p == '$' ? n : n + 1;
        l->at += 1 + n;
    } else if ((n = punct_length(p)) > 0) {
        t.kind = TOKEN_PUNCT;
        t.len = n;
        l->at += n;
    } else {
        char shown[24];
        text_excerpt(shown, sizeof shown, p, strnlen(p, 4));
        return expr_refuse(l->error, l->at, "unexpected character at `%s`", shown);
    }
    if (r < 0)
        return r;
    *ret = t;
    return 0;
}
