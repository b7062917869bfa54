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
#include "drivers/redis/script_impl.h"
#include "drivers/redis/words.h"

struct hr_redis_arg hr_redis_str(const char *text)
{
    return hr_redis_bytes(text, text ? strlen(text) : SIZE_MAX);
}

struct hr_redis_arg hr_redis_int(int64_t number)
{
    struct hr_redis_arg arg = {0};
    arg.len = (size_t)snprintf(arg.number, sizeof(arg.number), "%" PRId64, number);
    return arg;
}

int hr__redis_eval_by(hr__redis_asker *ask, void *client, hr_reply **ret,
                      const struct hr_redis_script *script, size_t n_keys,
                      const struct hr_redis_arg *keys, size_t n_args,
                      const struct hr_redis_arg *args)
{
    hr_auto(hr__words_done) struct hr__words words;
    int r = hr__words_init_call(&words, "EVALSHA", script->sha1, n_keys, keys, n_args, args);
    if (r < 0)
        return r;
    struct hr__redis_request request = hr__words_request(&words);
    r = ask(client, ret, &request);
    if (r != HR_EREPLY || strcmp(hr_last_error()->kind, "NOSCRIPT") != 0)
        return r;
    words.argv[0] = "EVAL";
    words.lens[0] = strlen("EVAL");
    words.argv[1] = script->source;
    words.lens[1] = script->len;
    return ask(client, ret, &request);
}

static int ask_client(void *client, hr_reply **ret, const struct hr__redis_request *request)
{
    return hr__redis_ask(client, ret, request);
}

int(hr_redis_eval)(hr_redis *redis, hr_reply **ret, const struct hr_redis_script *script,
                   size_t n_keys, const struct hr_redis_arg *keys, size_t n_args,
                   const struct hr_redis_arg *args)
{
    return hr__redis_eval_by(ask_client, redis, ret, script, n_keys, keys, n_args, args);
}

int(hr_redis_function_load)(hr_redis *redis, const char *source, size_t len)
{
    const char *argv[] = {"FUNCTION", "LOAD", "REPLACE", source};
    size_t lens[] = {strlen("FUNCTION"), strlen("LOAD"), strlen("REPLACE"), len};
    return hr_redis_command_argv(redis, NULL, HR_ARRAY_LEN(argv), argv, lens);
}

int(hr_redis_fcall)(hr_redis *redis, hr_reply **ret, const char *function, size_t n_keys,
                    const struct hr_redis_arg *keys, size_t n_args, const struct hr_redis_arg *args)
{
    hr_auto(hr__words_done) struct hr__words words;
    int r = hr__words_init_call(&words, "FCALL", function, n_keys, keys, n_args, args);
    if (r < 0)
        return r;
    struct hr__redis_request request = hr__words_request(&words);
    return hr__redis_ask(redis, ret, &request);
}
