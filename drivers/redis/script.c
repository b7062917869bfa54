/* SPDX-License-Identifier: MIT */
/*
 * EVALSHA costs the hash instead of the source; NOSCRIPT says that nothing was run, so the second
 * request is safe.
 */
#include "drivers/redis/script.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "drivers/redis/client.h"

#define WORDS_ON_STACK 32

struct hr_redis_arg hr_redis_str(const char *text)
{
    return hr_redis_bytes(text, strlen(text));
}

struct hr_redis_arg hr_redis_int(int64_t number)
{
    struct hr_redis_arg arg = {0};
    arg.len = (size_t)snprintf(arg.number, sizeof(arg.number), "%" PRId64, number);
    return arg;
}

/* The words of a command. */
struct words {
    size_t count;
    const char **argv;
    size_t *lens;
};

static void add_word(struct words *words, const char *data, size_t len)
{
    words->argv[words->count] = data;
    words->lens[words->count++] = len;
}

static void add_args(struct words *words, size_t n, const struct hr_redis_arg *args)
{
    for (size_t i = 0; i < n; i++)
        add_word(words, args[i].data ? args[i].data : args[i].number, args[i].len);
}

static int run(hr_redis *redis, hr_reply **ret, struct words *words,
               const struct hr_redis_script *script)
{
    struct hr__redis_request request = {
        .argc = words->count, .argv = words->argv, .lens = words->lens};
    words->argv[0] = "EVALSHA";
    words->lens[0] = strlen("EVALSHA");
    words->argv[1] = script->sha1;
    words->lens[1] = strlen(script->sha1);
    int r = hr__redis_ask(redis, ret, &request);
    if (r != HR_EREPLY || strcmp(hr_last_error()->kind, "NOSCRIPT") != 0)
        return r;
    words->argv[0] = "EVAL";
    words->lens[0] = strlen("EVAL");
    words->argv[1] = script->source;
    words->lens[1] = script->len;
    return hr__redis_ask(redis, ret, &request);
}

int hr_redis_eval(hr_redis *redis, hr_reply **ret, const struct hr_redis_script *script,
                  size_t n_keys, const struct hr_redis_arg *keys, size_t n_args,
                  const struct hr_redis_arg *args)
{
    const char *argv[WORDS_ON_STACK];
    size_t lens[WORDS_ON_STACK];
    struct words words = {.count = 2, .argv = argv, .lens = lens};
    hr_auto(hr_freep) void *heap = NULL;
    size_t total = 3 + n_keys + n_args;
    if (total > WORDS_ON_STACK) {
        heap = calloc(total, sizeof(*argv) + sizeof(*lens));
        if (!heap)
            return hr_fail(-ENOMEM, "%s: no memory for the command", script->name);
        words.argv = heap;
        words.lens = (size_t *)(words.argv + total);
    }
    char count[24];
    int len = snprintf(count, sizeof(count), "%zu", n_keys);
    add_word(&words, count, (size_t)len);
    add_args(&words, n_keys, keys);
    add_args(&words, n_args, args);
    return run(redis, ret, &words, script);
}
