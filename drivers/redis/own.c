/* SPDX-License-Identifier: MIT */
/*
 * Connections of one's own, lent by the pool: for commands that block, and for state that must not
 * be shared (WATCH, MULTI).
 *
 * Who leaves a blocked command has CLIENT UNBLOCK sent on the shared connection and waits for the
 * one reply that is due: nil when the command was taken off, or the element that came first. To
 * close the connection instead would lose that element: Redis serves it before it sees the close.
 * Where the server cannot be told, only the sending half is closed: it drops the blocked client,
 * and what it served before still arrives.
 */
#include "drivers/redis/own.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "core/timeout.h"
#include "drivers/missing.h"
#include "drivers/redis/greet.h"
#include "drivers/redis/manners.h"

static int open_own(void *driver, void **ret)
{
    struct hr_redis *redis = driver;
    struct hr_redis_conn *own = calloc(1, sizeof(*own));
    if (!own)
        return hr_fail(-ENOMEM, "%s: no memory for a connection", redis->target.name);
    hr__redis_ref(redis);
    int r = hr__redis_open(&redis->target, &own->conn, &own->who);
    if (r < 0) {
        free(own);
        hr__redis_unref(redis);
        return r;
    }
    own->redis = redis;
    own->pool = redis->pool;
    *ret = own;
    return 0;
}

static void close_own(void *conn, bool polite)
{
    struct hr_redis_conn *own = conn;
    hr__redis_conn_hang_up(own->conn, "closed", 0);
    hr__redis_conn_unref(own->conn);
    hr__redis_unref(own->redis);
    free(own);
}

static int ping_own(void *conn)
{
    struct hr_redis_conn *own = conn;
    int r = hr__redis_callf(own->conn, NULL, own->redis->command_timeout, "PING");
    return r == HR_EREPLY ? 0 : r; /* not allowed to this user, perhaps: it is alive */
}

static bool own_alive(void *conn)
{
    return hr__redis_conn_alive(((struct hr_redis_conn *)conn)->conn);
}

const struct hr_conn_ops hr__redis_own_ops = {
    .name = "redis",
    .open = open_own,
    .close = close_own,
    .ping = ping_own,
    .alive = own_alive,
    .may_pass = hr__redis_may_pass,
};

int(hr_redis_acquire)(hr_redis *redis, hr_redis_conn **ret)
{
    int r = hr__redis_check_loop(redis);
    if (r < 0)
        return r;
    void *conn = NULL;
    r = hr_pool_acquire(redis->pool, &conn);
    if (r < 0)
        return r;
    *ret = conn;
    (*ret)->given_back = false;
    return 0;
}

void hr_redis_release(hr_redis_conn *conn)
{
    if (!conn)
        return;
    if (conn->given_back)
        hr_pool_not_lent("hr_redis_release()");
    conn->given_back = true;
    enum hr_pool_return state = HR_POOL_CLEAN;
    if (conn->dirty || conn->watching)
        state = HR_POOL_DIRTY;
    if (!hr__redis_conn_alive(conn->conn) || hr__redis_conn_busy(conn->conn))
        state = HR_POOL_BROKEN;
    hr_pool_release(conn->pool, conn, state);
}

int hr__redis_check_lent(const struct hr_redis_conn *conn)
{
    if (hr_unlikely(!conn))
        return hr__missing_object("redis: a connection");
    if (hr_unlikely(conn->given_back))
        return hr_fail(HR_ECLOSED, "%s: this connection was given back", conn->redis->target.name);
    return hr_current_task() ? 0 : hr_fail(HR_ENOTASK, "redis: only a task can wait for a reply");
}

void hr_redis_releasep(hr_redis_conn **conn)
{
    hr_redis_release(*conn);
    *conn = NULL;
}

/* Whether the first word of the format is one of the state commands, or cannot be told. */
static bool leaves_state(const char *fmt)
{
    fmt += strspn(fmt, " ");
    size_t len = strcspn(fmt, " ");
    if (memchr(fmt, '%', len) || (len == 6 && strncasecmp(fmt, "CLIENT", len) == 0))
        return true;
    const struct hr__redis_manner *manner = hr__redis_manner_of(fmt, len);
    return manner && !manner->blocks;
}

void hr__redis_cancel_later(void)
{
    hr_task *self = hr_current_task();
    hr_task_cancel(self, hr_future_cancel_reason(self));
    (void)hr_task_uncancel(self);
}

static bool has_element(const struct hr__redis_call *call)
{
    return call->code == 0 && !hr_reply_is_nil(call->reply) &&
           hr_reply_type(call->reply) != HR_REPLY_ERROR;
}

/* Whether the shared connection ends at the process that gave the id: behind a balancer and after a
 * failover it may be another one, where another client has that id. Addresses do not tell. */
static bool is_same_server(const struct hr_redis_conn *own, struct hr__redis_conn *shared)
{
    char server[HR__REDIS_SERVER_MAX] = "";
    hr_auto(hr_reply_freep) hr_reply *info = NULL;
    int r = own->who.server[0]
                ? hr__redis_callf(shared, &info, own->redis->command_timeout, "INFO server")
                : -ENOTSUP;
    if (r >= 0)
        hr__redis_read_server(info, server);
    return r >= 0 && strcmp(server, own->who.server) == 0;
}

/* Tells the server to end what blocks there. 1; 0: it could not be told, or refused; or a code. */
static int unblock(void *arg)
{
    const struct hr_redis_conn *own = arg;
    struct hr__redis_conn *shared = NULL;
    int r = hr__redis_get_conn(own->redis, &shared);
    if (r < 0)
        return r;
    hr__redis_conn_ref(shared);
    bool told = is_same_server(own, shared) &&
                hr__redis_callf(shared, NULL, own->redis->command_timeout, "CLIENT UNBLOCK %jd",
                                (intmax_t)own->who.id) >= 0;
    hr__redis_conn_unref(shared);
    return told;
}

/* The same in a task of its own, which is what a time limit can end inside a shield. */
static bool unblock_in_time(struct hr_redis_conn *own)
{
    return own->who.id != 0 && hr_wait_for(hr_create_task("redis-unblock", unblock, own),
                                           own->redis->command_timeout) > 0;
}

/* The task was cancelled in a command that blocks. Leaves it in a way that loses no element. */
static void leave_blocked(struct hr_redis_conn *own, struct hr__redis_call *call)
{
    if (!call->in_line || hr__redis_call_take_back(call))
        return;
    hr_shield_enter();
    if (!unblock_in_time(own))
        hr__redis_conn_end_asking(own->conn);
    hr__redis_call_hurry(call, own->redis->command_timeout);
    if (hr__redis_call_wait(call) < 0)
        hr__redis_call_abandon(call);
    hr_shield_leave();
}

int(hr_redis_conn_command)(hr_redis_conn *conn, hr_reply **ret, hr_usec block, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct hr__redis_request request = {.fmt = fmt, .args = &args};
    struct hr__redis_call call = {.request = &request};
    int r = hr__redis_check_lent(conn);
    if (r >= 0)
        r = hr__redis_check_own_manners(&request);
    if (r >= 0) {
        call.limit = hr_later(block, conn->redis->command_timeout);
        r = hr__redis_call_begin(&call, conn->conn, &request, call.limit);
    }
    va_end(args);
    if (r < 0)
        return r;
    conn->dirty = conn->dirty || leaves_state(fmt);

    if (hr__redis_call_wait(&call) < 0) {
        if (block > 0)
            leave_blocked(conn, &call);
        if (block > 0 && has_element(&call))
            hr__redis_cancel_later();
        else
            hr__redis_call_abandon(&call);
    }
    r = hr__redis_call_end(&call, ret);
    if (hr__redis_heed_refusal(conn->redis, r))
        conn->dirty = true; /* the next borrower's goes to who is the server now */
    return r;
}
