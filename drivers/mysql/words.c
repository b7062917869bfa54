/* SPDX-License-Identifier: MIT */
/*
 * How a statement is stepped through.
 */
#include "drivers/mysql/words.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char *skip_quoted(const char *p)
{
    char quote = *p++;
    while (*p && *p != quote) {
        if (*p == '\\' && quote != '`' && p[1])
            p++;
        p++;
    }
    return *p ? p + 1 : p; /* a doubled quote looks like the start of the next text: all the same */
}

bool hr__mysql_is_comment(const char *p)
{
    return *p == '#' || (p[0] == '/' && p[1] == '*') ||
           (p[0] == '-' && p[1] == '-' && (p[2] == '\0' || isspace((unsigned char)p[2])));
}

static const char *skip_comment(const char *p)
{
    const char *end = *p == '/' ? strstr(p + 2, "*/") : strchr(p, '\n');
    return end ? end + (*p == '/' ? 2 : 1) : p + strlen(p);
}

static bool in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '@' || (unsigned char)c >= 128;
}

const char *hr__mysql_skip_piece(const char *p)
{
    if (*p == '\'' || *p == '"' || *p == '`')
        return skip_quoted(p);
    if (hr__mysql_is_comment(p))
        return skip_comment(p);
    if (!in_word(*p))
        return p + 1;
    while (in_word(*p))
        p++;
    return p;
}

static const char *skip_digits(const char *p)
{
    while (isdigit((unsigned char)*p))
        p++;
    return p;
}

static const char *skip_hex(const char *p)
{
    while (isxdigit((unsigned char)*p))
        p++;
    return p;
}

static const char *skip_exponent(const char *p)
{
    if (*p != 'e' && *p != 'E')
        return p;
    const char *digits = p[1] == '+' || p[1] == '-' ? p + 2 : p + 1;
    return isdigit((unsigned char)*digits) ? skip_digits(digits) : p;
}

/* 2fa is a name, and so is what follows the point of t.2fa; 1.5x are a number and a name. */
const char *hr__mysql_skip_number(const char *p)
{
    if (*p == '0' && p[1] && strchr("xXbB", p[1])) {
        const char *end = skip_hex(p + 2);
        return in_word(*end) ? p : end;
    }
    const char *digits = skip_digits(p), *end = digits;
    if (*end == '.' && (digits > p || isdigit((unsigned char)end[1])))
        end = skip_digits(end + 1);
    if (end > p)
        end = skip_exponent(end);
    bool may_be_name = digits == p || end == digits;
    return may_be_name && in_word(*end) ? p : end;
}

const char *hr__mysql_skip_space(const char *p)
{
    while (isspace((unsigned char)*p) || hr__mysql_is_comment(p))
        p = hr__mysql_is_comment(p) ? skip_comment(p) : p + 1;
    return p;
}

bool hr__mysql_is_word(const char *p, const char *end, const char *word)
{
    size_t len = (size_t)(end - p);
    return strlen(word) == len && strncasecmp(p, word, len) == 0;
}
