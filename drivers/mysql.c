/* SPDX-License-Identifier: MIT */
/*
 * The pool of connections to one server, loans, and statements on them.
 *
 * A loan has one of two modes. With autocommit on, every statement stands alone. A transaction's
 * session has autocommit off, so that a BEGIN that is refused cannot leave the statements sent
 * behind it to be committed one by one. A connection stays in the mode of its last loan: whoever
 * uses a pool in one way only never pays for the change.
 */
#include "drivers/mysql.h"

#include <stdio.h>
#include <string.h>

#include "drivers/missing.h"
#include "drivers/mysql/call.h"
#include "drivers/mysql/conn.h"
#include "drivers/mysql/cursor_impl.h"
#include "drivers/mysql/kill.h"
#include "drivers/mysql/result.h"
#include "drivers/resolve.h"
#include "drivers/tls_impl.h"

struct hr_mysql_pool {
    struct hr__mysql_server *server;
    hr_pool *pool;
};

hr_mysql_pool *hr_mysql_pool_new(const struct hr_mysql_options *options)
{
    if (!options) {
        (void)hr_fail(-EINVAL, "mysql: the options are missing, and so is the url");
        return NULL;
    }
    hr_auto(hr_mysql_pool_freep) hr_mysql_pool *pool = calloc(1, sizeof(*pool));
    if (!pool) {
        (void)hr_fail(-ENOMEM, "mysql: no memory for a pool");
        return NULL;
    }
    pool->server = hr__mysql_server_new(options);
    if (!pool->server)
        return NULL;

    /* A connection that idles is gone well before the server would close it. */
    hr_usec wait = pool->server->wait_timeout;
    const struct hr_pool_options pool_options = {
        .limit = options->connections ? options->connections : 4,
        .keep = options->keep,
        .idle = wait / 2,
        .max_age = options->max_age > 0 ? options->max_age : hr_seconds(3600),
        .patience = options->patience,
        .ping_after = wait / 4 < hr_seconds(15) ? wait / 4 : hr_seconds(15),
        .opening = 2,
        .backoff = options->reconnect,
    };
    pool->pool = hr_pool_new(&hr__mysql_conn_ops, pool->server, &pool_options);
    if (!pool->pool) {
        (void)hr_fail(-ENOMEM, "mysql: no memory for a pool");
        return NULL;
    }
    return hr_take(pool);
}

int hr_mysql_pool_close(hr_mysql_pool *pool)
{
    if (!pool)
        return hr__missing_object("mysql: a pool");
    int r = hr_pool_close(pool->pool);
    return r < 0 ? r : hr__mysql_kills_end(pool->server);
}

void hr_mysql_pool_terminate(hr_mysql_pool *pool)
{
    if (pool)
        hr_pool_terminate(pool->pool);
}

hr_mysql_pool *hr_mysql_pool_free(hr_mysql_pool *pool)
{
    if (pool) {
        if (pool->pool)
            hr_pool_free(pool->pool);
        hr__mysql_server_unref(pool->server);
        free(pool);
    }
    return NULL;
}

void hr_mysql_pool_freep(hr_mysql_pool **pool)
{
    *pool = hr_mysql_pool_free(*pool);
}

void hr_mysql_pool_get_stats(const hr_mysql_pool *pool, struct hr_pool_stats *ret)
{
    hr_pool_get_stats(pool ? pool->pool : NULL, ret);
}

void hr_mysql_pool_get_counts(const hr_mysql_pool *pool, struct hr_mysql_counts *ret)
{
    *ret = pool ? pool->server->counts : (struct hr_mysql_counts){0};
}

struct hr_mysql_counts *hr__mysql_counts(hr_mysql_pool *pool)
{
    return &pool->server->counts;
}

void hr_mysql_pool_flush(hr_mysql_pool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; i < pool->server->n_hosts; i++) {
        if (pool->server->hosts[i].host)
            hr_resolve_forget(pool->server->hosts[i].host);
    }
    hr_pool_flush(pool->pool);
}

int hr__mysql_borrow(hr_mysql_pool *pool, hr_mysql_conn **ret)
{
    void *lent;
    if (!pool)
        return hr__missing_object("mysql: a pool");
    int r = hr_pool_acquire(pool->pool, &lent);
    if (r < 0)
        return r;
    hr_mysql_conn *conn = lent;
    conn->pool = pool->pool;
    conn->given_back = false;
    conn->scope = false;
    conn->ended = conn->closed_well = conn->to_stand_alone = false;
    conn->ahead_refused = conn->ahead_doubtful = false;
    conn->savepoints = conn->undo = 0;
    *ret = conn;
    return 0;
}

/* The change of mode is sent ahead of the first statement: should it be refused, that statement is
 * not committed either. */
static hr_async int turn_autocommit_on(hr_mysql_conn *conn)
{
    struct hr__mysql_call call;
    static const char sql[] = "SET autocommit = 1";
    int r = hr__mysql_enter(&call, conn, sql, 0);
    return r < 0 ? r : hr__mysql_leave(&call, hr__mysql_send_ahead(conn, sql));
}

int(hr_mysql_acquire)(hr_mysql_pool *pool, hr_mysql_conn **ret)
{
    hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = NULL;
    int r = hr__mysql_borrow(pool, &conn);
    if (r < 0)
        return r;
    if (!(conn->mysql->server_status & SERVER_STATUS_AUTOCOMMIT)) {
        r = turn_autocommit_on(conn);
        if (r < 0)
            return r;
    }
    *ret = hr_take(conn);
    return 0;
}

void hr_mysql_release(hr_mysql_conn *conn)
{
    if (!conn)
        return;
    if (conn->given_back)
        hr_pool_not_lent("hr_mysql_release()");
    hr_assert(!conn->busy); /* another task is in the middle of a call */
    hr__mysql_cursors_detach(conn);
    conn->undo = 0; /* all of it is rolled back */
    enum hr_pool_return state = HR_POOL_CLEAN;
    if (conn->broken)
        state = HR_POOL_BROKEN;
    else if (conn->ahead || conn->ahead_exec || conn->altered || conn->doubtful ||
             (conn->mysql->server_status & SERVER_STATUS_IN_TRANS))
        state = HR_POOL_DIRTY;
    conn->given_back = true;
    hr_pool_release(conn->pool, conn, state);
}

void hr_mysql_releasep(hr_mysql_conn **conn)
{
    hr_mysql_release(*conn);
    *conn = NULL;
}

struct hr_mysql_arg hr_s(const char *text)
{
    if (!text)
        return hr_null();
    return (struct hr_mysql_arg){
        .type = HR_MYSQL_TEXT, .s = {text, strlen(text)}
    };
}

static hr_async int exec_text(hr_mysql_conn *conn, const char *sql)
{
    int r = hr__mysql_text(conn, sql, strlen(sql));
    return r < 0 ? r : hr__mysql_drain_counting(conn);
}

static hr_async int exec_prepared(hr_mysql_conn *conn, const char *sql, struct hr_mysql_args args)
{
    struct hr__mysql_stmt *stmt;
    int r = hr__mysql_stmt_exec(conn, sql, args, &stmt);
    return r < 0 ? r : hr__mysql_stmt_finish(conn, stmt);
}

int(hr_mysql_exec)(hr_mysql_conn *conn, const char *sql, struct hr_mysql_args args)
{
    struct hr__mysql_call call;
    int r = hr__mysql_enter_statement(&call, conn, sql, 0);
    if (r < 0)
        return r;
    r = args.count ? exec_prepared(conn, sql, args) : exec_text(conn, sql);
    return hr__mysql_leave(&call, r);
}

static hr_async int query_text(hr_mysql_conn *conn, const char *sql, hr_mysql_result **ret)
{
    int r = hr__mysql_text(conn, sql, strlen(sql));
    return r < 0 ? r : hr__mysql_result_of_text(conn, ret);
}

static hr_async int query_prepared(hr_mysql_conn *conn, const char *sql, struct hr_mysql_args args,
                                   hr_mysql_result **ret)
{
    struct hr__mysql_stmt *stmt;
    conn->whole = ret;
    int r = hr__mysql_stmt_exec(conn, sql, args, &stmt);
    conn->whole = NULL;
    if (r < 0)
        return r;
    return *ret ? hr__mysql_count((*ret)->rows) : hr__mysql_result_of_stmt(conn, stmt, ret);
}

int(hr_mysql_query)(hr_mysql_conn *conn, hr_mysql_result **ret, const char *sql,
                    struct hr_mysql_args args)
{
    struct hr__mysql_call call;
    int r = hr__mysql_enter_statement(&call, conn, sql, 0);
    if (r < 0)
        return r;
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    r = args.count ? query_prepared(conn, sql, args, &result) : query_text(conn, sql, &result);
    r = hr__mysql_leave(&call, r);
    if (r >= 0)
        *ret = hr_take(result);
    return r;
}

bool hr_mysql_is_mariadb(const hr_mysql_conn *conn)
{
    return conn && conn->is_mariadb;
}

bool hr_mysql_has_bulk(const hr_mysql_conn *conn)
{
    return conn && conn->has_bulk;
}

bool hr_mysql_in_transaction(const hr_mysql_conn *conn)
{
    if (!conn || conn->broken)
        return false;
    return conn->scope ? !conn->ended : (conn->mysql->server_status & SERVER_STATUS_IN_TRANS) != 0;
}

const char *hr_mysql_host(const hr_mysql_conn *conn)
{
    return conn ? conn->host->name : "";
}

bool hr_mysql_is_read_only(const hr_mysql_conn *conn)
{
    return conn && conn->read_only;
}

unsigned hr_mysql_version(const hr_mysql_conn *conn)
{
    return conn ? conn->version : 0;
}

uint64_t hr_mysql_last_insert_id(const hr_mysql_conn *conn)
{
    return conn ? conn->insert_id : 0;
}

size_t hr_mysql_max_packet(const hr_mysql_conn *conn)
{
    return conn ? conn->max_packet : 0;
}
