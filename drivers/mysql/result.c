/* SPDX-License-Identifier: MIT */
/*
 * How a result is read: row by row as they come, each copied once into our own memory.
 *
 * libmariadb could keep the rows itself, but as a list without bounds. Reading them one by one lets
 * us stop at a limit, gives access by number, and makes results independent of their connection.
 */
#include "drivers/mysql/result.h"

#include <string.h>

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

/* Appends bytes of that length and a NUL; *ret is where they go. */
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

static int add_null(hr_mysql_result *result)
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

static int add_cell(hr_mysql_result *result, size_t len, char **ret_to)
{
    int r = add_null(result);
    if (r < 0)
        return r;
    return add_bytes(result, len, &result->cells[result->n_cells - 1], ret_to);
}

static int result_new(const hr_mysql_conn *conn, const MYSQL_FIELD *fields, size_t columns,
                      hr_mysql_result **ret)
{
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = calloc(1, sizeof(*result));
    if (result)
        result->names = calloc(columns + 1, sizeof(*result->names));
    if (!result || !result->names)
        return hr_fail(-ENOMEM, "no memory for a result");
    result->columns = columns;
    result->limit = conn->server->max_result;
    for (size_t i = 0; i < columns; i++) {
        char *to;
        int r = add_bytes(result, fields[i].name_length, &result->names[i], &to);
        if (r < 0)
            return r;
        memcpy(to, fields[i].name, fields[i].name_length);
    }
    *ret = hr_take(result);
    return 0;
}

static int add_text_row(hr_mysql_result *result, const MYSQL_ROW row, const unsigned long *lengths)
{
    for (size_t i = 0; i < result->columns; i++) {
        char *to = NULL;
        int r = row[i] ? add_cell(result, lengths[i], &to) : add_null(result);
        if (r < 0)
            return r;
        if (to)
            memcpy(to, row[i], lengths[i]);
    }
    result->rows++;
    return 0;
}

static void mysql_rows_freep(MYSQL_RES **rows)
{
    mysql_free_result(*rows);
}

/* Rows that are not wanted are not read to their end either: the connection goes instead, before
 * the library's cleanup would wait for them. */
static int give_up(hr_mysql_conn *conn, int code)
{
    if (code != HR_EREPLY && !conn->broken) {
        conn->broken = true;
        conn->wait.silent = true;
        mariadb_cancel(conn->mysql);
    }
    return code;
}

static hr_async int read_text_rows(hr_mysql_conn *conn, hr_mysql_result **ret)
{
    MYSQL *m = conn->mysql;
    hr_auto(mysql_rows_freep) MYSQL_RES *rows = mysql_use_result(m);
    if (!rows)
        return hr__mysql_error(conn);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    int r = result_new(conn, mysql_fetch_fields(rows), mysql_num_fields(rows), &result);
    MYSQL_ROW row;
    while (r == 0 && (row = mysql_fetch_row(rows)))
        r = add_text_row(result, row, mysql_fetch_lengths(rows));
    if (r == 0 && mysql_errno(m))
        r = hr__mysql_error(conn);
    if (r < 0)
        return give_up(conn, r);
    *ret = hr_take(result);
    return 0;
}

int hr__mysql_result_of_text(hr_mysql_conn *conn, hr_mysql_result **ret)
{
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    int r = mysql_field_count(conn->mysql) ? read_text_rows(conn, &result)
                                           : result_new(conn, NULL, 0, &result);
    if (r < 0)
        return r;
    r = hr__mysql_drain(conn);
    if (r < 0)
        return r;
    *ret = hr_take(result);
    return hr__mysql_count((*ret)->rows);
}

/* Where libmariadb notes what a row holds before its cells are fetched. Numbers that it may round
 * or pad are written with all the room they want. */
struct shape {
    unsigned long len;
    my_bool null, cut;
    bool roomy;
};

#define NUMBER_MAX 512

static bool needs_room(const MYSQL_FIELD *field)
{
    return field->type == MYSQL_TYPE_DOUBLE || field->type == MYSQL_TYPE_FLOAT ||
           (field->flags & ZEROFILL_FLAG);
}

static int add_number(hr_mysql_conn *conn, hr_mysql_result *result, MYSQL_STMT *handle,
                      unsigned column)
{
    char number[NUMBER_MAX], *to;
    unsigned long len = 0;
    MYSQL_BIND bind = {
        .buffer_type = MYSQL_TYPE_STRING,
        .buffer = number,
        .buffer_length = sizeof(number),
        .length = &len,
    };
    if (mysql_stmt_fetch_column(handle, &bind, column, 0))
        return hr__mysql_stmt_error(conn, handle);
    len = len < sizeof(number) ? len : sizeof(number);
    int r = add_cell(result, len, &to);
    if (r == 0)
        memcpy(to, number, len);
    return r;
}

static int add_stmt_row(hr_mysql_conn *conn, hr_mysql_result *result, MYSQL_STMT *handle,
                        const struct shape *shapes)
{
    for (size_t i = 0; i < result->columns; i++) {
        char *to;
        int r;
        if (shapes[i].null)
            r = add_null(result);
        else if (shapes[i].roomy)
            r = add_number(conn, result, handle, (unsigned)i);
        else
            r = add_cell(result, shapes[i].len, &to);
        if (r < 0)
            return r;
        if (shapes[i].null || shapes[i].roomy || shapes[i].len == 0)
            continue;
        MYSQL_BIND bind = {
            .buffer_type = MYSQL_TYPE_STRING,
            .buffer = to,
            .buffer_length = shapes[i].len,
        };
        if (mysql_stmt_fetch_column(handle, &bind, (unsigned)i, 0))
            return hr__mysql_stmt_error(conn, handle);
    }
    result->rows++;
    return 0;
}

static hr_async int read_stmt_rows(hr_mysql_conn *conn, MYSQL_STMT *handle, hr_mysql_result **ret)
{
    size_t columns = mysql_stmt_field_count(handle);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    hr_auto(hr_freep) struct shape *shapes = calloc(columns, sizeof(*shapes));
    hr_auto(hr_freep) MYSQL_BIND *binds = calloc(columns, sizeof(*binds));
    if (!shapes || !binds)
        return hr_fail(-ENOMEM, "no memory for a result");
    const MYSQL_FIELD *fields = mariadb_stmt_fetch_fields(handle);
    char nothing;
    for (size_t i = 0; i < columns; i++) {
        shapes[i].roomy = needs_room(&fields[i]);
        binds[i].buffer_type = MYSQL_TYPE_STRING;
        binds[i].buffer = &nothing;
        binds[i].length = &shapes[i].len;
        binds[i].is_null = &shapes[i].null;
        binds[i].error = &shapes[i].cut;
    }
    int r = result_new(conn, fields, columns, &result);
    if (r < 0)
        return r;
    if (mysql_stmt_bind_result(handle, binds))
        return hr__mysql_stmt_error(conn, handle);
    int got;
    while ((got = mysql_stmt_fetch(handle)) == 0 || got == MYSQL_DATA_TRUNCATED) {
        r = add_stmt_row(conn, result, handle, shapes);
        if (r < 0)
            return r;
    }
    if (got != MYSQL_NO_DATA)
        return hr__mysql_stmt_error(conn, handle);
    *ret = hr_take(result);
    return 0;
}

int hr__mysql_result_of_stmt(hr_mysql_conn *conn, struct hr__mysql_stmt *stmt,
                             hr_mysql_result **ret)
{
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    int r = mysql_stmt_field_count(stmt->handle) ? read_stmt_rows(conn, stmt->handle, &result)
                                                 : result_new(conn, NULL, 0, &result);
    if (r < 0)
        return give_up(conn, r);
    r = hr__mysql_stmt_finish(conn, stmt);
    if (r < 0)
        return r;
    *ret = hr_take(result);
    return hr__mysql_count((*ret)->rows);
}
