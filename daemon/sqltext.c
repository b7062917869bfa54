/* SPDX-License-Identifier: MIT */
/*
 * The SQL text of a job.
 *
 * One pass cuts the text into tokens and copies it, names replaced; the shape of an INSERT is then
 * a matter of comparing tokens. Sessions run without ANSI_QUOTES and NO_BACKSLASH_ESCAPES, so
 * double quotes are strings and a backslash escapes.
 */
#include "daemon/sqltext.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PARAMS_MAX    4096 /* a table has no more columns */
#define NAME_LEN_MAX  64
#define STATEMENT_MAX (256 * 1024)

enum token_kind { TOKEN_WORD, TOKEN_QUOTED_NAME, TOKEN_STRING, TOKEN_PARAM, TOKEN_SIGN };

struct token {
    enum token_kind kind;
    const char *at, *end;
};

struct scanner {
    const char *text;
    struct sqltext_error *err;
    struct token *tokens;
    size_t n, room;
    size_t n_params;
};

static int fail(struct scanner *s, const char *at, const char *format, ...) hr_printf_like(3, 4);

static int fail(struct scanner *s, const char *at, const char *format, ...)
{
    va_list args;
    s->err->offset = (size_t)(at - s->text);
    va_start(args, format);
    vsnprintf(s->err->message, sizeof(s->err->message), format, args);
    va_end(args);
    return -EINVAL;
}

static void scanner_done(struct scanner *s)
{
    free(s->tokens);
}

static int add_token(struct scanner *s, enum token_kind kind, const char *at, const char *end)
{
    if (s->n == s->room) {
        size_t room = s->room ? 2 * s->room : 64;
        struct token *larger = reallocarray(s->tokens, room, sizeof(*larger));
        if (!larger)
            return -ENOMEM;
        s->tokens = larger;
        s->room = room;
    }
    s->tokens[s->n++] = (struct token){kind, at, end};
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

static int scan_param(struct scanner *s, const char **at)
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
static int scan_one(struct scanner *s, const char **at)
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

static bool is_sign(const struct token *t, char sign)
{
    return t->kind == TOKEN_SIGN && *t->at == sign;
}

static bool is_keyword(const struct token *t, const char *word)
{
    return t->kind == TOKEN_WORD && (size_t)(t->end - t->at) == strlen(word) &&
           strncasecmp(t->at, word, strlen(word)) == 0;
}

static int scan(struct scanner *s)
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
    if (s->n > 0 && is_sign(&s->tokens[s->n - 1], ';'))
        s->n--;
    if (s->n == 0)
        return fail(s, s->text, "the statement is empty");
    for (size_t i = 0; i < s->n; i++) {
        if (is_sign(&s->tokens[i], ';'))
            return fail(s, s->tokens[i].at, "only one statement may stand here");
    }
    /* Also INSERT LOW_PRIORITY IGNORE. */
    for (size_t i = 1; i < s->n && i <= 2 && is_keyword(&s->tokens[0], "INSERT"); i++) {
        if (is_keyword(&s->tokens[i], "IGNORE"))
            return fail(
                s, s->tokens[i].at,
                "INSERT IGNORE also cuts values that do not fit (use on_duplicate: ignore)");
    }
    return 0;
}

/* The statement up to its last token, with a question mark for each name. */
static int write_sql(const struct scanner *s, struct sqltext *ret)
{
    const char *end = s->tokens[s->n - 1].end;
    char *to = ret->sql = malloc((size_t)(end - s->text) + 1);
    ret->names = calloc(s->n_params + 1, sizeof(*ret->names));
    ret->offsets = calloc(s->n_params + 1, sizeof(*ret->offsets));
    if (!ret->sql || !ret->names || !ret->offsets)
        return -ENOMEM;
    const char *from = s->text;
    for (size_t i = 0; i < s->n; i++) {
        const struct token *t = &s->tokens[i];
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

static const struct token *token_at(const struct scanner *s, size_t i)
{
    static const struct token none = {TOKEN_SIGN, "", ""};
    return i < s->n ? &s->tokens[i] : &none;
}

/* Counts `x , x , x )` from token `at` on, where each x is of the wanted sort; 0 when it is
 * anything else. */
static size_t count_list(const struct scanner *s, size_t at, bool params)
{
    for (size_t n = 1;; n++, at += 2) {
        const struct token *t = token_at(s, at);
        if (params ? t->kind != TOKEN_PARAM : !is_name(t))
            return 0;
        if (is_sign(token_at(s, at + 1), ')'))
            return n;
        if (!is_sign(token_at(s, at + 1), ','))
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
static int recognise_insert(const struct scanner *s, struct sqltext *ret)
{
    size_t at = 0;
    if (!is_keyword(token_at(s, at++), "INSERT"))
        return 0;
    at += is_keyword(token_at(s, at), "INTO");
    const struct token *schema = NULL, *table = token_at(s, at++);
    if (is_sign(token_at(s, at), '.')) {
        schema = table;
        table = token_at(s, at + 1);
        at += 2;
    }
    if (!is_name(table) || (schema && !is_name(schema)) || !is_sign(token_at(s, at), '('))
        return 0;
    size_t columns = ++at;
    size_t n = count_list(s, columns, false);
    at += 2 * n;
    if (n == 0 || (!is_keyword(token_at(s, at), "VALUES") && !is_keyword(token_at(s, at), "VALUE")))
        return 0;
    at++;
    if (!is_sign(token_at(s, at++), '(') || count_list(s, at, true) != n || at + 2 * n != s->n)
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
    hr_auto(scanner_done) struct scanner s = {.text = text, .err = err};
    int r = scan(&s);
    if (r == 0)
        r = write_sql(&s, &made);
    if (r == 0)
        r = recognise_insert(&s, &made);
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
