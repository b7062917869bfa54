/* SPDX-License-Identifier: MIT */
/*
 * How prepared statements are kept and run.
 *
 * A list in order of use serves as the cache: a program has a handful of statements, and the one it
 * repeats stands in front. A broken connection's handles are left alone until it is closed, as
 * libmariadb would try to read the rest of a reply that never comes.
 */
#include "drivers/mysql/stmt.h"

#include <math.h>
#include <string.h>

#include "drivers/mysql/call.h"
#include "drivers/mysql/innards.h"
#include "drivers/mysql/named.h"
#include "drivers/mysql/row.h"
#include "drivers/mysql/whole.h"

void hr__mysql_stmts_init(struct hr__mysql_stmts *stmts)
{
    hr_list_init(&stmts->used);
    stmts->count = 0;
}

static void stmt_free(struct hr__mysql_stmt *stmt)
{
    if (stmt->handle)
        mysql_stmt_close(stmt->handle);
    hr_mysql_result_free(stmt->shape);
    free(stmt->binds);
    free(stmt);
}

void hr__mysql_stmts_done(struct hr__mysql_stmts *stmts)
{
    struct hr_list *link;
    while ((link = hr_list_pop(&stmts->used)))
        stmt_free(hr_list_entry(link, struct hr__mysql_stmt, link));
    stmts->count = 0;
}

/* FNV-1a (Fowler, Noll, Vo, 1991). */
static uint64_t hash_text(const char *text, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
    return hash;
}

static bool is_of(const struct hr__mysql_stmt *stmt, const char *sql, size_t len)
{
    return stmt->len == len && memcmp(stmt->sql, sql, len) == 0;
}

static struct hr__mysql_stmt *find(struct hr__mysql_stmts *stmts, const char *sql, size_t len)
{
    uint64_t hash = 0;
    hr_list_foreach (link, &stmts->used) {
        struct hr__mysql_stmt *stmt = hr_list_entry(link, struct hr__mysql_stmt, link);
        bool latest = link == stmts->used.next;
        if (!latest && hash == 0)
            hash = hash_text(sql, len);
        if ((latest || stmt->hash == hash) && is_of(stmt, sql, len))
            return stmt;
    }
    return NULL;
}

/* The server says nothing in return; a socket that fails now fails the next request as well. */
void hr__mysql_stmt_drop(hr_mysql_conn *conn, struct hr__mysql_stmt *stmt)
{
    if (conn->broken)
        return;
    hr_list_remove(&stmt->link);
    conn->stmts.count--;
    stmt_free(stmt);
}

static struct hr__mysql_stmt *make(hr_mysql_conn *conn, const char *sql, size_t len)
{
    struct hr__mysql_stmt *stmt = calloc(1, sizeof(*stmt) + len + 1);
    if (!stmt)
        return NULL;
    stmt->handle = mysql_stmt_init(conn->mysql);
    if (!stmt->handle) {
        free(stmt);
        return NULL;
    }
    stmt->hash = hash_text(sql, len);
    stmt->len = len;
    memcpy(stmt->sql, sql, len + 1);
    hr_list_prepend(&conn->stmts.used, &stmt->link);
    conn->stmts.count++;
    return stmt;
}

int hr__mysql_stmt_prepare(hr_mysql_conn *conn, const char *sql, struct hr__mysql_stmt **ret)
{
    size_t len = strlen(sql);
    int r = hr__mysql_check_packet(conn, len);
    if (r >= 0) /* libmariadb takes the next reply it sees for its own */
        r = hr__mysql_settle(conn, false);
    if (r < 0)
        return r;
    unsigned most = conn->server->statements ? conn->server->statements : HR__MYSQL_STMTS;
    while (conn->stmts.count >= most) {
        struct hr_list *oldest = conn->stmts.used.prev;
        hr__mysql_stmt_drop(conn, hr_list_entry(oldest, struct hr__mysql_stmt, link));
    }
    struct hr__mysql_stmt *stmt = make(conn, sql, len);
    if (!stmt)
        return hr_fail(-ENOMEM, "mysql %s: no memory for a statement", conn->host->name);
    if (mysql_stmt_prepare(stmt->handle, sql, len)) {
        /* Preparing does nothing, so a lost connection leaves no doubt. */
        conn->wait.heard = false;
        r = hr__mysql_stmt_error(conn, stmt->handle);
        hr__mysql_stmt_drop(conn, stmt);
        return r;
    }
    conn->wait.heard = false;
    conn->server->counts.prepared++;
    *ret = stmt;
    return 0;
}

int hr__mysql_stmt_get(hr_mysql_conn *conn, const char *sql, struct hr__mysql_stmt **ret)
{
    struct hr__mysql_stmt *stmt = find(&conn->stmts, sql, strlen(sql));
    if (stmt && !hr__mysql_is_orphaned(stmt->handle)) {
        hr_list_remove(&stmt->link);
        hr_list_prepend(&conn->stmts.used, &stmt->link);
        conn->server->counts.reused++;
        *ret = stmt;
        return 0;
    }
    if (stmt) /* the session was reset, and the library has let go of its handles */
        hr__mysql_stmt_drop(conn, stmt);
    return hr__mysql_stmt_prepare(conn, sql, ret);
}

/* Called by libmariadb, on the task that executes a statement, where the reply to it is next: those
 * of the statements before it come first. */
static int read_stmt_result(MYSQL *m)
{
    hr_mysql_conn *conn = hr_container_of(m->methods, hr_mysql_conn, methods);
    conn->ahead_error = hr__mysql_settle(conn, true);
    if (conn->broken)
        return 1;
    if (conn->whole && hr__mysql_read_whole(conn, conn->running, conn->whole))
        return 0;
    /* What the library reads may tell it of other columns, of which the server says no more. */
    conn->running->shape = hr_mysql_result_free(conn->running->shape);
    int failed = conn->read_stmt_result(m);
    if (!failed)
        hr__mysql_take_columns(m, conn->running->handle);
    return failed;
}

void hr__mysql_stmts_attach(hr_mysql_conn *conn)
{
    conn->methods = *conn->mysql->methods;
    conn->read_stmt_result = conn->methods.db_read_stmt_result;
    conn->methods.db_read_stmt_result = read_stmt_result;
    conn->mysql->methods = &conn->methods;
}

/* What was refused ahead of a statement decides, whatever the server has made of that; its reply is
 * read all the same, so that nothing of it stays behind. */
static hr_async int drop_reply(hr_mysql_conn *conn, struct hr__mysql_stmt *stmt, bool failed)
{
    hr_auto(hr_error_done) struct hr_error refusal = {0};
    hr_error_copy(&refusal, hr_last_error());
    int r = 0;
    if (failed)
        r = hr__mysql_stmt_error(conn, stmt->handle);
    else if (!conn->whole || !*conn->whole)
        r = hr__mysql_stmt_finish(conn, stmt);
    return conn->broken ? r : hr_error_raise(&refusal);
}

int hr__mysql_stmt_run(hr_mysql_conn *conn, struct hr__mysql_stmt *stmt)
{
    conn->wait.heard = false;
    conn->ahead_error = 0;
    conn->running = stmt;
    bool failed = mysql_stmt_execute(stmt->handle);
    if (conn->ahead_error < 0)
        return drop_reply(conn, stmt, failed);
    if (failed) {
        unsigned number = mysql_stmt_errno(stmt->handle);
        int r = hr__mysql_stmt_error(conn, stmt->handle);
        if (number == ER_UNKNOWN_STMT_HANDLER || number == ER_NEED_REPREPARE) {
            hr__mysql_stmt_drop(conn, stmt);
            return conn->broken ? r : -ESTALE;
        }
        return r;
    }
    conn->insert_id = mysql_stmt_insert_id(stmt->handle);
    if (mysql_stmt_field_count(stmt->handle) == 0)
        hr__mysql_note(conn);
    return 0;
}

int hr__mysql_stmt_finish(hr_mysql_conn *conn, struct hr__mysql_stmt *stmt)
{
    MYSQL_STMT *handle = stmt->handle;
    bool several = false;
    int affected = 0;
    for (;;) {
        if (mysql_stmt_field_count(handle) > 0) {
            mysql_stmt_free_result(handle);
            if (conn->wait.failed < 0 || mysql_errno(conn->mysql))
                return hr__mysql_error(conn);
        } else {
            affected = hr__mysql_count(mysql_stmt_affected_rows(handle));
        }
        hr__mysql_note(conn);
        int r = mysql_stmt_next_result(handle);
        if (r > 0)
            return hr__mysql_stmt_error(conn, handle);
        if (r < 0)
            break;
        several = true;
    }
    /* A procedure's handle has been through several shapes; it is not worth trusting again. */
    if (several)
        hr__mysql_stmt_drop(conn, stmt);
    return affected;
}

static void bind_arg(MYSQL_BIND *bind, const struct hr_mysql_arg *arg)
{
    *bind = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_NULL};
    switch (arg->type) {
    case HR_MYSQL_NULL:
        return;
    case HR_MYSQL_INT:
    case HR_MYSQL_UINT:
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = (void *)&arg->i;
        bind->is_unsigned = arg->type == HR_MYSQL_UINT;
        return;
    case HR_MYSQL_DOUBLE:
        bind->buffer_type = MYSQL_TYPE_DOUBLE;
        bind->buffer = (void *)&arg->d;
        return;
    case HR_MYSQL_TEXT:
    case HR_MYSQL_BYTES:
        bind->buffer_type = arg->type == HR_MYSQL_TEXT ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
        /* The library takes no buffer for NULL, so an empty value needs one too. */
        bind->buffer = (void *)(arg->s.data ? arg->s.data : "");
        bind->buffer_length = arg->s.len;
        return;
    }
}

static int bind_args(hr_mysql_conn *conn, struct hr__mysql_stmt *stmt, struct hr_mysql_args args)
{
    if (mysql_stmt_param_count(stmt->handle) != args.count)
        return hr_fail(-EINVAL, "the statement has %lu question marks, and %zu values are given",
                       mysql_stmt_param_count(stmt->handle), args.count);
    if (!stmt->binds)
        stmt->binds = calloc(args.count, sizeof(*stmt->binds));
    if (!stmt->binds)
        return hr_fail(-ENOMEM, "no memory for %zu values", args.count);
    size_t bytes = 0;
    for (size_t i = 0; i < args.count; i++) {
        if (args.items[i].type == HR_MYSQL_DOUBLE && !isfinite(args.items[i].d))
            return hr_fail(-EINVAL, "value %zu is %g, and no column holds that", i + 1,
                           args.items[i].d);
        bind_arg(&stmt->binds[i], &args.items[i]);
        bytes += 12 + stmt->binds[i].buffer_length;
    }
    int r = hr__mysql_check_packet(conn, bytes);
    if (r < 0)
        return r;
    const unsigned int single = 0;
    if (hr__mysql_takes_arrays(stmt->handle))
        mysql_stmt_attr_set(stmt->handle, STMT_ATTR_ARRAY_SIZE, &single);
    if (mysql_stmt_bind_param(stmt->handle, stmt->binds))
        return hr__mysql_stmt_error(conn, stmt->handle);
    return 0;
}

static hr_async int exec_in_order(hr_mysql_conn *conn, const char *sql, struct hr_mysql_args args,
                                  struct hr__mysql_stmt **ret)
{
    int r = -ESTALE;
    for (int tries = 0; r == -ESTALE && tries < 2; tries++) {
        r = hr__mysql_stmt_get(conn, sql, ret);
        if (r < 0)
            return r;
        r = bind_args(conn, *ret, args);
        if (r < 0)
            return r;
        r = hr__mysql_stmt_run(conn, *ret);
    }
    return r == -ESTALE ? HR_EREPLY : r; /* the record still tells */
}

int hr__mysql_stmt_exec(hr_mysql_conn *conn, const char *sql, struct hr_mysql_args args,
                        struct hr__mysql_stmt **ret)
{
    if (!hr__mysql_is_named(args))
        return exec_in_order(conn, sql, args, ret);
    hr_auto(hr_freep) char *rewritten = NULL;
    struct hr_mysql_args in_order;
    int r = hr__mysql_named(sql, args, &rewritten, &in_order);
    if (r < 0)
        return r;
    r = exec_in_order(conn, rewritten, in_order, ret);
    free((void *)in_order.items);
    return r;
}
