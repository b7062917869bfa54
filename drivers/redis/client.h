/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the Redis client share: the calls (redis.c), the keeper of the shared
 * connection (redis/keep.c) and the connections of one's own (redis/own.c).
 */
#pragma once

#include "core/list.h"
#include "drivers/redis.h"
#include "drivers/redis/address.h"
#include "drivers/redis/open.h"

/* The shared connection's life. Moves: idle → connecting ⇄ ready, connecting ⇄ resting, and from
 * anywhere to closed. */
enum hr__redis_state {
    HR__REDIS_IDLE,       /* nobody has asked yet */
    HR__REDIS_CONNECTING, /* an attempt runs; callers wait for its outcome */
    HR__REDIS_READY,
    HR__REDIS_RESTING, /* between attempts; callers learn why the latest failed */
    HR__REDIS_CLOSED,
};

struct hr_redis {
    unsigned refs;
    struct hr__redis_target target;
    struct hr__redis_deaf deaf;
    unsigned connections; /* of one's own, at most */
    hr_usec command_timeout, patience;
    unsigned repeats;
    size_t late_bytes;      /* of commands that are to be futures and wait to be asked */
    uint64_t home;          /* the number of its loop; 0 until first used */
    hr_pool *pool;          /* connections of one's own */
    struct hr_list pubsubs; /* subscribers, which end with the client */

    enum hr__redis_state state;
    struct hr__redis_conn *conn; /* when ready */
    struct hr_list retired;      /* those that were left, while replies are due there */
    hr_usec up_since;
    struct hr_error error; /* why it is not up */
    uint64_t opened, failed;
    struct hr_backoff backoff;
    unsigned waiting;

    hr_task *keeper;   /* connects and connects again */
    hr_task *follower; /* the keeper's: listens to the sentinels; NULL without any */
    hr_event moved;    /* set for a moment when the state changes */
    hr_event nudge;    /* the keeper has to look */
    hr_event ended;    /* the keeper is gone */

    void (*changed)(bool up, void *cookie);
    void *cookie;
    bool told_up; /* what changed() was told last */
};

struct hr_redis *hr__redis_ref(struct hr_redis *redis);
void hr__redis_unref(struct hr_redis *redis);

/* As hr_redis_new(), also with the URL of a cluster: then it is good for one thing, to make clients
 * of other addresses after its pattern. They are freed like any. NULL: the record says why. */
hr_redis *hr__redis_new_pattern(const struct hr_redis_options *options);
hr_redis *hr__redis_new_beside(const hr_redis *pattern, const struct hr__redis_address *address);

/* 0, or HR_EWRONGLOOP, HR_ENOLOOP. */
int hr__redis_check_loop(struct hr_redis *redis);

static inline bool hr__redis_is_up(const struct hr_redis *redis)
{
    return redis->state == HR__REDIS_READY;
}

/* Finds the shared connection ready, or waits for the attempt that is running. Borrowed. 0, or
 * -ENOTCONN (why), -ECANCELED, HR_ECLOSED, -ENOMEM. */
hr_async int hr__redis_get_conn(struct hr_redis *redis, struct hr__redis_conn **ret);

/* The same until a moment on the loop's clock, and then -ETIMEDOUT; for a client with patience
 * through any number of attempts that may pass, as long as it has some. */
hr_async int hr__redis_await_conn(struct hr_redis *redis, hr_usec deadline,
                                  struct hr__redis_conn **ret);

/* The server is not what it was (a replica now, or loading): new commands go to a new connection,
 * after asking for the address again; replies that are due still come on the old one. At most once
 * a second. */
void hr__redis_leave_server(struct hr_redis *redis);

/* Closes the client: what is pending fails with HR_ECLOSED, the keeper is asked to end. */
void hr__redis_shut(struct hr_redis *redis);

/* Asks on the shared connection; codes as hr_redis_command(). */
hr_async int hr__redis_ask(struct hr_redis *redis, hr_reply **ret,
                           const struct hr__redis_request *request);

/* The same for a format and what belongs to it. */
hr_async int hr__redis_ask_v(struct hr_redis *redis, hr_reply **ret, const char *fmt,
                             va_list *args);

/* The command of a request by a moment on the loop's clock that stands, however long connecting
 * takes: for what has one time limit with several servers. Where the request has several commands,
 * as many of its parts as have come are the caller's. */
hr_async int hr__redis_ask_by(struct hr_redis *redis, hr_usec deadline, hr_reply **ret,
                              const struct hr__redis_request *request);

/* r is how a command ended, and the record says why: a server that is not what it was is left.
 * True: it said that it is not. */
bool hr__redis_heed_refusal(struct hr_redis *redis, int r);

/* The pool's hooks; the driver is the struct hr_redis. */
extern const struct hr_conn_ops hr__redis_own_ops;
