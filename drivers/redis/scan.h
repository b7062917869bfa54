/* SPDX-License-Identifier: MIT */
/*
 * SCAN and its kin as an iterator: all keys, or all elements of one key, a page at a time.
 *
 *     hr_auto(hr_redis_scan_done) struct hr_redis_scan scan = {.redis = redis, .match = "user:*"};
 *     const char *key;
 *     int r;
 *     while ((r = hr_redis_scan_next(&scan, &key, NULL)) > 0)
 *         printf("%s\n", key);
 *
 * What is there from the first call to the last comes at least once; it may come more than once,
 * and what is added or removed meanwhile may or may not come (redis.io, SCAN).
 */
#pragma once

#include "drivers/redis.h"

struct hr_redis_scan {
    hr_redis *redis;
    const char *command; /* "SSCAN", "HSCAN", "ZSCAN", of key; NULL: "SCAN", of all keys */
    const char *key;
    const char *match; /* a pattern of names; NULL: all */
    const char *type;  /* SCAN: keys of this type ("hash"); NULL: all */
    unsigned count;    /* about so many are looked at for a page; 0: 100 */

    char cursor[24]; /* private, as what follows */
    hr_reply *page;
    size_t at;
    bool begun, over;
};

/* The next name or element; of HSCAN and ZSCAN fields and values, members and scores come in turns.
 * 1 and *ret, borrowed until the next call, followed by a NUL that is not counted (ret_len may be
 * NULL); 0 at the end; codes as hr_redis_command(), -EPROTO for a reply of another form, -EINVAL
 * for a command without a key. After a failure it may be called again and goes on where it was. */
HR_PUBLIC hr_async int hr_redis_scan_next(struct hr_redis_scan *scan, const char **ret,
                                          size_t *ret_len);
HR_PUBLIC void hr_redis_scan_done(struct hr_redis_scan *scan);

/* A failure names the caller's place in the program. */
#define hr_redis_scan_next(...) hr_from_here(hr_redis_scan_next(__VA_ARGS__))
