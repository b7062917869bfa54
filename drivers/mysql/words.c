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
