/* SPDX-License-Identifier: MIT */
#include "drivers/mysql/excerpt.h"

#include <ctype.h>
#include <string.h>

#include "drivers/mysql/words.h"

#define ELLIPSIS      "…"
#define HIDDEN_TEXT   "'…'"
#define HIDDEN_NUMBER "…"

struct excerpt {
    char *to;
    size_t len;
    size_t fit; /* so much of it leaves room for an ellipsis */
    bool full;
};

static void put(struct excerpt *e, const char *bytes, size_t n)
{
    if (e->full)
        return;
    if (e->len + n >= HR__MYSQL_EXCERPT_MAX) {
        e->full = true;
        e->len = e->fit;
        bytes = ELLIPSIS;
        n = strlen(ELLIPSIS);
    }
    memcpy(e->to + e->len, bytes, n);
    e->len += n;
    if (e->len + strlen(ELLIPSIS) < HR__MYSQL_EXCERPT_MAX)
        e->fit = e->len;
}

/* The bytes of the character at p; 0: there is none that can be shown. */
static size_t character(const char *p)
{
    unsigned char first = (unsigned char)*p;
    if (first < 0x80)
        return isprint(first) ? 1 : 0;
    if (first < 0xc0)
        return 0;
    size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)p[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

static void put_shown(struct excerpt *e, const char *p, const char *end)
{
    while (p < end && !e->full) {
        size_t n = character(p);
        put(e, n ? p : "?", n ? n : 1);
        p += n ? n : 1;
    }
}

void hr__mysql_excerpt(const char *sql, char ret[HR__MYSQL_EXCERPT_MAX])
{
    struct excerpt e = {.to = ret};
    for (const char *p = hr__mysql_skip_space(sql), *next; *p && !e.full; p = next) {
        next = hr__mysql_skip_space(p);
        if (next > p) {
            put(&e, " ", *next ? 1 : 0);
            continue;
        }
        next = hr__mysql_skip_number(p);
        if (next > p) {
            put(&e, HIDDEN_NUMBER, strlen(HIDDEN_NUMBER));
            continue;
        }
        next = hr__mysql_skip_piece(p);
        if (*p == '\'' || *p == '"')
            put(&e, HIDDEN_TEXT, strlen(HIDDEN_TEXT));
        else
            put_shown(&e, p, next);
    }
    ret[e.len] = '\0';
}
