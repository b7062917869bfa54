/* SPDX-License-Identifier: MIT */
/*
 * The keeper of a subscriber's connection: opens it, asks for what is wanted, looks whether a
 * silent one lives, and begins anew when it is lost.
 */
#include <stdio.h>

#include "core/timeout.h"
#include "drivers/redis/pubsub_impl.h"

/* A connection that was silent for so long is asked whether it lives. */
#define PING_AFTER hr_seconds(15)

/* A connection that lived so long was none that the server hangs up on at once. */
#define LIVED hr_seconds(1)

/* Subscriptions that are asked for before the first answer is waited for. */
#define AT_ONCE 64

struct asked {
    struct hr__redis_call call;
    struct hr__redis_subscription *subscription;
};

static void announce(struct hr_redis_pubsub *pubsub)
{
    hr_event_set(&pubsub->moved);
    hr_event_clear(&pubsub->moved);
}

/* A refusal goes to who waits for it; of one that stood before, to the reader. */
static void refuse(struct hr_redis_pubsub *pubsub, struct hr__redis_subscription *it, int code)
{
    char text[HR_ERROR_MESSAGE_MAX];
    snprintf(text, sizeof(text), "%s", hr_last_error()->message);
    (void)hr_fail_native(code, 0, NULL, hr_last_error()->kind, hr_last_error()->sent, "%s %s: %s",
                         hr__redis_pubsub_verb(it->kind, false), it->name, text);
    it->code = code;
    hr_error_copy(&it->error, hr_last_error());
    if (it->awaited == 0 && it->wanted) {
        hr__redis_pubsub_tell(pubsub, code);
        hr__redis_pubsub_drop(pubsub, it);
    }
}

/* Asks for what is due, up to AT_ONCE of them. How many, or why not. */
static int ask_some(struct hr_redis_pubsub *pubsub, struct asked all[AT_ONCE], int *ret)
{
    int n = 0, r = 0;
    hr_list_foreach_safe (link, &pubsub->due) {
        struct hr__redis_subscription *it =
            hr_list_entry(link, struct hr__redis_subscription, link);
        if (it->code < 0)
            continue;
        /* Waiting for room would let the list change under this walk. */
        if (n == AT_ONCE || !hr__redis_conn_has_room(pubsub->conn))
            break;
        const char *argv[] = {hr__redis_pubsub_verb(it->kind, false), it->name};
        struct hr__redis_request request = {.argc = 2, .argv = argv};
        all[n] = (struct asked){.subscription = it, .call.limit = pubsub->redis->command_timeout};
        r = hr__redis_call_begin(&all[n].call, pubsub->conn, &request, all[n].call.limit);
        if (r == -ENOBUFS) { /* it alone cannot be sent */
            refuse(pubsub, it, r);
            r = 0;
            continue;
        }
        if (r < 0)
            break;
        hr_list_remove(&it->link);
        hr_list_append(&pubsub->asked, &it->link);
        it->refs++;
        n++;
    }
    *ret = n;
    return r;
}

/* What nobody wants any more is taken back. */
static int settle(struct hr_redis_pubsub *pubsub, struct hr__redis_subscription *it, int r)
{
    if (r == HR_EREPLY) {
        refuse(pubsub, it, r);
        return 0;
    }
    if (r < 0)
        return r;
    it->standing = it->wanted;
    it->stood = true;
    if (it->wanted)
        return 0;
    return hr__redis_callf(pubsub->conn, NULL, pubsub->redis->command_timeout, "%s %s",
                           hr__redis_pubsub_verb(it->kind, true), it->name);
}

/* Waits for the answers of all; once it has failed, nobody wants the rest. */
static int await_all(struct hr_redis_pubsub *pubsub, struct asked *all, int n, int r)
{
    for (int i = 0; i < n; i++) {
        if (r < 0 || hr__redis_call_wait(&all[i].call) < 0)
            hr__redis_call_abandon(&all[i].call);
        int ended = hr__redis_call_end(&all[i].call, NULL);
        if (r >= 0)
            r = settle(pubsub, all[i].subscription, ended);
        hr__redis_subscription_unref(all[i].subscription);
    }
    announce(pubsub);
    return r;
}

static int subscribe_all(struct hr_redis_pubsub *pubsub)
{
    struct asked *all = calloc(AT_ONCE, sizeof(*all));
    int n, r;
    if (!all)
        return hr_fail(-ENOMEM, "%s: no memory to subscribe", pubsub->redis->target.name);
    do {
        r = ask_some(pubsub, all, &n);
        r = await_all(pubsub, all, n, r);
    } while (r >= 0 && n > 0);
    free(all);
    return r;
}

static void conn_lost(void *cookie)
{
    hr_event_set(&((struct hr_redis_pubsub *)cookie)->nudge);
}

/* Waits until there is something to do; a connection that is silent has to answer. */
static int idle(struct hr_redis_pubsub *pubsub)
{
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, PING_AFTER);
    if (r == 0)
        r = hr_timeout_leave(&limit, hr_event_wait_as(&pubsub->nudge, "what to subscribe to"));
    if (r != -ETIMEDOUT)
        return r;
    r = hr__redis_callf(pubsub->conn, NULL, pubsub->redis->command_timeout, "PING");
    return r == HR_EREPLY ? 0 : r; /* not allowed to this user, perhaps: it is alive */
}

static int serve(struct hr_redis_pubsub *pubsub)
{
    int r = 0;
    hr__redis_conn_on_push(pubsub->conn, hr__redis_pubsub_hear, pubsub);
    hr__redis_conn_on_lost(pubsub->conn, conn_lost, pubsub);
    while (r >= 0 && hr__redis_conn_alive(pubsub->conn)) {
        hr_event_clear(&pubsub->nudge);
        r = subscribe_all(pubsub);
        if (r >= 0 && hr__redis_conn_alive(pubsub->conn))
            r = idle(pubsub);
    }
    return r == -ECANCELED ? r : 0;
}

/* The connection is over: nothing stands any more, and a reader who heard something may miss
 * something. */
static void leave(struct hr_redis_pubsub *pubsub)
{
    bool stood = false;
    hr_list_foreach (link, &pubsub->asked) {
        struct hr__redis_subscription *it =
            hr_list_entry(link, struct hr__redis_subscription, link);
        stood = stood || it->standing;
        it->standing = false;
    }
    hr_list_splice(&pubsub->asked, &pubsub->due); /* the older ones first again */
    hr_list_splice(&pubsub->due, &pubsub->asked);
    struct hr__redis_conn *conn = hr_take(pubsub->conn);
    hr__redis_conn_on_push(conn, NULL, NULL);
    hr__redis_conn_on_lost(conn, NULL, NULL);
    const struct hr_error *why = hr__redis_conn_error(conn);
    if (stood && !pubsub->closed) {
        (void)hr_fail(HR_ELOST, "%s", why->code < 0 ? why->message : "the connection was lost");
        hr__redis_pubsub_tell(pubsub, HR_ELOST);
    }
    hr__redis_conn_hang_up(conn, "closed", 0);
    hr__redis_conn_unref(conn);
}

static int connect_and_serve(struct hr_redis_pubsub *pubsub, struct hr_backoff *backoff)
{
    int r = hr__redis_open(&pubsub->redis->target, &pubsub->conn, NULL);
    if (r == -ECANCELED)
        return r;
    if (r < 0) {
        pubsub->failed++;
        hr_error_done(&pubsub->error);
        hr_error_copy(&pubsub->error, hr_last_error());
        announce(pubsub);
        return hr_sleep(hr_backoff_next(backoff));
    }
    hr_usec since = hr_now();
    r = serve(pubsub);
    leave(pubsub);
    if (hr_now() >= hr_later(since, LIVED))
        hr_backoff_reset(backoff);
    return r < 0 ? r : hr_sleep(hr_backoff_next(backoff));
}

/* Without subscriptions there is nothing to connect for. */
static int until_wanted(struct hr_redis_pubsub *pubsub)
{
    while (pubsub->subscriptions.count == 0) {
        int r = hr_event_wait_as(&pubsub->nudge, "what to subscribe to");
        hr_event_clear(&pubsub->nudge);
        if (r < 0)
            return r;
    }
    return 0;
}

void hr__redis_pubsub_drop_keeper(void *arg)
{
    struct hr_redis_pubsub *pubsub = arg;
    pubsub->keeper = hr_future_unref(pubsub->keeper);
    hr__redis_pubsub_end(pubsub);
    hr__redis_pubsub_unref(pubsub);
}

int hr__redis_pubsub_keep(void *arg)
{
    struct hr_redis_pubsub *pubsub = arg;
    struct hr_backoff backoff = pubsub->redis->backoff;
    hr_backoff_reset(&backoff);
    int r = 0;
    while (r >= 0 && !pubsub->closed) {
        r = until_wanted(pubsub);
        if (r >= 0 && !pubsub->closed)
            r = connect_and_serve(pubsub, &backoff);
    }
    hr__redis_pubsub_drop_keeper(pubsub);
    return 0;
}
