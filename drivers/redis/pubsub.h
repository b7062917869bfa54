/* SPDX-License-Identifier: MIT */
/*
 * Publish and subscribe: what others say on channels, read one message after the other.
 *
 *     hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *news = hr_redis_pubsub_new(redis, NULL);
 *     int r = hr_redis_subscribe(news, HR_REDIS_CHANNEL, "orders");
 *     struct hr_redis_message message;
 *     while (r >= 0 && (r = hr_redis_pubsub_next(news, &message)) >= 0) {
 *         printf("%.*s\n", (int)message.len, message.data);
 *         hr_redis_message_done(&message);
 *     }
 *
 * It has a connection of its own, which a task keeps: lost, it is opened again and subscribes to
 * the same channels. What was said meanwhile nobody repeats, so the reader is told of each gap
 * (HR_ELOST). Messages wait for the reader up to a bound; whoever reads more slowly than others
 * talk misses some, and is told how many.
 */
#pragma once

#include "drivers/redis.h"

typedef struct hr_redis_pubsub hr_redis_pubsub;

struct hr_redis_pubsub_options {
    size_t max_messages; /* that wait for the reader; 0: 1024 */
    size_t max_bytes;    /* that they take; 0: 16 MiB */
    bool drop_newest;    /* of too many, rather than the oldest */
};

/* The options may be NULL. It connects at the first subscription, and ends with the client. NULL:
 * the record says HR_ENOLOOP, HR_EWRONGLOOP or -ENOMEM. */
HR_PUBLIC hr_owned hr_redis_pubsub *
hr_redis_pubsub_new(hr_redis *redis, const struct hr_redis_pubsub_options *options);

/* Hangs up, drops what waits; who waits gets HR_ECLOSED. Never waits itself. Returns NULL. */
HR_PUBLIC hr_redis_pubsub *hr_redis_pubsub_free(hr_redis_pubsub *pubsub);
HR_PUBLIC void hr_redis_pubsub_freep(hr_redis_pubsub **pubsub);

enum hr_redis_channel {
    HR_REDIS_CHANNEL, /* SUBSCRIBE: by its name */
    HR_REDIS_PATTERN, /* PSUBSCRIBE: all whose name matches */
    HR_REDIS_SHARD,   /* SSUBSCRIBE: of one node of a cluster (Redis 7) */
};

/* Returns when the server has confirmed it: what is published from then on arrives. Again for a
 * name that is subscribed is no mistake. 0; HR_EREPLY (kind "NOPERM"), -ENOTCONN and the reason,
 * -ETIMEDOUT within command_timeout, -ECANCELED, HR_ECLOSED, -ENOMEM, -EINVAL (no name), -ENOBUFS
 * (a name longer than max_pending): not subscribed. When the confirmation came first the call
 * returns 0, and the cancel is delivered at the next suspension. */
HR_PUBLIC hr_async int hr_redis_subscribe(hr_redis_pubsub *pubsub, enum hr_redis_channel kind,
                                          const char *name);

/* Messages that wait for the reader stay. 0, also when it was not subscribed; -ECANCELED: the
 * server is told all the same, and until it has heard that more may come. */
HR_PUBLIC hr_async int hr_redis_unsubscribe(hr_redis_pubsub *pubsub, enum hr_redis_channel kind,
                                            const char *name);

/* What was said. Bytes, each followed by a NUL that is not counted. */
struct hr_redis_message {
    const char *channel, *data;
    const char *pattern; /* that the channel matched; NULL: subscribed by name */
    size_t channel_len, len;
    uint64_t missed; /* messages that were dropped since the one before, for want of room */
    hr_reply *reply; /* what the others lie in */
};

/* The next message; *ret is the caller's, for done. 0, or
 *   HR_ELOST     the connection was lost since the latest message: what was said until it was
 *                subscribed again did not come. Once for each loss; call again
 *   HR_EREPLY    a channel could not be subscribed again (the record says which and why) and is not
 *                subscribed any more
 *   -ENOMEM      there was no memory for a message, or to tell one of the above: what was said may
 *                be missing, or a channel not subscribed any more; call again
 *   -ECANCELED   nothing was taken
 *   HR_ECLOSED   the client or the subscriber was closed */
HR_PUBLIC hr_async int hr_redis_pubsub_next(hr_redis_pubsub *pubsub, struct hr_redis_message *ret);
HR_PUBLIC void hr_redis_message_done(struct hr_redis_message *message);

/* A failure names the caller's place in the program. */
#define hr_redis_subscribe(...)   hr_from_here(hr_redis_subscribe(__VA_ARGS__))
#define hr_redis_unsubscribe(...) hr_from_here(hr_redis_unsubscribe(__VA_ARGS__))
#define hr_redis_pubsub_next(...) hr_from_here(hr_redis_pubsub_next(__VA_ARGS__))
