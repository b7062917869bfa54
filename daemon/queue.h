/* SPDX-License-Identifier: MIT */
/*
 * A list in Redis with all that the protocol keeps beside it: key names, scripts, and the two ways
 * of asking: once, or until a reply comes.
 *
 * Key names are {K}:hr:own and so on; K:hr:own where K has a hash tag of its own, so that they stay
 * in K's slot of a Redis Cluster, and two lists with one tag do not share them.
 */
#pragma once

#include "core/headrace.h"
#include "daemon/item/arena.h"
#include "daemon/settings.h"
#include "drivers/redis.h"
#include "drivers/redis/script.h"

/* What the queue tells while it insists: the code, explained by the running task's error record; 0
 * when Redis answers again. */
typedef void queue_state(void *cookie, int code);

struct queue {
    const struct job_conf *conf;
    hr_redis *redis;
    hr_redis *dead_redis; /* where dead letters go; same as redis unless they are remote */
    bool dead_remote;     /* pushed before the acknowledgement, not by it */
    const char *instance; /* of this daemon */
    const char *host;     /* that dead letters name */
    char print[17];       /* sink print: where outcomes of our batches would be written */
    char *list, *dead;
    char *prefix;         /* "{K}:hr:" */
    queue_state *changed; /* or NULL */
    void *cookie;
    struct arena *scratch; /* for one call */
    char *paused, *own, *leases, *delayed, *later, *oversize;
};

/* Makes the names for the job's list; nothing is asked of Redis. NULL: no memory. */
struct queue *queue_new(const struct job_conf *conf, const char *instance, const char *host,
                        hr_redis *redis, hr_redis *dead_redis);
struct queue *queue_free(struct queue *queue);

/* 128 random bits as 32 hexadecimal digits: ids and tokens. */
void queue_random_id(char ret[33]);

/* Longest key name made from a batch's id. */
#define QUEUE_BATCH_KEY_MAX 600

/* The key of a batch's list, for KEYS of a script; written into buffer. */
struct hr_redis_arg queue_batch_key(const struct queue *queue, const char *id,
                                    char buffer[QUEUE_BATCH_KEY_MAX]);

struct queue_call {
    const struct hr_redis_script *script;
    const struct hr_redis_arg *keys, *args;
    size_t n_keys, n_args;
};

/* Runs a script once. Codes as hr_redis_eval(). */
hr_async int queue_ask(struct queue *queue, hr_reply **ret, const struct queue_call *call);

/* Runs a script that may be repeated as it is until a reply comes, waiting between attempts with
 * jitter. 0, or -ECANCELED; an error reply that is no outage is returned as HR_EREPLY. */
hr_async int queue_insist(struct queue *queue, hr_reply **ret, const struct queue_call *call);

/* Waits until the list may have an element, or span is over: a blocking move of the list onto
 * itself, which leaves it as it was (protocol.md 4.1). 0 in either case, or a code. */
hr_async int queue_wait(struct queue *queue, hr_usec span);

struct queue_counts {
    uint64_t ready, leased, delayed, dead;
    hr_usec soonest; /* until the next delayed item is due; HR_FOREVER when there is none */
    bool paused;
};
hr_async int queue_count(struct queue *queue, struct queue_counts *ret);

/* Sets or takes back the pause by hand, which holds for all daemons and over restarts. */
hr_async int queue_pause(struct queue *queue, bool paused);
