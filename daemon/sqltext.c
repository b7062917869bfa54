/* SPDX-License-Identifier: MIT */
/*
 * The SQL text of a job.
 *
 * The text is copied, names replaced; the shape of an INSERT is a matter of comparing tokens
 * (sqltext_scan.h).
 */
#include "daemon/sqltext.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/sqltext_scan.h"

/* The statement up to its last token, with a question mark for each name. */
static int write_sql(const struct sql_tokens *s, struct sqltext *ret)
{
    const char *end = s->items[s->n - 1].end;
    char *to = ret->sql = malloc((size_t)(end - s->text) + 1);
    ret->names = calloc(s->n_params + 1, sizeof(*ret->names));
    ret->offsets = calloc(s->n_params + 1, sizeof(*ret->offsets));
    if (!ret->sql || !ret->names || !ret->offsets)
        return -ENOMEM;
    const char *from = s->text;
    for (size_t i = 0; i < s->n; i++) {
        const struct token *t = &s->items[i];
        if (t->kind != TOKEN_PARAM)
            continue;
        char *name = strndup(t->at + 1, (size_t)(t->end - t->at) - 1);
        if (!name)
            return -ENOMEM;
        ret->names[ret->n_names] = name;
        ret->offsets[ret->n_names++] = (size_t)(t->at - s->text);
        to = mempcpy(to, from, (size_t)(t->at - from));
        *to++ = '?';
        from = t->end;
    }
    to = mempcpy(to, from, (size_t)(end - from));
    *to = '\0';
    return 0;
}

/* A name without its quotes, or NULL when out of memory. */
static char *unquote(const struct token *t)
{
    size_t len = (size_t)(t->end - t->at);
    if (t->kind == TOKEN_WORD)
        return strndup(t->at, len);
    char *name = malloc(len);
    if (!name)
        return NULL;
    char *to = name;
    for (const char *c = t->at + 1; c < t->end - 1; c++) {
        *to++ = *c;
        if (*c == '`')
            c++;
    }
    *to = '\0';
    return name;
}

static bool is_name(const struct token *t)
{
    return t->kind == TOKEN_WORD || t->kind == TOKEN_QUOTED_NAME;
}

static const struct token *token_at(const struct sql_tokens *s, size_t i)
{
    static const struct token none = {TOKEN_SIGN, "", ""};
    return i < s->n ? &s->items[i] : &none;
}

/* Counts `x , x , x )` from token `at` on, where each x is of the wanted sort; 0 when it is
 * anything else. */
static size_t count_list(const struct sql_tokens *s, size_t at, bool params)
{
    for (size_t n = 1;; n++, at += 2) {
        const struct token *t = token_at(s, at);
        if (params ? t->kind != TOKEN_PARAM : !is_name(t))
            return 0;
        if (sql_is_sign(token_at(s, at + 1), ')'))
            return n;
        if (!sql_is_sign(token_at(s, at + 1), ','))
            return 0;
    }
}

/* Prints a name in backticks. */
static void put_quoted(FILE *out, const char *name, size_t len)
{
    fputc('`', out);
    for (size_t i = 0; i < len; i++) {
        fputc(name[i], out);
        if (name[i] == '`')
            fputc('`', out);
    }
    fputc('`', out);
}

/* Ends a memory stream; -ENOMEM when anything printed to it was lost. */
static int close_stream(FILE *out)
{
    bool lost = ferror(out);
    return fclose(out) != 0 || lost ? -ENOMEM : 0;
}

static int quote_table(const struct token *schema, const struct token *table, char **ret)
{
    hr_auto(hr_freep) char *first = schema ? unquote(schema) : NULL;
    hr_auto(hr_freep) char *second = unquote(table);
    if ((schema && !first) || !second)
        return -ENOMEM;
    size_t size;
    FILE *out = open_memstream(ret, &size);
    if (!out)
        return -ENOMEM;
    if (first) {
        put_quoted(out, first, strlen(first));
        fputc('.', out);
    }
    put_quoted(out, second, strlen(second));
    return close_stream(out);
}

static int write_insert(const char *table, const char *const *columns, size_t n, bool update,
                        char **ret)
{
    size_t size;
    FILE *out = open_memstream(ret, &size);
    if (!out)
        return -ENOMEM;
    fprintf(out, "INSERT INTO %s (", table);
    for (size_t i = 0; i < n; i++) {
        fputs(i ? ", " : "", out);
        put_quoted(out, columns[i], strlen(columns[i]));
    }
    fputs(") VALUES (", out);
    for (size_t i = 0; i < n; i++)
        fputs(i ? ", ?" : "?", out);
    fputc(')', out);
    for (size_t i = 0; update && i < n; i++) {
        fputs(i ? ", " : " ON DUPLICATE KEY UPDATE ", out);
        put_quoted(out, columns[i], strlen(columns[i]));
        fputs(" = VALUES(", out);
        put_quoted(out, columns[i], strlen(columns[i]));
        fputc(')', out);
    }
    return close_stream(out);
}

/* Fills table and columns when the statement is INSERT [INTO] t (c, …) VALUES (:p, …) and nothing
 * more. */
static int recognise_insert(const struct sql_tokens *s, struct sqltext *ret)
{
    size_t at = 0;
    if (!sql_is_keyword(token_at(s, at++), "INSERT"))
        return 0;
    at += sql_is_keyword(token_at(s, at), "INTO");
    const struct token *schema = NULL, *table = token_at(s, at++);
    if (sql_is_sign(token_at(s, at), '.')) {
        schema = table;
        table = token_at(s, at + 1);
        at += 2;
    }
    if (!is_name(table) || (schema && !is_name(schema)) || !sql_is_sign(token_at(s, at), '('))
        return 0;
    size_t columns = ++at;
    size_t n = count_list(s, columns, false);
    at += 2 * n;
    if (n == 0 ||
        (!sql_is_keyword(token_at(s, at), "VALUES") && !sql_is_keyword(token_at(s, at), "VALUE")))
        return 0;
    at++;
    if (!sql_is_sign(token_at(s, at++), '(') || count_list(s, at, true) != n || at + 2 * n != s->n)
        return 0;

    ret->columns = calloc(n, sizeof(*ret->columns));
    if (!ret->columns || quote_table(schema, table, &ret->table) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        ret->columns[i] = unquote(token_at(s, columns + 2 * i));
        if (!ret->columns[i])
            return -ENOMEM;
    }
    /* Without comments and quirks of spelling it is easier to repeat its row. */
    free(hr_take(ret->sql));
    return write_insert(ret->table, (const char *const *)ret->columns, n, false, &ret->sql);
}

int sqltext_parse(const char *text, struct sqltext *ret, struct sqltext_error *err)
{
    hr_auto(sqltext_done) struct sqltext made = {0};
    hr_auto(sql_tokens_done) struct sql_tokens tokens = {0};
    int r = sql_scan(text, &tokens, err);
    if (r == 0)
        r = write_sql(&tokens, &made);
    if (r == 0)
        r = recognise_insert(&tokens, &made);
    if (r == 0) {
        *ret = made;
        made = (struct sqltext){0};
    }
    return r;
}

static void free_names(char **names, size_t n)
{
    for (size_t i = 0; names && i < n; i++)
        free(names[i]);
    free(names);
}

void sqltext_done(struct sqltext *s)
{
    free_names(s->names, s->n_names);
    free_names(s->columns, s->n_names);
    free(s->offsets);
    free(s->table);
    free(s->sql);
    *s = (struct sqltext){0};
}

static int write_table(const char *table, char **ret)
{
    size_t size;
    FILE *out = open_memstream(ret, &size);
    if (!out)
        return -ENOMEM;
    const char *dot = strchr(table, '.');
    if (dot) {
        put_quoted(out, table, (size_t)(dot - table));
        fputc('.', out);
        table = dot + 1;
    }
    put_quoted(out, table, strlen(table));
    return close_stream(out);
}

int sqltext_insert(const char *table, const char *const *columns, size_t n_columns, bool update,
                   char **ret_sql, char **ret_table)
{
    hr_auto(hr_freep) char *quoted = NULL;
    hr_auto(hr_freep) char *sql = NULL;
    int r = write_table(table, &quoted);
    if (r == 0)
        r = write_insert(quoted, columns, n_columns, update, &sql);
    if (r < 0)
        return r;
    *ret_sql = hr_take(sql);
    *ret_table = hr_take(quoted);
    return 0;
}
