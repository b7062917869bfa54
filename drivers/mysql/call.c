/* SPDX-License-Identifier: MIT */
/*
 * How a call fails, decided in one place.
 *
 * A wait that was cancelled makes the library return some error of its own (2013, 2006, 2026), or
 * none where it tidies up; so the wait record, not the library's number, decides there. Whether the
 * limit of the call or somebody else cancelled it is for hr_timeout_leave() to tell.
 */
#include "drivers/mysql/call.h"

#include <stdio.h>
#include <string.h>

#include "drivers/missing.h"
#include "drivers/mysql/excerpt.h"
#include "drivers/mysql/kill.h"
#include "drivers/mysql/words.h"

/* Where the two servers' lists differ. */
#define ER_MARIADB_CONNECTION_KILLED 1927
#define ER_MYSQL_SESSION_KILLED      3169
#define ER_MYSQL_IDLE_DISCONNECTED   4031
#define ER_RUNNING_WITH_REPLICATION  3100

enum verdict {
    SAID_NO,      /* the server's answer; the connection lives */
    SAID_GOODBYE, /* the server's answer; the connection does not */
    LOST,
    NO_MEMORY,
    TOO_LARGE,
    OUT_OF_STEP, /* what came does not fit the protocol, or the library lost count */
};

static enum verdict judge(unsigned number)
{
    switch (number) {
    case ER_SERVER_SHUTDOWN:
    case ER_NORMAL_SHUTDOWN:
    case ER_FORCING_CLOSE:
    case ER_ABORTING_CONNECTION:
    case ER_NET_READ_ERROR:
    case ER_NET_READ_INTERRUPTED:
    case ER_NET_ERROR_ON_WRITE:
    case ER_NET_WRITE_INTERRUPTED:
    case ER_NEW_ABORTING_CONNECTION:
    case ER_MARIADB_CONNECTION_KILLED:
    case ER_MYSQL_SESSION_KILLED:
    case ER_MYSQL_IDLE_DISCONNECTED:
        return LOST;
    case ER_NET_PACKET_TOO_LARGE:
    case CR_AUTH_PLUGIN_CANNOT_LOAD:
    case CR_AUTH_PLUGIN_ERR:
    case CR_PLUGIN_NOT_ALLOWED:
        return SAID_GOODBYE;
    case CR_OUT_OF_MEMORY:
        return NO_MEMORY;
    case CR_NET_PACKET_TOO_LARGE:
        return TOO_LARGE;
    case CR_COMMANDS_OUT_OF_SYNC:
    case CR_MALFORMED_PACKET:
    case CR_UNKNOWN_ERROR: /* what 3.4 says of fields that are longer than their packet */
    case CR_NEW_STMT_METADATA:
    case 0:
        return OUT_OF_STEP;
    }
    bool by_library = (number >= 2000 && number < 3000) || (number >= 5000 && number < 6000);
    return by_library ? LOST : SAID_NO;
}

/* Refusals after which nothing is left of the transaction. Error packets do not say so, and with
 * autocommit off the next statement opens another one, which would pass for the first. */
static bool ends_transaction(const hr_mysql_conn *conn, unsigned number)
{
    return number == ER_LOCK_DEADLOCK || number == ER_LOCK_TABLE_FULL || number == ER_CHECKREAD ||
           (number == ER_LOCK_WAIT_TIMEOUT && conn->timeout_ends);
}

/* With autocommit off, what was refused may have begun a transaction, which holds its locks
 * although it has changed nothing. */
static void note_refusal(hr_mysql_conn *conn, unsigned number)
{
    MYSQL *m = conn->mysql;
    if (ends_transaction(conn, number))
        conn->ended = true;
    if (number == ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION) /* perhaps the session's, by now */
        conn->altered = true;
    if (!(m->server_status & SERVER_STATUS_AUTOCOMMIT))
        m->server_status |= SERVER_STATUS_IN_TRANS;
}

/* What a server says that takes no writes (any more). 1290 is said of other options, too, and 1792
 * of the transaction: it is the server's doing only where it has sessions begin like that. */
static bool is_read_only(const hr_mysql_conn *conn, unsigned number, const char *text)
{
    switch (number) {
    case ER_READ_ONLY_MODE:
    case ER_RUNNING_WITH_REPLICATION:
        return true;
    case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION:
        return conn->begins_read_only;
    case ER_OPTION_PREVENTS_STATEMENT:
        return strstr(text, "read-only") || strstr(text, "read_only");
    }
    return false;
}

/* The roles have changed: nobody is to be lent a connection to it. */
static void leave_host(hr_mysql_conn *conn)
{
    if (conn->server->url.role == HR_URL_ANY || !conn->pool)
        return;
    hr__mysql_host_avoid(conn->host);
    hr_pool_flush(conn->pool);
}

/* What to do about a refusal that is about the server's limits, not about what was asked. */
static const char *advice(unsigned number)
{
    switch (number) {
    case ER_CON_COUNT_ERROR:
        return ": its max_connections are all in use; have pools open fewer (connections), or "
               "raise it";
    case ER_MAX_PREPARED_STMT_COUNT_REACHED:
        return ": all clients' together are too many; have pools keep fewer (statements), or "
               "raise it";
    }
    return "";
}

static int fail(hr_mysql_conn *conn, unsigned number, const char *state, const char *text)
{
    bool sent = conn->wait.heard;
    if (conn->wait.failed == -ECANCELED) {
        conn->broken = true;
        return -ECANCELED;
    }
    switch (judge(number)) {
    case SAID_GOODBYE:
        conn->broken = true;
        __attribute__((fallthrough));
    case SAID_NO:
        note_refusal(conn, number);
        if (is_read_only(conn, number, text))
            leave_host(conn);
        return hr_fail_native(HR_EREPLY, (int)number, state, NULL, sent, "%s%s", text,
                              advice(number));
    case NO_MEMORY:
        conn->broken = true;
        return hr_fail_native(-ENOMEM, (int)number, state, NULL, sent, "%s", text);
    case TOO_LARGE:
        conn->broken = true;
        return hr_fail_native(-EMSGSIZE, (int)number, state, NULL, sent, "mysql %s: %s",
                              conn->host->name, text);
    case OUT_OF_STEP:
        conn->broken = true;
        return hr_fail_native(-EPROTO, (int)number, state, NULL, sent, "mysql %s: %s",
                              conn->host->name, text);
    case LOST:
        break;
    }
    conn->broken = true;
    return hr_fail_native(sent ? HR_ELOST : -ENOTCONN, (int)number, state, NULL, sent,
                          "mysql %s: %s", conn->host->name, text);
}

int(hr__mysql_error)(hr_mysql_conn *conn)
{
    MYSQL *m = conn->mysql;
    return fail(conn, mysql_errno(m), mysql_sqlstate(m), mysql_error(m));
}

int(hr__mysql_stmt_error)(hr_mysql_conn *conn, MYSQL_STMT *stmt)
{
    if (!mysql_stmt_errno(stmt))
        return hr__mysql_error(conn);
    return fail(conn, mysql_stmt_errno(stmt), mysql_stmt_sqlstate(stmt), mysql_stmt_error(stmt));
}

int hr__mysql_check_packet(const hr_mysql_conn *conn, size_t bytes)
{
    if (bytes < conn->max_packet)
        return 0;
    return hr_fail_native(HR_EREPLY, ER_NET_PACKET_TOO_LARGE, "08S01", NULL, false,
                          "a statement of %zu bytes; the server's max_allowed_packet is %zu", bytes,
                          conn->max_packet);
}

int hr__mysql_go_back(hr_mysql_conn *conn)
{
    char sql[64];
    unsigned depth = conn->ended ? 0 : conn->undo;
    conn->undo = 0;
    if (depth == 0)
        return 0;
    snprintf(sql, sizeof(sql), "ROLLBACK TO SAVEPOINT " HR__MYSQL_SAVEPOINT, depth);
    int r = hr__mysql_run(conn, sql);
    if (r < 0)
        conn->broken = true;
    conn->wait.heard = false;
    return r;
}

int hr__mysql_missing(const hr_mysql_conn *conn, const char *what)
{
    return hr_fail(-EINVAL, "mysql %s: %s is missing: NULL", conn->host->name, what);
}

int hr__mysql_enter(struct hr__mysql_call *call, hr_mysql_conn *conn, const char *sql,
                    hr_usec limit)
{
    if (hr_unlikely(!conn))
        return hr__missing_object("mysql: a connection");
    if (hr_unlikely(!sql))
        return hr__mysql_missing(conn, "the statement");
    if (hr_unlikely(conn->given_back))
        return hr_fail(HR_ECLOSED, "mysql %s: this connection was given back", conn->host->name);
    if (conn->broken)
        return hr_fail(-ENOTCONN, "mysql %s: this connection was lost before", conn->host->name);
    if (conn->busy)
        return hr_fail(-EBUSY, "mysql %s: another task is using this connection", conn->host->name);
    if (conn->held)
        return hr_fail(-EBUSY, "mysql %s: a cursor has rows of this connection left to fetch",
                       conn->host->name);
    int r = conn->pool ? hr_pool_check_loop(conn->pool) : 0; /* one that is opened has none yet */
    if (r < 0)
        return r;
    *call = (struct hr__mysql_call){.conn = conn, .sql = sql};
    r = hr_timeout_enter(&call->limit, limit > 0 ? limit : conn->server->query_timeout);
    if (r < 0)
        return r;
    conn->busy = true;
    conn->refused = REFUSED_NONE;
    conn->wait.heard = false;
    r = hr__mysql_go_back(conn);
    return r < 0 ? hr__mysql_leave(call, r) : 0;
}

int hr__mysql_enter_statement(struct hr__mysql_call *call, hr_mysql_conn *conn, const char *sql,
                              hr_usec limit)
{
    int r = hr__mysql_enter(call, conn, sql, limit);
    if (hr_likely(r < 0 || !conn->to_stand_alone))
        return r;
    conn->to_stand_alone = conn->scope = false;
    if (!(conn->mysql->server_status & SERVER_STATUS_AUTOCOMMIT))
        r = hr__mysql_send_ahead(conn, "SET autocommit = 1");
    return r < 0 ? hr__mysql_leave(call, r) : r;
}

/* The record of a call that its limit or a cancel has cut: how long it had, and what was asked,
 * which comes last, as a long record is cut at its end. */
static int cut_short(const struct hr__mysql_call *call, int code)
{
    const hr_mysql_conn *conn = call->conn;
    bool sent = conn->wait.heard && !call->unsent;
    char sql[HR__MYSQL_EXCERPT_MAX], limit[32] = "none";
    hr__mysql_excerpt(call->sql, sql);
    if (call->limit.limit < HR_FOREVER)
        snprintf(limit, sizeof(limit), "%.10g ms", (double)call->limit.limit / 1000);
    const char *name = conn->host->name, *to = sent ? " to " : ": ";
    if (code == -ETIMEDOUT)
        return hr_fail_native(code, 0, NULL, NULL, sent, "mysql %s: %s within %s%s\"%s\"", name,
                              sent ? "no answer" : "could not be sent", limit, to, sql);
    return hr_fail_native(code, 0, NULL, NULL, sent,
                          "mysql %s: cancelled before %s (limit: %s)%s\"%s\"", name,
                          sent ? "the answer" : "it was sent", limit, to, sql);
}

bool hr__mysql_may_leave_open(const hr_mysql_conn *conn, const char *sql)
{
    static const char *const simple[] = {"select", "insert", "update", "delete", "replace", "load"};
    const char *verb = hr__mysql_skip_space(sql), *end = *verb ? hr__mysql_skip_piece(verb) : verb;
    for (size_t i = 0; i < HR_ARRAY_LEN(simple); i++) {
        if (hr__mysql_is_word(verb, end, simple[i]))
            return conn->server->multi_statements;
    }
    return true;
}

/* In a scope the next statement would begin another transaction, which passes for the first. */
static hr_async int settle_doubt(hr_mysql_conn *conn, int code)
{
    conn->doubtful = true;
    if (code != HR_EREPLY || conn->broken || !conn->scope || conn->ended)
        return code;
    hr_auto(hr_error_done) struct hr_error refusal = {0};
    hr_error_copy(&refusal, hr_last_error());
    int r = hr__mysql_run(conn, "DO 0");
    return r < 0 ? r : hr_error_raise(&refusal);
}

int hr__mysql_leave(struct hr__mysql_call *call, int code)
{
    hr_mysql_conn *conn = call->conn;
    if (hr_unlikely(code < 0) && (hr__mysql_may_leave_open(conn, call->sql) ||
                                  (conn->ahead_refused && conn->ahead_doubtful)))
        code = settle_doubt(conn, code);
    conn->busy = false;
    if (conn->wait.failed == 0)
        return hr_timeout_leave(&call->limit, code);

    conn->broken = true;
    if (conn->wait.failed != -ECANCELED) {
        if (code >= 0)
            code = fail(conn, CR_SERVER_LOST, "HY000", hr_error_text(conn->wait.failed));
        return hr_timeout_leave(&call->limit, code);
    }
    code = hr_timeout_leave(&call->limit, -ECANCELED);
    if (conn->wait.heard && conn->server->kill_query && conn->pool) /* a killer's is in none */
        hr__mysql_kill(conn);
    return cut_short(call, code);
}

void hr__mysql_note(hr_mysql_conn *conn)
{
    conn->doubtful = false;
    if (!(conn->mysql->server_status & SERVER_STATUS_IN_TRANS))
        conn->ended = true;
}

int hr__mysql_count(uint64_t n)
{
    if (n == UINT64_MAX)
        return 0;
    return n > INT_MAX ? INT_MAX : (int)n;
}

int hr__mysql_send_ahead(hr_mysql_conn *conn, const char *sql)
{
    hr_assert(!conn->ahead);
    if (mysql_send_query(conn->mysql, sql, strlen(sql)))
        return hr__mysql_error(conn);
    conn->ahead = sql;
    return 0;
}

static hr_async int settle_first(hr_mysql_conn *conn, bool sent)
{
    if (!conn->ahead)
        return 0;
    bool failed = mysql_read_query_result(conn->mysql);
    conn->wait.heard = sent;
    if (failed) {
        int r = hr__mysql_error(conn);
        conn->broken = true;
        return r;
    }
    conn->ahead = NULL;
    hr__mysql_note(conn);
    return 0;
}

int hr__mysql_settle(hr_mysql_conn *conn, bool sent)
{
    int r = settle_first(conn, sent);
    if (r < 0 || !conn->ahead_exec)
        return r;
    bool failed = mysql_read_query_result(conn->mysql);
    conn->wait.heard = sent;
    conn->ahead_exec = false;
    if (failed) {
        conn->ahead_refused = true;
        return hr__mysql_error(conn);
    }
    hr__mysql_note(conn);
    return 0;
}

int hr__mysql_text(hr_mysql_conn *conn, const char *sql, size_t len)
{
    int r = hr__mysql_check_packet(conn, len);
    if (r >= 0 && conn->ahead_exec)
        r = hr__mysql_settle(conn, false);
    if (r < 0)
        return r;
    if (mysql_send_query(conn->mysql, sql, len))
        return hr__mysql_error(conn);
    r = hr__mysql_settle(conn, true);
    if (r < 0)
        return r;
    if (mysql_read_query_result(conn->mysql))
        return hr__mysql_error(conn);
    conn->insert_id = mysql_insert_id(conn->mysql);
    if (mysql_field_count(conn->mysql) == 0)
        hr__mysql_note(conn);
    return 0;
}

int hr__mysql_drain_counting(hr_mysql_conn *conn)
{
    MYSQL *m = conn->mysql;
    int affected = 0;
    for (bool counted = false;;) {
        if (m->status == MYSQL_STATUS_GET_RESULT) {
            MYSQL_RES *rows = mysql_use_result(m);
            if (!rows)
                return hr__mysql_error(conn);
            mysql_free_result(rows); /* reads what the server still sends */
            if (mysql_errno(m))
                return hr__mysql_error(conn);
        } else if (!counted) {
            affected = hr__mysql_count(mysql_affected_rows(m));
            counted = true;
        }
        hr__mysql_note(conn);
        if (!mysql_more_results(m))
            return affected;
        if (mysql_next_result(m)) /* -1 stands for failures as well */
            return hr__mysql_error(conn);
    }
}

int hr__mysql_drain(hr_mysql_conn *conn)
{
    int r = hr__mysql_drain_counting(conn);
    return r < 0 ? r : 0;
}

int hr__mysql_run(hr_mysql_conn *conn, const char *sql)
{
    int r = hr__mysql_text(conn, sql, strlen(sql));
    return r < 0 ? r : hr__mysql_drain(conn);
}
