/* SPDX-License-Identifier: MIT */
/*
 * How many rows travel in one statement. More than one is needed only beyond max_allowed_packet.
 *
 * The server takes an array of an INSERT as one statement, and one of an UPDATE or DELETE as many.
 * Of the latter it numbers no rows, and where they return rows the library loses the thread, so
 * those go one by one, as does a DELETE of several tables, of which it takes no array. So that a
 * refused row leaves nothing, a savepoint goes in front wherever there may be several, and outside
 * of a transaction one of our own around them. Going back would wipe the server's diagnostics, so
 * the refused row is asked for before.
 */
#include "drivers/mysql/bulk.h"

#include <string.h>

#include "drivers/missing.h"
#include "drivers/mysql/call.h"
#include "drivers/mysql/columns.h"
#include "drivers/mysql/excerpt.h"
#include "drivers/mysql/reader.h"
#include "drivers/mysql/refused.h"
#include "drivers/mysql/values.h"
#include "drivers/mysql/words.h"

/* Text statements are parsed by the server as a whole; larger ones gain nothing. */
#define TEXT_STATEMENT_MAX ((size_t)1 << 20)

struct bulk {
    hr_mysql_conn *conn;
    const char *sql;
    struct hr__mysql_columns columns;
    size_t rows;
    struct hr__mysql_values values; /* for servers without arrays */
    bool inserts;                   /* an array is one statement */
    bool one_by_one;                /* neither array nor text takes it */
    bool savepoint, transaction;    /* set, begun in front of the first of several statements */
    bool wants_rows;
    hr_mysql_result *returned;
};

/* Takes the rows of a reply of one result or several, after those that are there. */
static hr_async int take_rows(struct bulk *bulk, struct hr__mysql_stmt *stmt)
{
    hr_mysql_conn *conn = bulk->conn;
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    struct hr__mysql_reader reader;
    int r = stmt ? hr__mysql_reader_of_stmt(&reader, conn, stmt, &result)
                 : hr__mysql_reader_of_text(&reader, conn, &result);
    if (r < 0)
        return r;
    if (result->columns > 0 && !bulk->returned)
        bulk->returned = hr_take(result);
    while (bulk->returned && (r = hr__mysql_reader_next(&reader, bulk->returned)) > 0)
        ;
    return hr__mysql_reader_close(&reader, r);
}

static hr_async int finish(struct bulk *bulk, struct hr__mysql_stmt *stmt)
{
    int next = 0;
    while (bulk->wants_rows && next == 0) {
        int r = take_rows(bulk, stmt);
        if (r < 0)
            return r;
        if (!mysql_stmt_more_results(stmt->handle))
            break;
        mysql_stmt_free_result(stmt->handle);
        next = mysql_stmt_next_result(stmt->handle);
        if (next > 0)
            return hr__mysql_stmt_error(bulk->conn, stmt->handle);
    }
    return hr__mysql_stmt_finish(bulk->conn, stmt);
}

static hr_async int send_arrays(struct bulk *bulk, size_t from, size_t rows)
{
    for (int tries = 0; tries < 2; tries++) {
        struct hr__mysql_stmt *stmt;
        int r = hr__mysql_stmt_get(bulk->conn, bulk->sql, &stmt);
        if (r < 0)
            return r;
        r = hr__mysql_columns_bind(&bulk->columns, bulk->conn, stmt, from, rows);
        if (r < 0)
            return r;
        r = hr__mysql_stmt_run(bulk->conn, stmt);
        if (r >= 0)
            return finish(bulk, stmt);
        if (r != -ESTALE)
            return r;
    }
    return HR_EREPLY; /* the record still tells */
}

static hr_async int send_text(struct bulk *bulk, const char *sql, size_t len)
{
    hr_mysql_conn *conn = bulk->conn;
    int r = hr__mysql_text(conn, sql, len);
    if (r < 0)
        return r;
    int affected =
        mysql_field_count(conn->mysql) ? 0 : hr__mysql_count(mysql_affected_rows(conn->mysql));
    r = bulk->wants_rows ? take_rows(bulk, NULL) : 0;
    if (r >= 0)
        r = hr__mysql_drain(conn);
    return r < 0 ? r : affected;
}

/* Takes back the statements before the one that was refused; a transaction of the caller's goes on.
 */
static hr_async int take_back(const struct bulk *bulk)
{
    hr_mysql_conn *conn = bulk->conn;
    int row = 0, r = 0;
    if (conn->refused == REFUSED_ASK) {
        r = hr__mysql_refused_ask(conn, &row);
        conn->refused = row > 0 ? (int)conn->refused_base + row : REFUSED_NONE;
    }
    if (r < 0)
        return r;
    return hr__mysql_run(conn,
                         bulk->transaction ? "ROLLBACK" : "ROLLBACK TO SAVEPOINT headrace_bulk");
}

/* After a failure that the server knows nothing of. */
static hr_async int take_back_quietly(const struct bulk *bulk, int code)
{
    hr_mysql_conn *conn = bulk->conn;
    if (conn->broken || !(bulk->savepoint || bulk->transaction))
        return code;
    struct hr_error error = {0};
    hr_error_copy(&error, hr_last_error());
    if (take_back(bulk) < 0)
        conn->broken = true;
    (void)hr_error_raise(&error);
    hr_error_done(&error);
    return code;
}

/* Notes what can be learned now about the row that was refused behind the first done ones, and
 * undoes those. Returns HR_EREPLY with the record as it was, or why that failed. */
static hr_async int refused(const struct bulk *bulk, size_t done)
{
    hr_mysql_conn *conn = bulk->conn;
    struct hr_error error = {0};
    hr_error_copy(&error, hr_last_error());
    conn->refused_base = done;
    bool refused_here = !error.sent; /* as one row that no packet can carry */
    if (refused_here || bulk->one_by_one) {
        conn->refused = (int)done + 1;
    } else if (conn->has_bulk) {
        conn->refused = bulk->inserts ? REFUSED_ASK : REFUSED_NONE;
    } else {
        size_t row =
            hr__mysql_refused_in_message(mysql_errno(conn->mysql), mysql_error(conn->mysql));
        conn->refused = row > 0 && row <= bulk->rows - done ? (int)(done + row) : REFUSED_NONE;
    }
    bool open = bulk->transaction || (bulk->savepoint && !conn->ended);
    int r = open ? take_back(bulk) : 0;
    if (r >= 0)
        r = hr_error_raise(&error);
    hr_error_done(&error);
    return r;
}

/* In front of the first of several statements. */
static hr_async int keep_whole(struct bulk *bulk, size_t rows)
{
    hr_mysql_conn *conn = bulk->conn;
    if ((rows == bulk->rows && (bulk->inserts || bulk->rows == 1)) || bulk->savepoint ||
        bulk->transaction)
        return 0;
    if (!conn->scope && !(conn->mysql->server_status & SERVER_STATUS_IN_TRANS)) {
        int r = hr__mysql_run(conn, "START TRANSACTION");
        bulk->transaction = r >= 0;
        return r;
    }
    if (!conn->scope) /* one that the caller has begun by a statement of its own */
        conn->ended = false;
    int r = hr__mysql_run(conn, "SAVEPOINT headrace_bulk");
    bulk->savepoint = r >= 0;
    return r;
}

static hr_async int send_some_as_arrays(struct bulk *bulk, size_t from, size_t rows,
                                        size_t *ret_rows)
{
    *ret_rows = hr__mysql_columns_fit(&bulk->columns, bulk->conn->max_packet, from, rows);
    int r = hr__mysql_check_packet(bulk->conn, hr__mysql_columns_bytes(&bulk->columns, from));
    if (r >= 0)
        r = keep_whole(bulk, *ret_rows);
    return r < 0 ? r : send_arrays(bulk, from, *ret_rows);
}

static hr_async int send_some_as_text(struct bulk *bulk, size_t from, size_t rows, size_t *ret_rows)
{
    hr_mysql_conn *conn = bulk->conn;
    size_t half = conn->max_packet / 2;
    size_t limit = half < TEXT_STATEMENT_MAX ? half : TEXT_STATEMENT_MAX;
    hr_auto(hr_freep) char *sql = NULL;
    size_t len;
    int r = hr__mysql_values_write(conn, &bulk->values, bulk->columns.items, from, rows, limit,
                                   &sql, &len);
    if (r < 0)
        return r;
    *ret_rows = (size_t)r;
    r = hr__mysql_check_packet(conn, len);
    if (r >= 0)
        r = keep_whole(bulk, *ret_rows);
    return r < 0 ? r : send_text(bulk, sql, len);
}

/* An UPDATE or DELETE that no array can carry. */
static hr_async int send_row(struct bulk *bulk, size_t row)
{
    hr_auto(hr_freep) struct hr_mysql_arg *args = calloc(bulk->columns.n, sizeof(*args));
    if (!args)
        return hr_fail(-ENOMEM, "no memory for %zu columns", bulk->columns.n);
    for (size_t i = 0; i < bulk->columns.n; i++)
        args[i] = hr__mysql_columns_cell(&bulk->columns.items[i], row);
    int r = keep_whole(bulk, 1);
    if (r < 0)
        return r;
    struct hr__mysql_stmt *stmt;
    r = hr__mysql_stmt_exec(bulk->conn, bulk->sql, (struct hr_mysql_args){args, bulk->columns.n},
                            &stmt);
    return r < 0 ? r : finish(bulk, stmt);
}

static hr_async int send_some(struct bulk *bulk, size_t from, size_t rows, size_t *ret_rows)
{
    if (bulk->one_by_one) {
        *ret_rows = 1;
        return send_row(bulk, from);
    }
    return bulk->conn->has_bulk ? send_some_as_arrays(bulk, from, rows, ret_rows)
                                : send_some_as_text(bulk, from, rows, ret_rows);
}

/* A trigger may say it, too, when rows have been changed already. */
static hr_async int go_one_by_one(struct bulk *bulk)
{
    bulk->one_by_one = true;
    int r = bulk->savepoint || bulk->transaction ? take_back(bulk) : 0;
    bulk->transaction = false;
    return r;
}

static bool takes_no_array(const struct bulk *bulk)
{
    return bulk->conn->has_bulk && !bulk->one_by_one &&
           hr_last_error()->native == ER_UNSUPPORTED_PS;
}

/* The first rows, in another way where the server has refused to take an array of the statement.
 * An INSERT is told what is wrong with it as by those that know no arrays. */
static hr_async int send_first(struct bulk *bulk, size_t from, size_t *ret_rows)
{
    int r = send_some(bulk, from, bulk->rows, ret_rows);
    if (r != HR_EREPLY || bulk->conn->broken || bulk->conn->ahead_refused || !takes_no_array(bulk))
        return r;
    if (bulk->inserts)
        return hr__mysql_values_parse(bulk->sql, bulk->columns.n, &bulk->values) < 0 ? -EINVAL : r;
    r = go_one_by_one(bulk);
    return r < 0 ? r : send_some(bulk, from, bulk->rows, ret_rows);
}

static hr_async int send_all(struct bulk *bulk, size_t from)
{
    uint64_t affected = 0;
    for (size_t done = 0, n = 0; done < bulk->rows; done += n) {
        size_t left = bulk->rows - done;
        int r = done == 0 ? send_first(bulk, from, &n) : send_some(bulk, from + done, left, &n);
        if (r == HR_EREPLY && !bulk->conn->broken && !bulk->conn->ahead_refused)
            return refused(bulk, done);
        if (r < 0)
            return take_back_quietly(bulk, r);
        affected += (uint64_t)r;
    }
    int r = bulk->transaction ? hr__mysql_run(bulk->conn, "COMMIT") : 0;
    return r < 0 ? r : hr__mysql_count(affected);
}

static bool is_at(const char *p, const char *word)
{
    return *p && hr__mysql_is_word(p, hr__mysql_skip_piece(p), word);
}

static const char *next_word(const char *p)
{
    return hr__mysql_skip_space(hr__mysql_skip_piece(p));
}

/* Where the statement says what it does: SET STATEMENT … FOR may stand in front. */
static const char *verb_of(const char *sql)
{
    const char *first = hr__mysql_skip_space(sql), *p = first;
    if (!is_at(p, "set") || !is_at(next_word(p), "statement"))
        return first;
    while (*p && !is_at(p, "for"))
        p = next_word(p);
    return *p ? next_word(p) : first;
}

/* A server that takes arrays takes them of EXPLAIN as well, and answers out of turn. */
static int check_verb(struct bulk *bulk)
{
    const char *verb = verb_of(bulk->sql);
    bulk->inserts = is_at(verb, "insert") || is_at(verb, "replace");
    if (bulk->inserts || is_at(verb, "update") || is_at(verb, "delete"))
        return 0;
    char sql[HR__MYSQL_EXCERPT_MAX];
    hr__mysql_excerpt(bulk->sql, sql);
    return hr_fail(-EINVAL,
                   "mysql %s: a bulk is an INSERT, REPLACE, UPDATE or DELETE; of others have "
                   "hr_mysql_exec() or hr_mysql_query() run one a row: \"%s\"",
                   bulk->conn->host->name, sql);
}

static bool returns_rows(const char *sql)
{
    for (const char *p = sql, *next; *p; p = next) {
        next = hr__mysql_skip_piece(p);
        if (hr__mysql_is_word(p, next, "returning"))
            return true;
    }
    return false;
}

static hr_async int run(struct bulk *bulk, size_t from)
{
    hr_mysql_conn *conn = bulk->conn;
    if (!conn)
        return hr__missing_object("mysql: a connection");
    if (!bulk->sql)
        return hr__mysql_missing(conn, "the statement");
    if (bulk->rows > 0 && hr__mysql_columns_missing(&bulk->columns) < 0)
        return -EINVAL;
    if (bulk->columns.n == 0 || bulk->rows > INT_MAX)
        return hr_fail(-EINVAL, "a bulk of %zu columns and %zu rows", bulk->columns.n, bulk->rows);
    if (bulk->rows == 0)
        return 0;
    int r = check_verb(bulk);
    if (r < 0)
        return r;
    bulk->one_by_one = !bulk->inserts && (!conn->has_bulk || returns_rows(bulk->sql));
    r = hr__mysql_columns_check(&bulk->columns, from, bulk->rows);
    if (r == 0 && !conn->has_bulk && bulk->inserts)
        r = hr__mysql_values_parse(bulk->sql, bulk->columns.n, &bulk->values);
    if (r < 0)
        return r;
    struct hr__mysql_call call;
    r = hr__mysql_enter_statement(&call, conn, bulk->sql, 0);
    return r < 0 ? r : hr__mysql_leave(&call, send_all(bulk, from));
}

int(hr_mysql_bulk)(hr_mysql_conn *conn, const char *sql, const struct hr_mysql_column *columns,
                   size_t n_columns, size_t from, size_t rows)
{
    struct bulk bulk = {
        .conn = conn, .sql = sql, .columns = {columns, n_columns},
                .rows = rows
    };
    return run(&bulk, from);
}

int(hr_mysql_bulk_returning)(hr_mysql_conn *conn, hr_mysql_result **ret, const char *sql,
                             const struct hr_mysql_column *columns, size_t n_columns, size_t from,
                             size_t rows)
{
    struct bulk bulk = {
        .conn = conn,
        .sql = sql,
        .columns = {columns, n_columns},
        .rows = rows,
        .wants_rows = true
    };
    int r = run(&bulk, from);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *returned = bulk.returned;
    if (r >= 0 && !returned)
        r = hr__mysql_result_new(conn->server->max_result, NULL, 0, &returned);
    if (r < 0)
        return r;
    *ret = hr_take(returned);
    return hr__mysql_count((*ret)->rows);
}
