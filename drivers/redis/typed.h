/* SPDX-License-Identifier: MIT */
/*
 * A command and what its reply has to be, in one call.
 *
 * Each of them asks as hr_redis_command() does and fails with its codes, and besides with -EPROTO
 * when the reply is of another type, -ENOMEM when there is no room for a copy. Nil is told apart: 1
 * says that *ret was filled, 0 that there was nothing and *ret is as it was.
 *
 *     int64_t stock;
 *     int r = hr_redis_command_int(redis, &stock, "GET stock:%s", sku);
 *     if (r <= 0)
 *         return r < 0 ? r : unknown(sku);
 */
#pragma once

#include "drivers/redis.h"
#include "drivers/redis/script.h"

/* An integer or boolean, or text that is one. */
HR_PUBLIC hr_async int hr_redis_command_int(hr_redis *redis, int64_t *ret, const char *fmt, ...);

/* A double, an integer, or text that is one of them. */
HR_PUBLIC hr_async int hr_redis_command_double(hr_redis *redis, double *ret, const char *fmt, ...);

/* Bytes, followed by a NUL that is not counted; to be freed. ret_len may be NULL. */
HR_PUBLIC hr_async int hr_redis_command_text(hr_redis *redis, char **ret, size_t *ret_len,
                                             const char *fmt, ...);

/* A name and its value, both followed by a NUL that is not counted. */
struct hr_redis_pair {
    const char *name, *value;
    size_t name_len, value_len;
};

/* Owns what its pairs point to. Starts as { 0 }. */
struct hr_redis_pairs {
    size_t count;
    struct hr_redis_pair *items;
    hr_reply *reply;
};

/* Names and values in the server's order: HGETALL, CONFIG GET, ZRANGE … WITHSCORES; whether they
 * come as a map, one after another, or two and two. The count is returned, 0 for a key that is not
 * there; *ret is filled in any case but failure. */
HR_PUBLIC hr_async int hr_redis_command_pairs(hr_redis *redis, struct hr_redis_pairs *ret,
                                              const char *fmt, ...);

/* Makes pairs of a reply, which they own from then on (also when it fails: freed). */
HR_PUBLIC int hr_redis_pairs_of(hr_reply *reply, struct hr_redis_pairs *ret);
HR_PUBLIC void hr_redis_pairs_done(struct hr_redis_pairs *pairs);

/* The value of a name; NULL when it is not among them. */
HR_PUBLIC const char *hr_redis_pairs_find(const struct hr_redis_pairs *pairs, const char *name);

/* A field to be set. */
struct hr_redis_field {
    const char *name;
    struct hr_redis_arg value;
};

/* hr_redis_hset(redis, key, HR_REDIS_FIELDS({"name", hr_redis_str("Ada")},
 *                                           {"born", hr_redis_int(1815)})) */
#define HR_REDIS_FIELDS(...)                                                                       \
    sizeof((struct hr_redis_field[]){__VA_ARGS__}) / sizeof(struct hr_redis_field),                \
        (const struct hr_redis_field[])                                                            \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* Sets fields of a hash with one command; returns how many of them are new. */
HR_PUBLIC hr_async int hr_redis_hset(hr_redis *redis, const char *key, size_t n,
                                     const struct hr_redis_field *fields);

/* A command of n words, each a string or number; codes as hr_redis_command(). */
HR_PUBLIC hr_async int hr_redis_command_args(hr_redis *redis, hr_reply **ret, size_t n,
                                             const struct hr_redis_arg *args);

/* A failure names the caller's place in the program. */
#define hr_redis_command_int(...)    hr_from_here(hr_redis_command_int(__VA_ARGS__))
#define hr_redis_command_double(...) hr_from_here(hr_redis_command_double(__VA_ARGS__))
#define hr_redis_command_text(...)   hr_from_here(hr_redis_command_text(__VA_ARGS__))
#define hr_redis_command_pairs(...)  hr_from_here(hr_redis_command_pairs(__VA_ARGS__))
#define hr_redis_hset(...)           hr_from_here(hr_redis_hset(__VA_ARGS__))
#define hr_redis_command_args(...)   hr_from_here(hr_redis_command_args(__VA_ARGS__))
