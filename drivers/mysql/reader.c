/* SPDX-License-Identifier: MIT */
/*
 * How rows are read: libmariadb hands them on unbuffered, and each is copied into a result.
 *
 * Of a prepared statement the library is asked for text as well, so a value reads the same in both
 * ways. Where what the server sends is there already, nothing ever waits; so a turn is given to
 * others after so many bytes.
 */
#include "drivers/mysql/reader.h"

#include <string.h>

#include "core/task.h"

#define TURN ((size_t)64 << 10)

/* Where libmariadb notes what a row holds before its cells are fetched. Numbers that it may round
 * or pad are written with all the room they want. */
struct hr__mysql_shape {
    unsigned long len;
    my_bool null, cut;
    bool roomy;
    char nothing; /* a buffer of no length */
};

#define NUMBER_MAX 512

static bool needs_room(const MYSQL_FIELD *field)
{
    return field->type == MYSQL_TYPE_DOUBLE || field->type == MYSQL_TYPE_FLOAT ||
           (field->flags & ZEROFILL_FLAG);
}

static int bind_shapes(struct hr__mysql_reader *reader, const MYSQL_FIELD *fields, size_t columns)
{
    hr_auto(hr_freep) MYSQL_BIND *binds = calloc(columns, sizeof(*binds));
    reader->shapes = calloc(columns, sizeof(*reader->shapes));
    if (!binds || !reader->shapes)
        return hr_fail(-ENOMEM, "no memory for a result");
    for (size_t i = 0; i < columns; i++) {
        reader->shapes[i].roomy = needs_room(&fields[i]);
        binds[i].buffer_type = MYSQL_TYPE_STRING;
        binds[i].buffer = &reader->shapes[i].nothing;
        binds[i].length = &reader->shapes[i].len;
        binds[i].is_null = &reader->shapes[i].null;
        binds[i].error = &reader->shapes[i].cut;
    }
    if (mysql_stmt_bind_result(reader->handle, binds))
        return hr__mysql_stmt_error(reader->conn, reader->handle);
    return 0;
}

int hr__mysql_reader_of_text(struct hr__mysql_reader *reader, hr_mysql_conn *conn,
                             hr_mysql_result **ret)
{
    size_t limit = conn->server->max_result;
    *reader = (struct hr__mysql_reader){.conn = conn};
    if (mysql_field_count(conn->mysql) == 0)
        return hr__mysql_result_new(limit, NULL, 0, ret);
    reader->rows = mysql_use_result(conn->mysql);
    if (!reader->rows)
        return hr__mysql_error(conn);
    int r = hr__mysql_result_new(limit, mysql_fetch_fields(reader->rows),
                                 mysql_num_fields(reader->rows), ret);
    return r < 0 ? hr__mysql_reader_close(reader, r) : 0;
}

int hr__mysql_reader_of_stmt(struct hr__mysql_reader *reader, hr_mysql_conn *conn,
                             const struct hr__mysql_stmt *stmt, hr_mysql_result **ret)
{
    size_t limit = conn->server->max_result;
    size_t columns = mysql_stmt_field_count(stmt->handle);
    *reader = (struct hr__mysql_reader){.conn = conn};
    if (columns == 0)
        return hr__mysql_result_new(limit, NULL, 0, ret);
    reader->handle = stmt->handle;
    const MYSQL_FIELD *fields = mariadb_stmt_fetch_fields(stmt->handle);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    int r = bind_shapes(reader, fields, columns);
    if (r == 0)
        r = hr__mysql_result_new(limit, fields, columns, &result);
    if (r < 0)
        return hr__mysql_reader_close(reader, r);
    *ret = hr_take(result);
    return 0;
}

static int add_text_row(hr_mysql_result *result, const MYSQL_ROW row, const unsigned long *lengths)
{
    for (size_t i = 0; i < result->columns; i++) {
        char *to = NULL;
        int r = row[i] ? hr__mysql_result_add(result, lengths[i], &to)
                       : hr__mysql_result_add_null(result);
        if (r < 0)
            return r;
        if (to)
            memcpy(to, row[i], lengths[i]);
    }
    return 0;
}

static hr_async int next_of_text(struct hr__mysql_reader *reader, hr_mysql_result *result)
{
    MYSQL_ROW row = mysql_fetch_row(reader->rows);
    if (!row)
        return mysql_errno(reader->conn->mysql) ? hr__mysql_error(reader->conn) : 0;
    int r = add_text_row(result, row, mysql_fetch_lengths(reader->rows));
    return r < 0 ? r : 1;
}

static int add_number(const struct hr__mysql_reader *reader, hr_mysql_result *result,
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
    if (mysql_stmt_fetch_column(reader->handle, &bind, column, 0))
        return hr__mysql_stmt_error(reader->conn, reader->handle);
    len = len < sizeof(number) ? len : sizeof(number);
    int r = hr__mysql_result_add(result, len, &to);
    if (r == 0)
        memcpy(to, number, len);
    return r;
}

static int add_stmt_row(const struct hr__mysql_reader *reader, hr_mysql_result *result)
{
    for (size_t i = 0; i < result->columns; i++) {
        const struct hr__mysql_shape *shape = &reader->shapes[i];
        char *to;
        int r;
        if (shape->null)
            r = hr__mysql_result_add_null(result);
        else if (shape->roomy)
            r = add_number(reader, result, (unsigned)i);
        else
            r = hr__mysql_result_add(result, shape->len, &to);
        if (r < 0)
            return r;
        if (shape->null || shape->roomy || shape->len == 0)
            continue;
        MYSQL_BIND bind = {
            .buffer_type = MYSQL_TYPE_STRING,
            .buffer = to,
            .buffer_length = shape->len,
        };
        if (mysql_stmt_fetch_column(reader->handle, &bind, (unsigned)i, 0))
            return hr__mysql_stmt_error(reader->conn, reader->handle);
    }
    return 0;
}

static hr_async int next_of_stmt(struct hr__mysql_reader *reader, hr_mysql_result *result)
{
    int got = mysql_stmt_fetch(reader->handle);
    if (got == MYSQL_NO_DATA)
        return 0;
    if (got != 0 && got != MYSQL_DATA_TRUNCATED)
        return hr__mysql_stmt_error(reader->conn, reader->handle);
    int r = add_stmt_row(reader, result);
    return r < 0 ? r : 1;
}

/* A cancel here is one of the wait's: the library is not to be asked for more. */
static hr_async int give_turn(struct hr__mysql_reader *reader, size_t bytes)
{
    reader->since += bytes;
    if (reader->since < TURN)
        return 0;
    reader->since = 0;
    int r = hr_yield();
    if (r < 0)
        reader->conn->wait.failed = r;
    return r;
}

int hr__mysql_reader_next(struct hr__mysql_reader *reader, hr_mysql_result *result)
{
    if (reader->ended || (!reader->rows && !reader->handle))
        return 0;
    size_t used = result->used;
    int r = reader->rows ? next_of_text(reader, result) : next_of_stmt(reader, result);
    if (r <= 0) {
        reader->ended = true;
        return r;
    }
    result->rows++;
    r = give_turn(reader, result->used - used + result->columns * sizeof(*result->cells));
    return r < 0 ? r : 1;
}

int hr__mysql_reader_close(struct hr__mysql_reader *reader, int code)
{
    hr_mysql_conn *conn = reader->conn;
    /* Before the library's cleanup would wait for the rows that are left. */
    if (code < 0 && code != HR_EREPLY && !conn->broken) {
        conn->broken = true;
        conn->wait.silent = true;
        mariadb_cancel(conn->mysql);
    }
    mysql_free_result(reader->rows);
    free(reader->shapes);
    *reader = (struct hr__mysql_reader){.conn = conn};
    return code;
}
