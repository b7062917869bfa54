/* SPDX-License-Identifier: MIT */
/*
 * A subscriber from the inside: what its calls (redis/pubsub.c) and the keeper of its connection
 * (redis/pubsub_keep.c) share.
 */
#pragma once

#include "core/list.h"
#include "core/table.h"
#include "drivers/redis/client.h"
#include "drivers/redis/pubsub.h"

/* What somebody wants to hear. Linked while it is wanted. */
struct hr__redis_subscription {
    struct hr_list link; /* in due or asked */
    struct hr__table_entry by_name;
    unsigned refs;
    enum hr_redis_channel kind;
    bool wanted, standing; /* linked; confirmed on the present connection */
    bool stood;            /* confirmed once: it is wanted whatever becomes of a later caller */
    unsigned awaited;      /* callers that wait for its outcome */
    int code;              /* < 0: refused, and error says how */
    struct hr_error error;
    char name[];
};

/* A message that waits for the reader, or what else he has to learn. */
struct hr__redis_heard {
    struct hr_list link;
    hr_reply *reply; /* NULL: code */
    int code;
    struct hr_error error;
};

struct hr_redis_pubsub {
    unsigned refs;
    struct hr_list link; /* in the client's list */
    struct hr_redis *redis;
    struct hr_redis_pubsub_options options;
    bool closed;

    struct hr__table subscriptions;
    struct hr_list due;          /* of them: not asked for on the present connection */
    struct hr_list asked;        /* the others */
    struct hr__redis_conn *conn; /* NULL: none at present */
    hr_task *keeper;             /* NULL until the first subscription */
    uint64_t failed;             /* attempts to connect */
    struct hr_error error;       /* of the latest */
    hr_event nudge;              /* the keeper has to look */
    hr_event moved;              /* set for a moment when a subscription or an attempt has ended */

    struct hr_list heard;
    size_t messages, bytes;
    uint64_t missed;
    bool starved;   /* something was not heard for want of memory, and the reader does not know */
    hr_event ready; /* set while something is heard or starved, and when closed */
};

struct hr_redis_pubsub *hr__redis_pubsub_ref(struct hr_redis_pubsub *pubsub);
void hr__redis_pubsub_unref(struct hr_redis_pubsub *pubsub);
struct hr__redis_subscription *
hr__redis_subscription_unref(struct hr__redis_subscription *subscription);

/* NULL: none. */
struct hr__redis_subscription *hr__redis_pubsub_find(struct hr_redis_pubsub *pubsub,
                                                     enum hr_redis_channel kind, const char *name);

/* Adds a name that is not there yet. NULL: no memory, with a record. */
struct hr__redis_subscription *hr__redis_pubsub_want(struct hr_redis_pubsub *pubsub,
                                                     enum hr_redis_channel kind, const char *name);

/* Takes it out of what is wanted. */
void hr__redis_pubsub_drop(struct hr_redis_pubsub *pubsub,
                           struct hr__redis_subscription *subscription);
void hr__redis_pubsub_drop_all(struct hr_redis_pubsub *pubsub);

/* SUBSCRIBE or its opposite, for a kind. */
const char *hr__redis_pubsub_verb(enum hr_redis_channel kind, bool leave);

/* The push hook of its connection. */
enum hr__redis_push hr__redis_pubsub_hear(hr_reply *message, void *cookie);

/* The reader learns that code, with the present record; or -ENOMEM. */
void hr__redis_pubsub_tell(struct hr_redis_pubsub *pubsub, int code);

/* Ends it with its client. */
void hr__redis_pubsub_end(struct hr_redis_pubsub *pubsub);

/* The keeper's body; arg is the pubsub, referenced. drop is for a keeper that never ran. */
int hr__redis_pubsub_keep(void *arg);
void hr__redis_pubsub_drop_keeper(void *arg);
