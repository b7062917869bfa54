/* SPDX-License-Identifier: MIT */
/*
 * The keeper: a task that holds a client's shared connection open, and is the sequence in which
 * that happens: connect, stay while it lasts, rest a while, again.
 *
 * Callers find the connection ready, wait for an attempt that is running, or learn at once why the
 * latest one failed; those with patience wait on, unless it failed for good reason to (a wrong
 * password). The keeper goes on in any case.
 */
#include <string.h>

#include "core/timeout.h"
#include "drivers/redis/client.h"
#include "drivers/redis/pubsub_impl.h"
#include "drivers/redis/sentinel.h"
#include "drivers/resolve.h"

/* A connection that lived shorter than this counts as a failed attempt, so that a server which
 * hangs up on everybody is not asked in a tight loop. */
#define LIVED hr_seconds(1)

/* The one place where the state changes. */
static void set_state(struct hr_redis *redis, enum hr__redis_state state)
{
    hr_assert(redis->state != HR__REDIS_CLOSED);
    redis->state = state;
    hr_event_set(&redis->moved);
    hr_event_clear(&redis->moved);
}

/* Tells the user what has changed; from the keeper, so that no call of his finds itself in his own
 * callback. */
static void tell_user(struct hr_redis *redis)
{
    bool up = hr__redis_is_up(redis);
    if (redis->told_up == up || !redis->changed)
        return;
    redis->told_up = up;
    redis->changed(up, redis->cookie);
}

/* Keeps why there is no connection, as callers will be told. */
static void note_error(struct hr_redis *redis, const struct hr_error *why)
{
    struct hr_error error = *why;
    error.code = -ENOTCONN;
    error.native = 0;
    error.sent = false;
    hr_error_done(&redis->error);
    redis->error = (struct hr_error){0};
    hr_error_copy(&redis->error, &error);
}

static void conn_lost(void *cookie)
{
    struct hr_redis *redis = cookie;
    struct hr__redis_conn *conn = hr_take(redis->conn);
    note_error(redis, hr__redis_conn_error(conn));
    set_state(redis, HR__REDIS_CONNECTING);
    hr_event_set(&redis->nudge);
    hr__redis_conn_unref(conn);
}

static void refused(void *cookie)
{
    hr__redis_heed_refusal(cookie, HR_EREPLY);
}

/* Hangs up; what is pending fails with code, or as lost when that is 0. */
static void drop_conn(struct hr__redis_conn *conn, int code)
{
    hr__redis_conn_on_lost(conn, NULL, NULL);
    hr__redis_conn_hang_up(conn, "the client was closed", code);
    hr__redis_conn_unref(conn);
}

/* The record, which says why it is left, stays as it is. */
static void leave(struct hr_redis *redis)
{
    struct hr__redis_conn *conn = hr_take(redis->conn);
    struct hr_error why = {0};
    hr_error_copy(&why, hr_last_error());
    (void)hr_fail(-ENOTCONN, "%s: it was left for another server", redis->target.name);
    note_error(redis, hr_last_error()); /* for who asks while the keeper rests */
    if (redis->target.url.host)
        hr_resolve_forget(redis->target.url.host);
    set_state(redis, HR__REDIS_CONNECTING);
    hr_event_set(&redis->nudge);
    hr__redis_conn_retire(conn, &redis->retired);
    hr__redis_conn_unref(conn);
    hr_pool_flush(redis->pool);
    (void)hr_error_raise(&why);
    hr_error_done(&why);
}

void hr__redis_leave_server(struct hr_redis *redis)
{
    if (hr__redis_is_up(redis) && hr_now() >= hr_later(redis->up_since, LIVED))
        leave(redis);
}

/* The sentinels have announced another master: there is no point in resting any longer. */
static void master_moved(void *cookie)
{
    struct hr_redis *redis = cookie;
    if (hr__redis_is_up(redis))
        leave(redis);
    hr_event_set(&redis->nudge);
}

static int follow(void *arg)
{
    struct hr_redis *redis = arg;
    return hr__redis_sentinel_follow(redis->target.sentinel, master_moved, redis);
}

/* Without memory for it the client looks for the master when the connection fails, and tries again
 * then. */
static void start_follower(struct hr_redis *redis)
{
    if (redis->target.sentinel && !redis->follower)
        redis->follower = hr_create_task("redis-sentinel", follow, redis);
}

static void end_follower(struct hr_redis *redis)
{
    hr_task *follower = hr_take(redis->follower);
    if (!follower)
        return;
    hr_task_cancel(follower, "the client is closed");
    hr_shield_enter();
    int ended = hr_join(follower); /* by the cancel, as it has to */
    (void)ended;
    hr_shield_leave();
}

/* The life of a connection, which ends at once if another master was announced while it was opened.
 * 0, or -ECANCELED: the keeper has to end. */
static int stay(struct hr_redis *redis, struct hr__redis_conn *conn)
{
    redis->opened++;
    redis->conn = conn;
    redis->up_since = hr_now();
    hr__redis_conn_on_lost(conn, conn_lost, redis);
    hr__redis_conn_on_refusal(conn, refused, redis);
    set_state(redis, HR__REDIS_READY);
    tell_user(redis);
    int r = hr_event_wait_as(&redis->nudge, "its connection to Redis to end");
    if (r >= 0 && hr__redis_is_up(redis))
        leave(redis);
    tell_user(redis);
    return r;
}

/* One attempt, and the life of the connection if it worked. Returns how long to rest after it,
 * or -ECANCELED. */
static hr_usec connect_and_stay(struct hr_redis *redis)
{
    struct hr__redis_conn *conn = NULL;
    hr_event_clear(&redis->nudge);
    int r = hr__redis_open(&redis->target, &conn, NULL);
    if (r < 0 && r != -ECANCELED) {
        redis->failed++;
        note_error(redis, hr_last_error());
        return hr_backoff_next(&redis->backoff);
    }
    if (r >= 0 && redis->state == HR__REDIS_CLOSED)
        drop_conn(conn, 0);
    else if (r >= 0)
        r = stay(redis, conn);
    if (r < 0)
        return r;
    if (hr_now() < hr_later(redis->up_since, LIVED))
        return hr_backoff_next(&redis->backoff);
    hr_backoff_reset(&redis->backoff);
    return 0;
}

static void end_keeper(struct hr_redis *redis)
{
    redis->keeper = hr_future_unref(redis->keeper);
    if (redis->conn)
        drop_conn(hr_take(redis->conn), 0);
    if (redis->state != HR__REDIS_CLOSED)
        set_state(redis, HR__REDIS_IDLE);
    tell_user(redis);
    hr_event_set(&redis->ended);
    hr__redis_unref(redis);
}

/* 0 when the time is over or it was cut short, or -ECANCELED. */
static int take_rest(struct hr_redis *redis, hr_usec span)
{
    struct hr_timeout limit = {0};
    hr_event_clear(&redis->nudge);
    int r = hr_timeout_enter(&limit, span);
    if (r < 0)
        return r;
    r = hr_event_wait_as(&redis->nudge, "another attempt to connect to Redis");
    return hr_timeout_move_on(&limit, r);
}

static int keep_connected(void *arg)
{
    struct hr_redis *redis = arg;
    while (redis->state != HR__REDIS_CLOSED) {
        start_follower(redis);
        hr_usec rest = connect_and_stay(redis);
        if (rest < 0)
            break;
        if (rest == 0 || redis->state == HR__REDIS_CLOSED)
            continue;
        set_state(redis, HR__REDIS_RESTING);
        if (take_rest(redis, rest) < 0)
            break;
        if (redis->state != HR__REDIS_CLOSED)
            set_state(redis, HR__REDIS_CONNECTING);
    }
    end_follower(redis);
    end_keeper(redis);
    return 0;
}

/* The loop ends before the keeper ran. */
static void drop_keeper(void *arg)
{
    end_keeper(arg);
}

static int start_keeper(struct hr_redis *redis)
{
    struct hr_task_options options = {.name = "redis-keeper", .free_arg = drop_keeper};
    redis->keeper = hr_create_task_with(&options, keep_connected, redis);
    if (!redis->keeper)
        return hr_fail(-ENOMEM, "%s: no memory for a task", redis->target.name);
    hr__redis_ref(redis);
    hr_event_clear(&redis->ended);
    set_state(redis, HR__REDIS_CONNECTING);
    return 0;
}

static int wait_for_conn(struct hr_redis *redis, bool patient)
{
    uint64_t failed = redis->failed;
    while (!hr__redis_is_up(redis)) {
        if (redis->state == HR__REDIS_CLOSED)
            return hr_fail(HR_ECLOSED, "%s: the client is closed", redis->target.name);
        bool tried = redis->state == HR__REDIS_RESTING || redis->failed != failed;
        if (tried && !(patient && hr__redis_may_pass(&redis->error)))
            return hr_error_raise(&redis->error);
        if (redis->state == HR__REDIS_IDLE) {
            int r = start_keeper(redis);
            if (r < 0)
                return r;
        }
        redis->waiting++;
        int r = hr_event_wait_as(&redis->moved, "a connection to Redis");
        redis->waiting--;
        if (r < 0)
            return hr_fail(r, "%s: cancelled before it was asked", redis->target.name);
    }
    return 0;
}

/* The time is over; why there was no connection says more than that. */
static int fail_late(struct hr_redis *redis, hr_usec span)
{
    const struct hr_error *why = &redis->error;
    if (why->code == 0)
        return hr_fail(-ETIMEDOUT, "%s: no connection within %.6g s", redis->target.name,
                       (double)span / 1e6);
    return hr_fail_native(-ETIMEDOUT, 0, NULL, why->kind[0] ? why->kind : NULL, false, "%s",
                          why->message);
}

int hr__redis_await_conn(struct hr_redis *redis, hr_usec deadline, struct hr__redis_conn **ret)
{
    bool patient = redis->patience > 0;
    hr_usec now = hr_now(), until = patient ? hr_later(now, redis->patience) : HR_FOREVER;
    struct hr_timeout limit = {0};
    until = until < deadline ? until : deadline;
    int r = hr_timeout_enter_at(&limit, until);
    if (r < 0)
        return r;
    r = hr_timeout_leave(&limit, wait_for_conn(redis, patient));
    if (r == -ETIMEDOUT && !hr__redis_is_up(redis))
        return fail_late(redis, until - now);
    if (r < 0 && r != -ETIMEDOUT)
        return r;
    *ret = redis->conn;
    return 0;
}

int hr__redis_get_conn(struct hr_redis *redis, struct hr__redis_conn **ret)
{
    int r = wait_for_conn(redis, false);
    if (r == 0)
        *ret = redis->conn;
    return r;
}

void hr__redis_shut(struct hr_redis *redis)
{
    if (redis->state == HR__REDIS_CLOSED)
        return;
    struct hr__redis_conn *conn = hr_take(redis->conn);
    set_state(redis, HR__REDIS_CLOSED);
    if (conn)
        drop_conn(conn, HR_ECLOSED);
    hr__redis_conn_end_retired(&redis->retired);
    if (redis->keeper)
        hr_task_cancel(redis->keeper, "the client is closed");
    while (!hr_list_empty(&redis->pubsubs))
        hr__redis_pubsub_end(hr_list_entry(redis->pubsubs.next, struct hr_redis_pubsub, link));
}
