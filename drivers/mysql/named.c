/* SPDX-License-Identifier: MIT */
/*
 * How names are found in a statement: by stepping over all that may only look like one.
 */
#include "drivers/mysql/named.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/mysql/words.h"

struct rewriting {
    struct hr_mysql_args given;
    struct hr_mysql_arg *placed; /* one a question mark */
    size_t n_placed, room;
    bool *used; /* one a given value */
    char *out;  /* never longer than the statement */
};

bool hr__mysql_is_named(struct hr_mysql_args args)
{
    for (size_t i = 0; i < args.count; i++) {
        if (args.items[i].name)
            return true;
    }
    return false;
}

static bool starts_name(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static size_t name_length(const char *name)
{
    size_t len = 0;
    while (isalnum((unsigned char)name[len]) || name[len] == '_')
        len++;
    return len;
}

static int place(struct rewriting *w, const char *name, size_t len)
{
    size_t i = 0;
    while (i < w->given.count &&
           (strncmp(w->given.items[i].name, name, len) != 0 || w->given.items[i].name[len] != '\0'))
        i++;
    if (i == w->given.count)
        return hr_fail(-EINVAL, "the statement asks for :%.*s, which has no value", (int)len, name);
    if (w->n_placed == w->room) {
        size_t room = w->room ? 2 * w->room : 8;
        struct hr_mysql_arg *grown = realloc(w->placed, room * sizeof(*grown));
        if (!grown)
            return hr_fail(-ENOMEM, "no memory for %zu values", room);
        w->placed = grown;
        w->room = room;
    }
    w->used[i] = true;
    w->placed[w->n_placed] = w->given.items[i];
    w->placed[w->n_placed++].name = NULL;
    return 0;
}

static int rewrite(struct rewriting *w, const char *sql)
{
    char *out = w->out;
    for (const char *p = sql, *next; *p; p = next) {
        next = hr__mysql_skip_piece(p);
        if (*p == '?')
            return hr_fail(-EINVAL, "a statement has names or question marks, not both");
        if (*p == ':' && p[1] == ':') {
            next = p + 2;
        } else if (*p == ':' && starts_name(p[1])) {
            size_t len = name_length(p + 1);
            int r = place(w, p + 1, len);
            if (r < 0)
                return r;
            *out++ = '?';
            next = p + 1 + len;
            continue;
        }
        memcpy(out, p, (size_t)(next - p));
        out += next - p;
    }
    *out = '\0';
    return 0;
}

static int check_given(struct hr_mysql_args given)
{
    for (size_t i = 0; i < given.count; i++) {
        const char *name = given.items[i].name;
        if (!name)
            return hr_fail(-EINVAL, "value %zu has no name, and others have", i + 1);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(name, given.items[k].name) == 0)
                return hr_fail(-EINVAL, "two values are named %s", name);
        }
    }
    return 0;
}

static int check_used(const struct rewriting *w)
{
    for (size_t i = 0; i < w->given.count; i++) {
        if (!w->used[i])
            return hr_fail(-EINVAL, "the statement does not ask for :%s", w->given.items[i].name);
    }
    return 0;
}

int hr__mysql_named(const char *sql, struct hr_mysql_args args, char **ret_sql,
                    struct hr_mysql_args *ret_args)
{
    int r = check_given(args);
    if (r < 0)
        return r;
    hr_auto(hr_freep) bool *used = calloc(args.count, sizeof(*used));
    hr_auto(hr_freep) char *out = malloc(strlen(sql) + 1);
    if (!used || !out)
        return hr_fail(-ENOMEM, "no memory for a statement");
    struct rewriting w = {.given = args, .used = used, .out = out};
    r = rewrite(&w, sql);
    if (r >= 0)
        r = check_used(&w);
    if (r < 0) {
        free(w.placed);
        return r;
    }
    *ret_sql = hr_take(out);
    *ret_args = (struct hr_mysql_args){w.placed, w.n_placed};
    return 0;
}
