/* SPDX-License-Identifier: MIT */
/*
 * Lua on the server: scripts by their hash, EVALSHA, and EVAL once where the server does not know
 * them yet; and functions (Redis 7), which are loaded by name.
 */
#pragma once

#include "drivers/redis.h"

struct hr_redis_script {
    const char *name; /* for messages */
    const char *source;
    size_t len;
    char sha1[41]; /* of source, in hexadecimal */
};

/* A string or number among a script's keys and arguments. */
struct hr_redis_arg {
    const char *data; /* borrowed; NULL: the number */
    size_t len;
    char number[24];
};

/* Runs the script on the shared connection. Codes as hr_redis_command(). On NOSCRIPT it is sent
 * whole, once: that request was surely not carried out. */
HR_PUBLIC hr_async int hr_redis_eval(hr_redis *redis, hr_reply **ret,
                                     const struct hr_redis_script *script, size_t n_keys,
                                     const struct hr_redis_arg *keys, size_t n_args,
                                     const struct hr_redis_arg *args);

/* Loads a library of functions ("#!lua name=mylib …"), in place of one of the same name. Put a
 * version into the name where programs of several versions share a server. */
HR_PUBLIC hr_async int hr_redis_function_load(hr_redis *redis, const char *source, size_t len);

/* Calls one of them. Codes as hr_redis_command(). */
HR_PUBLIC hr_async int hr_redis_fcall(hr_redis *redis, hr_reply **ret, const char *function,
                                      size_t n_keys, const struct hr_redis_arg *keys, size_t n_args,
                                      const struct hr_redis_arg *args);

/* A NULL with bytes, and one for a text, is refused when the command is sent: -EINVAL. */
static inline struct hr_redis_arg hr_redis_bytes(const void *data, size_t len)
{
    return (struct hr_redis_arg){(const char *)data, data || len == 0 ? len : SIZE_MAX, ""};
}
HR_PUBLIC struct hr_redis_arg hr_redis_str(const char *text);
HR_PUBLIC struct hr_redis_arg hr_redis_int(int64_t number);

/* A failure names the caller's place in the program. */
#define hr_redis_eval(...)          hr_from_here(hr_redis_eval(__VA_ARGS__))
#define hr_redis_function_load(...) hr_from_here(hr_redis_function_load(__VA_ARGS__))
#define hr_redis_fcall(...)         hr_from_here(hr_redis_fcall(__VA_ARGS__))
