/* SPDX-License-Identifier: MIT */
/*
 * How rows are kept: each copied once, into memory of our own.
 *
 * libmariadb could keep the rows itself, but as a list without bounds. Our own copy stops at a
 * limit, gives access by number, and makes results independent of their connection.
 */
#include "drivers/mysql/result.h"

#include <string.h>

#include "drivers/mysql/reader.h"

static int grow(void **array, size_t *room, size_t need, size_t unit)
{
    if (need <= *room)
        return 0;
    size_t size = *room ? *room : 64;
    while (size < need)
        size *= 2;
    void *grown = realloc(*array, size * unit);
    if (!grown)
        return hr_fail(-ENOMEM, "no memory for a result of %zu bytes", size * unit);
    *array = grown;
    *room = size;
    return 0;
}

/* Whether so much more may be taken: a cell without bytes, an SQL NULL for one, takes room too. */
static int check_limit(const hr_mysql_result *result, size_t more)
{
    size_t taken = result->used + result->n_cells * sizeof(struct hr__mysql_cell);
    if (taken > result->limit || more > result->limit - taken)
        return hr_fail(-EMSGSIZE, "a result of more than %zu bytes", result->limit);
    return 0;
}

/* Appends bytes of that length and a NUL; *ret_to is where they go. */
static int add_bytes(hr_mysql_result *result, size_t len, struct hr__mysql_cell *ret, char **ret_to)
{
    int r = check_limit(result, len < SIZE_MAX ? len + 1 : len);
    if (r < 0)
        return r;
    r = grow((void **)&result->bytes, &result->size, result->used + len + 1, 1);
    if (r < 0)
        return r;
    *ret = (struct hr__mysql_cell){.at = result->used, .len = len};
    *ret_to = result->bytes + result->used;
    (*ret_to)[len] = '\0';
    result->used += len + 1;
    return 0;
}

static int add_name(hr_mysql_result *result, const char *name, size_t len,
                    struct hr__mysql_cell *ret)
{
    char *to;
    int r = add_bytes(result, len, ret, &to);
    if (r == 0 && len > 0)
        memcpy(to, name, len);
    return r;
}

int hr__mysql_result_add_null(hr_mysql_result *result)
{
    int r = check_limit(result, sizeof(*result->cells));
    if (r < 0)
        return r;
    r = grow((void **)&result->cells, &result->room, result->n_cells + 1, sizeof(*result->cells));
    if (r < 0)
        return r;
    result->cells[result->n_cells++] = (struct hr__mysql_cell){.at = SIZE_MAX};
    return 0;
}

int hr__mysql_result_add(hr_mysql_result *result, size_t len, char **ret_to)
{
    int r = hr__mysql_result_add_null(result);
    if (r < 0)
        return r;
    return add_bytes(result, len, &result->cells[result->n_cells - 1], ret_to);
}

void hr__mysql_result_clear(hr_mysql_result *result)
{
    result->rows = result->n_cells = 0;
    result->used = result->head;
}

static bool is_json(const MYSQL_FIELD *field)
{
    MARIADB_CONST_STRING format = {NULL, 0};
    return field->type == MYSQL_TYPE_JSON ||
           (!mariadb_field_attr(&format, field, MARIADB_FIELD_ATTR_FORMAT_NAME) && format.str &&
            format.length == 4 && memcmp(format.str, "json", 4) == 0);
}

static int add_column(hr_mysql_result *result, const MYSQL_FIELD *field,
                      struct hr__mysql_column *ret)
{
    *ret = (struct hr__mysql_column){
        .type = (int)field->type,
        .flags = field->flags,
        .charset = field->charsetnr,
        .decimals = field->decimals,
        .length = field->length,
        .json = is_json(field),
    };
    int r = add_name(result, field->name, field->name_length, &ret->name);
    return r < 0 ? r : add_name(result, field->org_table, field->org_table_length, &ret->table);
}

int hr__mysql_result_new(size_t limit, const MYSQL_FIELD *fields, size_t columns,
                         hr_mysql_result **ret)
{
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = calloc(1, sizeof(*result));
    if (result)
        result->fields = calloc(columns + 1, sizeof(*result->fields));
    if (!result || !result->fields)
        return hr_fail(-ENOMEM, "no memory for a result");
    result->columns = columns;
    result->limit = limit;
    for (size_t i = 0; i < columns; i++) {
        int r = add_column(result, &fields[i], &result->fields[i]);
        if (r < 0)
            return r;
    }
    result->head = result->used;
    *ret = hr_take(result);
    return 0;
}

int hr__mysql_result_like(const hr_mysql_result *other, hr_mysql_result **ret)
{
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    int r = hr__mysql_result_new(other->limit, NULL, 0, &result);
    if (r < 0)
        return r;
    free(result->fields);
    result->fields = calloc(other->columns + 1, sizeof(*result->fields));
    if (!result->fields)
        return hr_fail(-ENOMEM, "no memory for a result");
    result->bytes = malloc(other->head + 1);
    if (!result->bytes)
        return hr_fail(-ENOMEM, "no memory for a result");
    result->size = other->head + 1;
    result->columns = other->columns;
    memcpy(result->fields, other->fields, other->columns * sizeof(*result->fields));
    if (other->head > 0)
        memcpy(result->bytes, other->bytes, other->head);
    result->used = result->head = other->head;
    *ret = hr_take(result);
    return 0;
}

int hr__mysql_result_solid(const hr_mysql_result *like, size_t rows, size_t bytes,
                           hr_mysql_result **ret)
{
    size_t fields_size = like->columns * sizeof(*like->fields);
    size_t cells_size = rows * like->columns * sizeof(*like->cells);
    hr_mysql_result *result =
        malloc(sizeof(*result) + fields_size + cells_size + like->head + bytes);
    if (!result)
        return -ENOMEM;
    char *fields = (char *)(result + 1), *cells = fields + fields_size;
    *result = (hr_mysql_result){
        .columns = like->columns,
        .rows = rows,
        .fields = (struct hr__mysql_column *)fields,
        .cells = (struct hr__mysql_cell *)cells,
        .n_cells = rows * like->columns,
        .bytes = cells + cells_size,
        .used = like->head,
        .head = like->head,
        .limit = like->limit,
        .solid = true,
    };
    memcpy(result->fields, like->fields, fields_size);
    memcpy(result->bytes, like->bytes, like->head);
    *ret = result;
    return 0;
}

static hr_async int read_all(struct hr__mysql_reader *reader, hr_mysql_result *result)
{
    int r;
    while ((r = hr__mysql_reader_next(reader, result)) > 0)
        ;
    return r;
}

int hr__mysql_result_of_text(hr_mysql_conn *conn, hr_mysql_result **ret)
{
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    struct hr__mysql_reader reader;
    int r = hr__mysql_reader_of_text(&reader, conn, &result);
    if (r >= 0)
        r = hr__mysql_reader_close(&reader, read_all(&reader, result));
    if (r >= 0)
        r = hr__mysql_drain(conn);
    if (r < 0)
        return r;
    *ret = hr_take(result);
    return hr__mysql_count((*ret)->rows);
}

int hr__mysql_result_of_stmt(hr_mysql_conn *conn, struct hr__mysql_stmt *stmt,
                             hr_mysql_result **ret)
{
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    struct hr__mysql_reader reader;
    int r = hr__mysql_reader_of_stmt(&reader, conn, stmt, &result);
    if (r >= 0)
        r = hr__mysql_reader_close(&reader, read_all(&reader, result));
    if (r >= 0)
        r = hr__mysql_stmt_finish(conn, stmt);
    if (r < 0)
        return r;
    *ret = hr_take(result);
    return hr__mysql_count((*ret)->rows);
}
