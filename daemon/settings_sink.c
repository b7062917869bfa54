/* SPDX-License-Identifier: MIT */
/*
 * Settings of the sinks: where a job's items go, and how their values become parameters.
 *
 * sink.mysql has two spellings, statement + params and table + columns; both end as one SQL text
 * with a question mark for each parameter, in order.
 */
#include <errno.h>
#include <string.h>

#include "config/suggest.h"
#include "daemon/settings_tables.h"
#include "daemon/sqltext.h"

#define IDENTIFIER_MAX 64 /* MySQL's limit, in characters */

static const struct hr_conf_choice on_duplicate_choices[] = {
    {"dead_letter",     DUPLICATE_DEAD_LETTER},
    {"ignore",                 DUPLICATE_IGNORE},
    {"update",DUPLICATE_UPDATE},
    {NULL         },
};

static const struct hr_conf_choice as_choices[] = {
    {"text",     BIND_TEXT},
    {"int",          BIND_INT},
    {"decimal",BIND_DECIMAL},
    {"time",  BIND_TIME},
    {"json",          BIND_JSON},
    {"bytes",BIND_BYTES},
    {NULL    },
};

static const struct hr_conf_field param_fields[] = {
    {.key = "expr",
     .type = HR_CONF_TYPE_HOOK,
     .required = true,
     .offset = HR_CONF_AT(struct param_conf, expr, struct expr *),
     .hook = read_expr,
     .doc = "The expression that gives the value."},
    HR_CONF_CHOICE(struct param_conf, "as", as, NULL, as_choices,
                   "What the value is sent as; without it the column's type decides where it is "
                   "known, else the JSON type."),
    HR_CONF_END,
};

static const struct hr_conf_section param_section = {.fields = param_fields};

/* `.path`, or { expr: .path, as: time }. */
static int read_param(struct hr_conf *conf, const struct hr_conf_node *node, struct param_conf *ret)
{
    if (node->kind == HR_CONF_MAP)
        return hr_conf_fill(conf, node, &param_section, ret);
    return read_expr(conf, node, &ret->expr);
}

/* All entries of params or columns, in the order of the file, each named by its key. */
static int read_params(struct hr_conf *conf, const struct hr_conf_node *map,
                       struct param_conf **ret, size_t *ret_n)
{
    *ret = NULL;
    *ret_n = 0;
    if (!map)
        return 0;
    if (map->kind != HR_CONF_MAP)
        return map->kind == HR_CONF_BAD
                   ? -EINVAL
                   : hr_conf_error(conf, map, "has to be a map of names and expressions");
    struct param_conf *params = hr_conf_alloc(conf->mem, map->n * sizeof(*params));
    if (!params)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; i < map->n && r != -ENOMEM; i++) {
        params[i].name = map->items[i]->key;
        int item = read_param(conf, map->items[i], &params[i]);
        if (item < 0)
            r = item;
    }
    *ret = params;
    *ret_n = map->n;
    return r;
}

static const struct param_conf *find_param(const struct param_conf *params, size_t n,
                                           const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(params[i].name, name) == 0)
            return &params[i];
    }
    return NULL;
}

static int report_missing_param(struct hr_conf *conf, const struct hr_conf_node *statement,
                                const struct sqltext *sql, size_t i,
                                const struct param_conf *params, size_t n)
{
    const char *meant = hr_conf_suggest(sql->names[i], params, n, sizeof(*params));
    if (statement->substituted)
        return hr_conf_error(conf, statement, "a :name has no value in params");
    if (meant)
        return hr_conf_error_at(conf, statement, sql->offsets[i],
                                ":%s has no value in params (did you mean :%s?)", sql->names[i],
                                meant);
    return hr_conf_error_at(conf, statement, sql->offsets[i],
                            ":%s has no value in params (add %s: .%s)", sql->names[i],
                            sql->names[i], sql->names[i]);
}

/* Whether a name that is no parameter stands in a statement all the same, as ':name'. */
static bool stands_in_quotes(const char *sql, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = strchr(sql, ':'); at; at = strchr(at + 1, ':')) {
        if (at > sql && strchr("'\"`", at[-1]) && strncmp(at + 1, name, len) == 0 &&
            at[1 + len] == at[-1])
            return true;
    }
    return false;
}

/* Every name of the statement has a value and every value is used. */
static int match_params(struct hr_conf *conf, const struct hr_conf_node *statement,
                        const struct sqltext *sql, const struct hr_conf_node *map,
                        const struct param_conf *params, size_t n)
{
    int r = 0;
    for (size_t i = 0; i < sql->n_names; i++) {
        if (!find_param(params, n, sql->names[i]))
            r = report_missing_param(conf, statement, sql, i, params, n);
    }
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < sql->n_names && strcmp(sql->names[k], params[i].name) != 0)
            k++;
        if (k == sql->n_names)
            r = hr_conf_error_key(conf, map->items[i], "the statement has no :%s%s", params[i].name,
                                  stands_in_quotes(sql->sql, params[i].name)
                                      ? " (inside quotes it is text: write it without them)"
                                      : "");
    }
    return r;
}

/* Moves what was parsed into the settings: one param for each question mark. */
static int take_statement(struct hr_conf *conf, const struct sqltext *sql,
                          const struct param_conf *params, size_t n, struct sink_conf *sink)
{
    sink->params = hr_conf_alloc(conf->mem, sql->n_names * sizeof(*sink->params));
    sink->sql = hr_conf_strndup(conf->mem, sql->sql, strlen(sql->sql));
    if (!sink->params || !sink->sql)
        return -ENOMEM;
    for (size_t i = 0; i < sql->n_names; i++) {
        sink->params[i] = *find_param(params, n, sql->names[i]);
        if (!sql->columns)
            continue;
        const char *column = sql->columns[i];
        sink->params[i].column = hr_conf_strndup(conf->mem, column, strlen(column));
        if (!sink->params[i].column)
            return -ENOMEM;
    }
    sink->n_params = sql->n_names;
    if (!sql->table)
        return 0;
    sink->table = hr_conf_strndup(conf->mem, sql->table, strlen(sql->table));
    return sink->table ? 0 : -ENOMEM;
}

static int read_statement(struct hr_conf *conf, const struct hr_conf_node *statement,
                          const struct hr_conf_node *map, struct sink_conf *sink)
{
    struct param_conf *params;
    size_t n;
    int r = read_params(conf, map, &params, &n);
    if (r == -ENOMEM || statement->kind == HR_CONF_BAD)
        return r;
    if (statement->kind != HR_CONF_SCALAR)
        return hr_conf_error(conf, statement, "has to be the text of an SQL statement");

    hr_auto(sqltext_done) struct sqltext sql = {0};
    struct sqltext_error err;
    int parsed = sqltext_parse(statement->text, &sql, &err);
    if (parsed == -EINVAL)
        return hr_conf_error_at(conf, statement, err.offset, "%s", err.message);
    if (parsed < 0)
        return parsed;
    int matched = match_params(conf, statement, &sql, map, params, n);
    if (r < 0 || matched < 0)
        return -EINVAL;
    return take_statement(conf, &sql, params, n, sink);
}

static bool is_identifier(const char *name, size_t len)
{
    size_t chars = 0;
    for (size_t i = 0; i < len; i++)
        chars += ((unsigned char)name[i] & 0xc0) != 0x80;
    return len > 0 && chars <= IDENTIFIER_MAX && name[len - 1] != ' ';
}

static int check_table(struct hr_conf *conf, const struct hr_conf_node *table)
{
    const char *text = table->kind == HR_CONF_SCALAR ? table->text : "";
    const char *dot = strchr(text, '.');
    const char *name = dot ? dot + 1 : text;
    if (is_identifier(name, strlen(name)) && !strchr(name, '.') &&
        (!dot || is_identifier(text, (size_t)(dot - text))))
        return 0;
    return hr_conf_error(conf, table, "has to be the name of a table (orders, or shop.orders)");
}

static int read_columns(struct hr_conf *conf, const struct hr_conf_node *table,
                        const struct hr_conf_node *map, struct sink_conf *sink)
{
    int r = table->kind == HR_CONF_BAD ? -EINVAL : check_table(conf, table);
    int read = read_params(conf, map, &sink->params, &sink->n_params);
    if (read == -ENOMEM || r < 0 || read < 0)
        return read == -ENOMEM ? read : -EINVAL;
    if (sink->n_params == 0)
        return hr_conf_error(conf, map, "names no column");

    const char **names = hr_conf_alloc(conf->mem, map->n * sizeof(*names));
    if (!names)
        return -ENOMEM;
    for (size_t i = 0; i < sink->n_params; i++) {
        names[i] = sink->params[i].column = sink->params[i].name;
        if (!is_identifier(names[i], strlen(names[i])))
            r = hr_conf_error_key(conf, map->items[i], "is not the name of a column");
    }
    if (r < 0)
        return r;
    char *sql, *quoted;
    r = sqltext_insert(table->text, names, map->n, sink->on_duplicate == DUPLICATE_UPDATE, &sql,
                       &quoted);
    if (r < 0)
        return r;
    sink->sql = sql;
    sink->table = quoted;
    int owned = hr_conf_own(conf->mem, sql, free);
    return hr_conf_own(conf->mem, quoted, free) < 0 ? -ENOMEM : owned;
}

/* Which of the two spellings it is; each needs its own keys and none of the other's. */
static int check_mysql(struct hr_conf *conf, const struct hr_conf_node *map, void *object)
{
    struct sink_conf *sink = object;
    const struct hr_conf_node *statement = hr_conf_get(map, "statement");
    const struct hr_conf_node *params = hr_conf_get(map, "params");
    const struct hr_conf_node *table = hr_conf_get(map, "table");
    const struct hr_conf_node *columns = hr_conf_get(map, "columns");
    const struct hr_conf_node *stranger = statement ? table ? table : columns : params;
    if (statement && stranger)
        return hr_conf_error_key(conf, stranger,
                                 "cannot stand beside statement (statement and params, or table "
                                 "and columns)");
    int r = 0;
    if (statement && sink->on_duplicate == DUPLICATE_UPDATE)
        r = hr_conf_error(
            conf, hr_conf_get(map, "on_duplicate"),
            "update needs table and columns (a statement says ON DUPLICATE KEY UPDATE itself)");
    if (statement) {
        int read = read_statement(conf, statement, params, sink);
        return read < 0 ? read : r;
    }
    if (stranger)
        return hr_conf_error_key(conf, stranger, "needs a statement");
    if (!table || !columns)
        return hr_conf_error(conf, map, "%s is missing",
                             table     ? "columns"
                             : columns ? "table"
                                       : "statement (or table and columns)");
    return read_columns(conf, table, columns, sink);
}

/* Fields whose meaning depends on each other: check_mysql() reads them. */
static int read_later(struct hr_conf *conf, const struct hr_conf_node *node, void *target)
{
    return 0;
}

static const struct hr_conf_field batch_fields[] = {
    HR_CONF_INT(struct sink_conf, "rows", batch_rows, "1000", "1", "100000",
                "Items claimed and committed together at most."),
    HR_CONF_SIZE(struct sink_conf, "bytes", batch_bytes, "1MiB", "1KiB", "1GiB",
                 "Bytes claimed together at most; a longer item goes alone."),
    HR_CONF_SPAN(struct sink_conf, "wait", batch_wait, "0ms", "0ms", "1h",
                 "How long a batch that is not full may wait for more; 0ms takes what is there."),
    HR_CONF_END,
};

const struct hr_conf_section batch_section = {.fields = batch_fields};

static const struct hr_conf_field mysql_fields[] = {
    {.key = "server",
     .type = HR_CONF_TYPE_HOOK,
     .required = true,
     .offset = HR_CONF_AT(struct sink_conf,                                                     server, const struct server_conf *),
     .hook = read_mysql_server,
     .doc = "The server, by its name in headrace.yaml."},
    {.key = "statement",
     .type = HR_CONF_TYPE_HOOK,
     .hook = read_later,
     .doc = "SQL text, the same for all items; values are written :name. INSERT INTO t (c, ...) "
            "VALUES (:p, ...) runs in bulk, any other statement once an item."                                     },
    {.key = "params",
     .type = HR_CONF_TYPE_HOOK,
     .hook = read_later,
     .doc = "The value of each :name: an expression, or {expr, as}. An absent path is NULL."},
    {.key = "table",
     .type = HR_CONF_TYPE_HOOK,
     .hook = read_later,
     .doc = "Instead of a statement: the table to insert into."                       },
    {.key = "columns",
     .type = HR_CONF_TYPE_HOOK,
     .hook = read_later,
     .doc = "Beside table: the value of each column: an expression, or {expr, as}."      },
    HR_CONF_GROUP("batch", &batch_section, "How much is claimed and committed together."),
    HR_CONF_CHOICE(struct sink_conf, "on_duplicate", on_duplicate, "dead_letter",
                   on_duplicate_choices,
                   "What a duplicate key (error 1062) means for a row: a dead letter, nothing, or "
                   "an update of all columns."),
    HR_CONF_END,
};

static const struct hr_conf_field print_fields[] = {
    HR_CONF_END,
};

static const struct hr_conf_section mysql_section = {
    .fields = mysql_fields,
    .check = check_mysql,
};

static const struct hr_conf_section print_section = {.fields = print_fields};

static const struct hr_conf_field sink_kinds[] = {
    HR_CONF_KIND_OF(struct sink_conf, "mysql", kind, SINK_MYSQL, &mysql_section,
                    "Rows of a MySQL or MariaDB table."),
    HR_CONF_KIND_OF(struct sink_conf, "print", kind, SINK_PRINT, &print_section,
                    "One line an item on standard output; for tests."),
    HR_CONF_END,
};

const struct hr_conf_section sink_section = {.fields = sink_kinds, .one_of = true};
