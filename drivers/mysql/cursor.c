/* SPDX-License-Identifier: MIT */
/*
 * How a reply is left half read between calls.
 *
 * A cursor holds its connection (conn->held) from the head of a result to the last thing that the
 * server has to say. Behind the rows of one result the head of the next is read at once: a
 * procedure's last word is a status without rows, and whoever has fetched all rows finds the
 * connection free.
 */
#include "drivers/mysql/cursor.h"

#include <string.h>

#include "drivers/missing.h"
#include "drivers/mysql/cursor_impl.h"
#include "drivers/mysql/reader.h"

#define CLOSE_BYTES ((size_t)1 << 20)
#define CLOSE_TIME  hr_seconds(1)
#define SQL_KEPT    256

enum state { NO_STATEMENT, WITHOUT_ROWS, ROWS, END_OF_ROWS };

/* What the server said of a statement besides rows. */
struct status {
    uint64_t affected, insert_id;
    unsigned warnings;
};

struct hr_mysql_cursor {
    struct hr_list link; /* among those of its connection */
    hr_mysql_conn *conn; /* NULL: given back */
    struct hr__mysql_stmt *stmt;
    char sql[SQL_KEPT]; /* how the statement begins whose rows are left, for messages */
    struct hr__mysql_reader reader;
    hr_mysql_result *row; /* the present result's columns, and the row fetched last */
    enum state state;
    struct status status;
    bool out;
    bool several;    /* there was more than one result */
    bool ahead;      /* the head of the next result was read */
    bool ahead_rows; /* which has rows, or else this status: */
    struct status next;
};

hr_mysql_cursor *hr_mysql_cursor_new(hr_mysql_conn *conn)
{
    if (!conn) {
        (void)hr__missing_object("mysql: a connection");
        return NULL;
    }
    hr_mysql_cursor *cursor = calloc(1, sizeof(*cursor));
    if (!cursor) {
        (void)hr_fail(-ENOMEM, "no memory for a cursor");
        return NULL;
    }
    cursor->conn = conn;
    hr_list_append(&conn->cursors, &cursor->link);
    return cursor;
}

static bool holds(const hr_mysql_cursor *cursor)
{
    return cursor->conn && cursor->conn->held == cursor;
}

/* The rest of the reply, if there is one, is nobody's: the connection goes. */
static void detach(hr_mysql_cursor *cursor)
{
    if (holds(cursor)) {
        cursor->conn->held = NULL;
        cursor->reader.conn = cursor->conn;
        (void)hr__mysql_reader_close(&cursor->reader, HR_ECLOSED);
    }
    cursor->stmt = NULL;
    cursor->conn = NULL;
    hr_list_remove(&cursor->link);
}

void hr__mysql_cursors_detach(hr_mysql_conn *conn)
{
    hr_list_foreach_safe (link, &conn->cursors)
        detach(hr_list_entry(link, hr_mysql_cursor, link));
}

hr_mysql_cursor *hr_mysql_cursor_free(hr_mysql_cursor *cursor)
{
    if (cursor) {
        hr_assert(!holds(cursor) || !cursor->conn->busy); /* another task is in the middle of it */
        detach(cursor);
        hr_mysql_result_free(cursor->row);
        free(cursor);
    }
    return NULL;
}

void hr_mysql_cursor_freep(hr_mysql_cursor **cursor)
{
    *cursor = hr_mysql_cursor_free(*cursor);
}

typedef int enter_fn(struct hr__mysql_call *call, hr_mysql_conn *conn, const char *sql,
                     hr_usec limit);

static int enter_by(enter_fn *enter, struct hr__mysql_call *call, hr_mysql_cursor *cursor,
                    const char *sql, hr_usec limit)
{
    if (!cursor)
        return hr__missing_object("mysql: a cursor");
    hr_mysql_conn *conn = cursor->conn;
    if (!conn)
        return hr_fail(HR_ECLOSED, "mysql: this cursor's connection was given back");
    if (!holds(cursor))
        return enter(call, conn, sql, limit);
    unsigned undo = conn->undo; /* for when no rows are left */
    conn->held = NULL;
    conn->undo = 0;
    int r = enter(call, conn, sql, limit);
    conn->held = cursor;
    conn->undo = undo;
    return r;
}

static int enter(struct hr__mysql_call *call, hr_mysql_cursor *cursor, const char *sql,
                 hr_usec limit)
{
    return enter_by(hr__mysql_enter, call, cursor, sql, limit);
}

/* The reply was read to its end, or can be read no further. */
static hr_async int let_go(hr_mysql_cursor *cursor, int code)
{
    hr_mysql_conn *conn = cursor->conn;
    if (holds(cursor)) {
        conn->held = NULL;
        cursor->reader.conn = conn;
        code = hr__mysql_reader_close(&cursor->reader, code);
    }
    if (code < 0) {
        cursor->state = NO_STATEMENT;
        cursor->ahead = false;
    }
    if (cursor->stmt && cursor->several)
        hr__mysql_stmt_drop(conn, cursor->stmt);
    cursor->stmt = NULL;
    return code;
}

static hr_async int leave(struct hr__mysql_call *call, hr_mysql_cursor *cursor, int code)
{
    if (code < 0)
        code = let_go(cursor, code);
    return hr__mysql_leave(call, code);
}

static bool more_results(const hr_mysql_cursor *cursor)
{
    return cursor->stmt ? mysql_stmt_more_results(cursor->stmt->handle)
                        : mysql_more_results(cursor->conn->mysql);
}

static unsigned field_count(const hr_mysql_cursor *cursor)
{
    return cursor->stmt ? mysql_stmt_field_count(cursor->stmt->handle)
                        : mysql_field_count(cursor->conn->mysql);
}

static struct status read_status(const hr_mysql_cursor *cursor)
{
    MYSQL *m = cursor->conn->mysql;
    return (struct status){
        .affected = mysql_affected_rows(m),
        .insert_id = mysql_insert_id(m),
        .warnings = mysql_warning_count(m),
    };
}

/* Makes the result whose head was read the present one. */
static hr_async int open_result(hr_mysql_cursor *cursor)
{
    hr_mysql_conn *conn = cursor->conn;
    cursor->row = hr_mysql_result_free(cursor->row);
    cursor->out = cursor->stmt && (conn->mysql->server_status & SERVER_PS_OUT_PARAMS);
    conn->held = cursor;
    int r = cursor->stmt
                ? hr__mysql_reader_of_stmt(&cursor->reader, conn, cursor->stmt, &cursor->row)
                : hr__mysql_reader_of_text(&cursor->reader, conn, &cursor->row);
    if (r < 0)
        return r;
    if (cursor->row->columns > 0) {
        cursor->state = ROWS;
        cursor->status = (struct status){0};
        return 0;
    }
    cursor->state = WITHOUT_ROWS;
    cursor->status = read_status(cursor);
    return more_results(cursor) ? 0 : let_go(cursor, 0);
}

/* Reads the head of the next result: 1, or 0 when there is none. */
static hr_async int look_ahead(hr_mysql_cursor *cursor)
{
    hr_mysql_conn *conn = cursor->conn;
    if (!more_results(cursor))
        return let_go(cursor, 0);
    int r = cursor->stmt ? mysql_stmt_next_result(cursor->stmt->handle)
                         : mysql_next_result(conn->mysql);
    if (r) /* -1 stands for failures as well */
        return cursor->stmt ? hr__mysql_stmt_error(conn, cursor->stmt->handle)
                            : hr__mysql_error(conn);
    cursor->several = cursor->ahead = true;
    cursor->ahead_rows = field_count(cursor) > 0;
    if (cursor->ahead_rows)
        return 1;
    cursor->next = read_status(cursor);
    hr__mysql_note(conn);
    r = more_results(cursor) ? 0 : let_go(cursor, 0);
    return r < 0 ? r : 1;
}

static hr_async int end_rows(hr_mysql_cursor *cursor)
{
    hr_mysql_conn *conn = cursor->conn;
    (void)hr__mysql_reader_close(&cursor->reader, 0);
    if (cursor->stmt) {
        mysql_stmt_free_result(cursor->stmt->handle);
        if (conn->wait.failed < 0 || mysql_errno(conn->mysql))
            return hr__mysql_error(conn);
    }
    cursor->state = END_OF_ROWS;
    cursor->status = (struct status){.warnings = mysql_warning_count(conn->mysql)};
    hr__mysql_note(conn);
    int r = look_ahead(cursor);
    return r < 0 ? r : 0;
}

/* Reads a row into result: 1, or 0 and what comes behind the last one is seen to. */
static hr_async int next_row(hr_mysql_cursor *cursor, hr_mysql_result *result)
{
    if (cursor->state == END_OF_ROWS)
        return 0;
    int r = hr__mysql_reader_next(&cursor->reader, result);
    return r == 0 ? end_rows(cursor) : r;
}

/* 1, or 0 when there was no further result. */
static hr_async int go_on(hr_mysql_cursor *cursor)
{
    int r = 1;
    while (cursor->state == ROWS && r > 0) {
        hr__mysql_result_clear(cursor->row);
        r = next_row(cursor, cursor->row);
    }
    if (r >= 0 && holds(cursor) && !cursor->ahead)
        r = look_ahead(cursor);
    if (r < 0 || !cursor->ahead)
        return r < 0 ? r : 0;
    cursor->ahead = false;
    if (cursor->ahead_rows) {
        r = open_result(cursor);
        return r < 0 ? r : 1;
    }
    cursor->row = hr_mysql_result_free(cursor->row);
    cursor->state = WITHOUT_ROWS;
    cursor->status = cursor->next;
    cursor->out = false;
    return 1;
}

/* Reads the rest, up to a bound. */
static hr_async int drop_rest(hr_mysql_cursor *cursor)
{
    size_t read = 0;
    int r = 0;
    while (r >= 0 && holds(cursor)) {
        if (cursor->state != ROWS) {
            r = go_on(cursor);
            continue;
        }
        hr__mysql_result_clear(cursor->row);
        r = next_row(cursor, cursor->row);
        read += cursor->row->used - cursor->row->head + cursor->row->columns;
        if (r > 0 && read > CLOSE_BYTES)
            r = hr_fail(-EMSGSIZE, "mysql %s: more than %zu bytes are left of a result",
                        cursor->conn->host->name, CLOSE_BYTES);
    }
    return r < 0 ? r : 0;
}

/* What is left of the statement before goes; the next one has not been sent till then. */
static hr_async int make_way(struct hr__mysql_call *call, hr_mysql_cursor *cursor)
{
    int r = drop_rest(cursor);
    if (r >= 0) {
        call->conn->wait.heard = false;
        return hr__mysql_go_back(call->conn);
    }
    call->unsent = true;
    if (r != HR_ELOST)
        return r;
    struct hr_error lost = *hr_last_error();
    return hr_fail_native(-ENOTCONN, lost.native, lost.state, NULL, false, "%s", lost.message);
}

static hr_async int execute(struct hr__mysql_call *call, hr_mysql_cursor *cursor,
                            struct hr_mysql_args args)
{
    hr_mysql_conn *conn = cursor->conn;
    const char *sql = call->sql;
    int r = make_way(call, cursor);
    if (r < 0)
        return r;
    cursor->state = NO_STATEMENT;
    cursor->ahead = cursor->several = false;
    if (args.count)
        r = hr__mysql_stmt_exec(conn, sql, args, &cursor->stmt);
    else
        r = hr__mysql_text(conn, sql, strlen(sql));
    if (r >= 0)
        r = open_result(cursor);
    if (holds(cursor))
        (void)memccpy(cursor->sql, sql, '\0', sizeof(cursor->sql) - 1);
    return r < 0 ? r : hr__mysql_count(cursor->status.affected);
}

int(hr_mysql_execute)(hr_mysql_cursor *cursor, const char *sql, struct hr_mysql_args args)
{
    struct hr__mysql_call call;
    int r = enter_by(hr__mysql_enter_statement, &call, cursor, sql, 0);
    return r < 0 ? r : leave(&call, cursor, execute(&call, cursor, args));
}

/* Whether there are rows to fetch, by the last statement that was run. */
static int check_rows(const hr_mysql_cursor *cursor)
{
    if (!cursor)
        return hr__missing_object("mysql: a cursor");
    if (!cursor->conn)
        return hr_fail(HR_ECLOSED, "mysql: this cursor's connection was given back");
    if (cursor->state == NO_STATEMENT)
        return hr_fail(-EINVAL, "fetch: the cursor has run no statement");
    if (cursor->state == WITHOUT_ROWS)
        return hr_fail(-EINVAL, "fetch: the statement gives no rows");
    return 0;
}

int(hr_mysql_fetch_one)(hr_mysql_cursor *cursor, const hr_mysql_result **ret_row)
{
    struct hr__mysql_call call;
    int r = check_rows(cursor);
    if (r < 0 || cursor->state == END_OF_ROWS)
        return r;
    r = enter(&call, cursor, cursor->sql, 0);
    if (r < 0)
        return r;
    hr__mysql_result_clear(cursor->row);
    r = leave(&call, cursor, next_row(cursor, cursor->row));
    if (r > 0)
        *ret_row = cursor->row;
    return r;
}

static hr_async int fetch(hr_mysql_cursor *cursor, size_t n, hr_mysql_result *result)
{
    int r = 1;
    while (r > 0 && result->rows < n)
        r = next_row(cursor, result);
    return r < 0 ? r : hr__mysql_count(result->rows);
}

int(hr_mysql_fetch_many)(hr_mysql_cursor *cursor, size_t n, hr_mysql_result **ret)
{
    struct hr__mysql_call call;
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    int r = check_rows(cursor);
    if (r >= 0)
        r = hr__mysql_result_like(cursor->row, &result);
    if (r >= 0 && cursor->state == ROWS) {
        r = enter(&call, cursor, cursor->sql, 0);
        if (r < 0)
            return r;
        r = leave(&call, cursor, fetch(cursor, n, result));
    }
    if (r >= 0)
        *ret = hr_take(result);
    return r;
}

int(hr_mysql_fetch_all)(hr_mysql_cursor *cursor, hr_mysql_result **ret)
{
    return hr_mysql_fetch_many(cursor, SIZE_MAX, ret);
}

int(hr_mysql_next_result)(hr_mysql_cursor *cursor)
{
    struct hr__mysql_call call;
    int r = enter(&call, cursor, cursor ? cursor->sql : NULL, 0);
    return r < 0 ? r : leave(&call, cursor, go_on(cursor));
}

int(hr_mysql_cursor_close)(hr_mysql_cursor *cursor)
{
    struct hr__mysql_call call;
    int r = 0;
    if (!cursor)
        return hr__missing_object("mysql: a cursor");
    if (holds(cursor)) {
        r = enter(&call, cursor, cursor->sql, CLOSE_TIME);
        if (r < 0)
            return r;
        r = leave(&call, cursor, drop_rest(cursor));
    }
    cursor->state = NO_STATEMENT;
    cursor->ahead = false;
    return r;
}

size_t hr_mysql_cursor_columns(const hr_mysql_cursor *cursor)
{
    return hr_mysql_columns(hr_mysql_cursor_description(cursor));
}

const hr_mysql_result *hr_mysql_cursor_description(const hr_mysql_cursor *cursor)
{
    return cursor ? cursor->row : NULL;
}

uint64_t hr_mysql_cursor_affected(const hr_mysql_cursor *cursor)
{
    return cursor ? cursor->status.affected : 0;
}

uint64_t hr_mysql_cursor_insert_id(const hr_mysql_cursor *cursor)
{
    return cursor ? cursor->status.insert_id : 0;
}

unsigned hr_mysql_cursor_warnings(const hr_mysql_cursor *cursor)
{
    return cursor ? cursor->status.warnings : 0;
}

bool hr_mysql_cursor_is_out(const hr_mysql_cursor *cursor)
{
    return cursor && cursor->out;
}

int(hr_mysql_warnings)(hr_mysql_conn *conn, hr_mysql_result **ret)
{
    return hr_mysql_query(conn, ret, "SHOW WARNINGS", HR_NO_ARGS);
}
