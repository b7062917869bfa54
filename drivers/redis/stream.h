/* SPDX-License-Identifier: MIT */
/*
 * Streams: entries are added, read by the consumers of a group, acknowledged, and claimed from
 * consumers that are gone.
 *
 *     struct hr_redis_group group = {"orders", "billing", "worker-1"};
 *     hr_auto(hr_redis_entries_done) struct hr_redis_entries batch = {0};
 *     int r = hr_redis_read_group(conn, &group, 100, hr_seconds(5), &batch);
 *     for (size_t i = 0; i < batch.count; i++)
 *         handle(hr_redis_entry_field(&batch.items[i], "sku", NULL));
 *     if (r > 0)
 *         r = hr_redis_ack(redis, &group, &batch);
 *
 * An entry that was read and not acknowledged stays pending with its consumer, so what is lost on
 * the way, or given up by a cancel, can be claimed again: it comes at least once.
 */
#pragma once

#include "drivers/redis/typed.h"

struct hr_redis_group {
    const char *stream, *group, *consumer;
};

struct hr_redis_entry {
    const char *id;         /* "1526919030474-55" */
    const hr_reply *fields; /* name, value, name, value …; NULL: the entry was deleted meanwhile */
};

/* Owns what its entries point to. Starts as { 0 }. */
struct hr_redis_entries {
    size_t count;
    struct hr_redis_entry *items;
    hr_reply *reply;
};
HR_PUBLIC void hr_redis_entries_done(struct hr_redis_entries *entries);

/* The value of a field, followed by a NUL that is not counted; NULL: there is none. */
HR_PUBLIC const char *hr_redis_entry_field(const struct hr_redis_entry *entry, const char *name,
                                           size_t *ret_len);

/* Below, what is asked fails with the codes of hr_redis_command(), with -EPROTO for a reply of
 * another form and -ENOMEM. What *ret held before is freed. */

#define HR_REDIS_ID_MAX 48

/* Adds an entry; its id is written to ret_id (may be NULL). The stream keeps about max_len entries
 * (0: all): what is older is trimmed off by whole nodes. */
HR_PUBLIC hr_async int hr_redis_add(hr_redis *redis, const char *stream, uint64_t max_len, size_t n,
                                    const struct hr_redis_field *fields,
                                    char ret_id[HR_REDIS_ID_MAX]);

/* Makes the group, and the stream where there is none, to read from this id on ("0": all there is,
 * "$": what is added from now on). 1; 0: it was there. */
HR_PUBLIC hr_async int hr_redis_group_create(hr_redis *redis, const struct hr_redis_group *group,
                                             const char *from);

/* Reads up to n entries that no consumer of the group has got; waits up to block for the first.
 * Returns how many; 0: none came. On a connection of one's own, as a command that blocks holds it;
 * leaving by cancel loses nothing. */
HR_PUBLIC hr_async int hr_redis_read_group(hr_redis_conn *conn, const struct hr_redis_group *group,
                                           unsigned n, hr_usec block, struct hr_redis_entries *ret);

/* These entries are done. Returns how many of them were pending. */
HR_PUBLIC hr_async int hr_redis_ack(hr_redis *redis, const struct hr_redis_group *group,
                                    const struct hr_redis_entries *entries);

/* Takes over up to n entries that have been pending for min_idle with any consumer. cursor starts
 * as "0-0" and is moved on; it is "0-0" again at the end. Returns how many. */
HR_PUBLIC hr_async int hr_redis_claim(hr_redis *redis, const struct hr_redis_group *group,
                                      hr_usec min_idle, unsigned n, char cursor[HR_REDIS_ID_MAX],
                                      struct hr_redis_entries *ret);

/* A failure names the caller's place in the program. */
#define hr_redis_add(...)          hr_from_here(hr_redis_add(__VA_ARGS__))
#define hr_redis_group_create(...) hr_from_here(hr_redis_group_create(__VA_ARGS__))
#define hr_redis_read_group(...)   hr_from_here(hr_redis_read_group(__VA_ARGS__))
#define hr_redis_ack(...)          hr_from_here(hr_redis_ack(__VA_ARGS__))
#define hr_redis_claim(...)        hr_from_here(hr_redis_claim(__VA_ARGS__))
