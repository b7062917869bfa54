/* SPDX-License-Identifier: MIT */
/*
 * How many rows travel in one statement.
 *
 * Columns go to libmariadb as they are: arrays of numbers, arrays of pointers with lengths, and our
 * bools as its indicators, so binding costs nothing a row. More than one statement is needed only
 * beyond max_allowed_packet; a savepoint in front of the second one keeps the promise that a
 * refused row leaves nothing. Going back to it would wipe the server's diagnostics, so the refused
 * row is asked for before.
 */
#include "drivers/mysql/bulk.h"

#include <mysqld_error.h>
#include <string.h>

#include "drivers/mysql/call.h"
#include "drivers/mysql/values.h"

/* The server's lists say 1 for NULL, which is what a true bool is. */
_Static_assert(sizeof(bool) == 1 && STMT_INDICATOR_NULL == 1 && STMT_INDICATOR_NONE == 0,
               "nulls serve as indicators");

/* Text statements are parsed by the server as a whole; larger ones gain nothing. */
#define TEXT_STATEMENT_MAX ((size_t)1 << 20)

/* What a cell takes besides its bytes: indicator and length, or a number. */
#define CELL_MAX 9

#define COLUMNS_INLINE 32

struct bulk {
    hr_mysql_conn *conn;
    const char *sql;
    const struct hr_mysql_column *columns;
    size_t n_columns, rows;
    struct hr__mysql_values values; /* for servers without arrays */
    bool savepoint;                 /* set in front of the first of several statements */
};

static bool has_lengths(const struct hr_mysql_column *column)
{
    return column->type == HR_MYSQL_TEXT || column->type == HR_MYSQL_BYTES;
}

static size_t row_bytes(const struct bulk *bulk, size_t row)
{
    size_t bytes = bulk->n_columns * CELL_MAX;
    for (size_t i = 0; i < bulk->n_columns; i++) {
        const struct hr_mysql_column *column = &bulk->columns[i];
        if (has_lengths(column) && !(column->nulls && column->nulls[row]))
            bytes += column->lengths[row];
    }
    return bytes;
}

/* How many of the rows fit in one packet; at least one. */
static size_t rows_that_fit(const struct bulk *bulk, size_t from, size_t rows)
{
    size_t left = bulk->conn->max_packet;
    size_t head = 64 + 2 * bulk->n_columns;
    left = left > head ? left - head : 0;
    for (size_t n = 0; n < rows; n++) {
        size_t bytes = row_bytes(bulk, from + n);
        if (bytes >= left)
            return n ? n : 1;
        left -= bytes;
    }
    return rows;
}

static int bind_column(const struct hr_mysql_column *column, size_t from, MYSQL_BIND *bind)
{
    *bind = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG};
    switch (column->type) {
    case HR_MYSQL_INT:
        bind->buffer = (void *)(column->ints + from);
        break;
    case HR_MYSQL_UINT:
        bind->buffer = (void *)(column->uints + from);
        bind->is_unsigned = 1;
        break;
    case HR_MYSQL_DOUBLE:
        bind->buffer_type = MYSQL_TYPE_DOUBLE;
        bind->buffer = (void *)(column->doubles + from);
        break;
    case HR_MYSQL_TEXT:
    case HR_MYSQL_BYTES:
        bind->buffer_type = column->type == HR_MYSQL_TEXT ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
        bind->buffer = (void *)(column->texts + from);
        bind->length = (unsigned long *)(column->lengths + from);
        break;
    default:
        return hr_fail(-EINVAL, "a bulk column has to have a type");
    }
    if (column->nulls)
        bind->u.indicator = (char *)(column->nulls + from);
    return 0;
}

static int bind_columns(const struct bulk *bulk, struct hr__mysql_stmt *stmt, size_t from,
                        size_t rows)
{
    MYSQL_BIND inline_binds[COLUMNS_INLINE];
    hr_auto(hr_freep) MYSQL_BIND *many = NULL;
    MYSQL_BIND *binds = inline_binds;
    if (mysql_stmt_param_count(stmt->handle) != bulk->n_columns)
        return hr_fail(-EINVAL, "the statement has %lu question marks for %zu columns",
                       mysql_stmt_param_count(stmt->handle), bulk->n_columns);
    if (bulk->n_columns > COLUMNS_INLINE) {
        binds = many = calloc(bulk->n_columns, sizeof(*many));
        if (!many)
            return hr_fail(-ENOMEM, "no memory for %zu columns", bulk->n_columns);
    }
    for (size_t i = 0; i < bulk->n_columns; i++) {
        int r = bind_column(&bulk->columns[i], from, &binds[i]);
        if (r < 0)
            return r;
    }
    unsigned int array = (unsigned)rows;
    mysql_stmt_attr_set(stmt->handle, STMT_ATTR_ARRAY_SIZE, &array);
    if (mysql_stmt_bind_param(stmt->handle, binds))
        return hr__mysql_stmt_error(bulk->conn, stmt->handle);
    return 0;
}

static hr_async int send_arrays(const struct bulk *bulk, size_t from, size_t rows)
{
    for (int tries = 0; tries < 2; tries++) {
        struct hr__mysql_stmt *stmt;
        int r = hr__mysql_stmt_get(bulk->conn, bulk->sql, &stmt);
        if (r < 0)
            return r;
        r = bind_columns(bulk, stmt, from, rows);
        if (r < 0)
            return r;
        r = hr__mysql_stmt_run(bulk->conn, stmt);
        if (r >= 0)
            return hr__mysql_stmt_finish(bulk->conn, stmt);
        if (r != -ESTALE)
            return r;
    }
    return HR_EREPLY; /* the record still tells */
}

static hr_async int send_text(hr_mysql_conn *conn, const char *sql, size_t len)
{
    int r = hr__mysql_text(conn, sql, len);
    if (r < 0)
        return r;
    int affected = hr__mysql_count(mysql_affected_rows(conn->mysql));
    r = hr__mysql_drain(conn);
    return r < 0 ? r : affected;
}

/* "… at row 3", the last words of many errors; 0 when they are not. What stands before may quote a
 * value, which may hold anything, and what a trigger says ends as it likes. */
static size_t row_in_message(unsigned number, const char *message)
{
    static const char words[] = " at row ";
    size_t digits = strlen(message);
    while (digits > 0 && message[digits - 1] >= '0' && message[digits - 1] <= '9')
        digits--;
    size_t before = sizeof(words) - 1;
    if (number == ER_SIGNAL_EXCEPTION || !message[digits] || digits < before ||
        memcmp(message + digits - before, words, before) != 0)
        return 0;
    return strtoul(message + digits, NULL, 10);
}

/* Asks in one round trip. Where there is no ROW_NUMBER the first is refused, and @headrace_row says
 * what it said before, which then is not looked at. */
static hr_async int ask_refused_row(hr_mysql_conn *conn, int *ret)
{
    static const char diagnose[] = "GET DIAGNOSTICS CONDITION 1 @headrace_row = ROW_NUMBER";
    static const char ask[] = "SELECT @headrace_row";
    MYSQL *m = conn->mysql;
    *ret = 0;
    if (!conn->is_mariadb || conn->version < 100700)
        return 0;
    int r = hr__mysql_send_ahead(conn, diagnose);
    if (r < 0)
        return r;
    if (mysql_send_query(m, ask, strlen(ask)))
        return hr__mysql_error(conn);
    conn->ahead = NULL;
    bool known = mysql_read_query_result(m) == 0;
    if (!known) {
        r = hr__mysql_error(conn);
        if (conn->broken)
            return r;
    }
    if (mysql_read_query_result(m))
        return hr__mysql_error(conn);
    MYSQL_RES *rows = mysql_store_result(m);
    MYSQL_ROW row = rows ? mysql_fetch_row(rows) : NULL;
    long number = known && row && row[0] ? strtol(row[0], NULL, 10) : 0;
    if (number > 0 && number <= INT_MAX - (long)conn->refused_base)
        *ret = (int)number;
    mysql_free_result(rows);
    return row ? hr__mysql_drain(conn) : hr__mysql_error(conn);
}

/* Takes back the statements before the one that was refused; the transaction goes on. */
static hr_async int back_to_savepoint(hr_mysql_conn *conn)
{
    int row = 0, r = 0;
    if (conn->refused == REFUSED_ASK) {
        r = ask_refused_row(conn, &row);
        conn->refused = row > 0 ? (int)conn->refused_base + row : REFUSED_NONE;
    }
    return r < 0 ? r : hr__mysql_run(conn, "ROLLBACK TO SAVEPOINT headrace_bulk");
}

/* Notes what can be learned now about the row that was refused behind the first done ones, and
 * undoes those. Returns HR_EREPLY with the record as it was, or why that failed. */
static hr_async int refused(const struct bulk *bulk, size_t done)
{
    hr_mysql_conn *conn = bulk->conn;
    struct hr_error error = {0};
    hr_error_copy(&error, hr_last_error());
    conn->refused_base = done;
    if (!error.sent) { /* it was refused here, as one row that no packet can carry */
        conn->refused = (int)done + 1;
    } else if (conn->has_bulk) {
        conn->refused = REFUSED_ASK;
    } else {
        size_t row = row_in_message(mysql_errno(conn->mysql), mysql_error(conn->mysql));
        conn->refused = row > 0 && row <= bulk->rows - done ? (int)(done + row) : REFUSED_NONE;
    }
    int r = bulk->savepoint && !conn->ended ? back_to_savepoint(conn) : 0;
    if (r >= 0)
        r = hr_error_raise(&error);
    hr_error_done(&error);
    return r;
}

/* In front of the first of several statements. */
static hr_async int set_savepoint(struct bulk *bulk, size_t rows)
{
    if (rows == bulk->rows || bulk->savepoint || !bulk->conn->scope)
        return 0;
    int r = hr__mysql_run(bulk->conn, "SAVEPOINT headrace_bulk");
    if (r >= 0)
        bulk->savepoint = true;
    return r;
}

static hr_async int send_some_as_arrays(struct bulk *bulk, size_t from, size_t rows,
                                        size_t *ret_rows)
{
    *ret_rows = rows_that_fit(bulk, from, rows);
    int r = hr__mysql_check_packet(bulk->conn, row_bytes(bulk, from));
    if (r >= 0)
        r = set_savepoint(bulk, *ret_rows);
    return r < 0 ? r : send_arrays(bulk, from, *ret_rows);
}

static hr_async int send_some_as_text(struct bulk *bulk, size_t from, size_t rows, size_t *ret_rows)
{
    hr_mysql_conn *conn = bulk->conn;
    size_t half = conn->max_packet / 2;
    size_t limit = half < TEXT_STATEMENT_MAX ? half : TEXT_STATEMENT_MAX;
    hr_auto(hr_freep) char *sql = NULL;
    size_t len;
    int r =
        hr__mysql_values_write(conn, &bulk->values, bulk->columns, from, rows, limit, &sql, &len);
    if (r < 0)
        return r;
    *ret_rows = (size_t)r;
    r = hr__mysql_check_packet(conn, len);
    if (r >= 0)
        r = set_savepoint(bulk, *ret_rows);
    return r < 0 ? r : send_text(conn, sql, len);
}

static hr_async int send_all(struct bulk *bulk, size_t from)
{
    uint64_t affected = 0;
    for (size_t done = 0, n = 0; done < bulk->rows; done += n) {
        size_t left = bulk->rows - done;
        int r = bulk->conn->has_bulk ? send_some_as_arrays(bulk, from + done, left, &n)
                                     : send_some_as_text(bulk, from + done, left, &n);
        if (r == HR_EREPLY && !bulk->conn->broken && !bulk->conn->ahead_refused)
            r = refused(bulk, done);
        if (r < 0)
            return r;
        affected += (uint64_t)r;
    }
    return hr__mysql_count(affected);
}

int hr_mysql_bulk(hr_mysql_conn *conn, const char *sql, const struct hr_mysql_column *columns,
                  size_t n_columns, size_t from, size_t rows)
{
    struct bulk bulk = {
        .conn = conn, .sql = sql, .columns = columns, .n_columns = n_columns, .rows = rows};
    if (n_columns == 0 || rows > INT_MAX)
        return hr_fail(-EINVAL, "a bulk of %zu columns and %zu rows", n_columns, rows);
    if (rows == 0)
        return 0;
    if (!conn->has_bulk) {
        int r = hr__mysql_values_parse(sql, n_columns, &bulk.values);
        if (r < 0)
            return r;
    }
    struct hr__mysql_call call;
    int r = hr__mysql_enter(&call, conn, conn->server->query_timeout);
    if (r < 0)
        return r;
    return hr__mysql_leave(&call, send_all(&bulk, from));
}

int hr_mysql_refused_row(hr_mysql_conn *conn)
{
    int known = conn->refused;
    size_t base = conn->refused_base;
    if (known != REFUSED_ASK)
        return known;
    struct hr__mysql_call call;
    int r = hr__mysql_enter(&call, conn, conn->server->query_timeout);
    if (r < 0)
        return r;
    int row = 0;
    r = hr__mysql_leave(&call, ask_refused_row(conn, &row));
    if (r < 0)
        return r;
    return row > 0 ? (int)base + row : 0;
}
