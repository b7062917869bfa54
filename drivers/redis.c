/* SPDX-License-Identifier: MIT */
/*
 * The client itself: options, making, closing, what it tells of itself.
 */
#include "drivers/redis.h"

#include <stdio.h>
#include <string.h>

#include "drivers/missing.h"
#include "drivers/redis/client.h"
#include "drivers/redis/sentinel.h"
#include "drivers/tls_impl.h"

#define DEFAULT_CONNECTIONS 4
#define DEFAULT_MAX_PENDING ((size_t)16 << 20)
#define DEFAULT_MAX_REPLY   ((size_t)512 << 20)
#define MAX_REPLY_MOST      ((size_t)1 << 30)
#define IDLE_TIME           hr_seconds(60)
#define PING_AFTER          hr_seconds(15)
static const struct hr_backoff reconnect_backoff = {
    .first = 100000, .max = 5000000, .factor = 2, .jitter = true};

struct hr_redis *hr__redis_ref(struct hr_redis *redis)
{
    redis->refs++;
    return redis;
}

static void free_target(struct hr__redis_target *target)
{
    hr_url_done(&target->url);
    if (target->password)
        explicit_bzero(target->password, strlen(target->password));
    free(target->password);
    free(target->client_name);
    hr__redis_sentinel_free(target->sentinel);
    hr__tls_context_free(target->tls);
    hr__redis_census_unref(target->census);
}

void hr__redis_unref(struct hr_redis *redis)
{
    if (--redis->refs > 0)
        return;
    free_target(&redis->target);
    hr_event_done(&redis->moved);
    hr_event_done(&redis->nudge);
    hr_event_done(&redis->ended);
    hr_error_done(&redis->error);
    free(redis);
}

static int copy_string(const char *text, char **ret)
{
    if (!text)
        return 0;
    *ret = strdup(text);
    return *ret ? 0 : hr_fail(-ENOMEM, "redis: no memory for a client");
}

/* What does not hang on how many servers there are. */
static int fill_target(struct hr__redis_target *target, const struct hr_redis_options *options)
{
    const char *what = "the url is missing";
    size_t offset = 0;
    int r = options->url
                ? hr_url_parse_for(HR_URL_REDISES, options->url, &target->url, &what, &offset)
                : -EINVAL;
    if (r == -ENOMEM)
        return hr_fail(r, "redis: no memory for a client");
    if (r < 0)
        return hr_fail(r, "redis: the url is wrong at character %zu: %s", offset + 1, what);
    if (options->client_name && strpbrk(options->client_name, " \t\r\n"))
        return hr_fail(-EINVAL, "redis: a client's name has no blanks");
    if (options->protocol == 1 || options->protocol > 3)
        return hr_fail(-EINVAL, "redis: the protocol is 2 or 3");
    if (options->max_reply > MAX_REPLY_MOST)
        return hr_fail(-EINVAL, "redis: max_reply is more than %zu bytes", MAX_REPLY_MOST);
    if (hr_url_set_user(&target->url, options->user) < 0)
        return hr_fail(-ENOMEM, "redis: no memory for a client");
    r = copy_string(options->password, &target->password);
    if (r == 0)
        r = copy_string(options->client_name, &target->client_name);
    if (r == 0)
        r = hr__tls_context_new(&target->url, &options->tls, &target->tls);
    target->protocol = options->protocol;
    target->connect_timeout = options->connect_timeout ? options->connect_timeout : hr_seconds(3);
    target->limits = (struct hr__redis_limits){
        .max_pending = options->max_pending ? options->max_pending : DEFAULT_MAX_PENDING,
        .max_reply = options->max_reply ? options->max_reply : DEFAULT_MAX_REPLY,
    };
    target->census = hr__redis_census_new();
    if (r == 0 && !target->census)
        r = hr_fail(-ENOMEM, "redis: no memory for a client");
    if (r == 0)
        hr__redis_target_describe(target);
    if (r == 0 && target->url.scheme == HR_URL_SENTINEL)
        r = hr__redis_sentinel_new(options, target, &target->sentinel);
    return r;
}

/* A client without a target. NULL: no memory. */
static struct hr_redis *make_client(unsigned connections, hr_usec command_timeout, hr_usec patience,
                                    const struct hr_backoff *backoff)
{
    struct hr_redis *redis = calloc(1, sizeof(*redis));
    struct hr_pool_options pool = {
        .limit = connections,
        .idle = IDLE_TIME,
        .max_age = HR_FOREVER,
        .ping_after = PING_AFTER,
        .patience = patience,
        .backoff = *backoff,
    };
    if (redis)
        redis->pool = hr_pool_new(&hr__redis_own_ops, redis, &pool);
    if (!redis || !redis->pool) {
        free(redis);
        (void)hr_fail(-ENOMEM, "redis: no memory for a client");
        return NULL;
    }
    redis->refs = 1;
    redis->target.deaf = &redis->deaf;
    hr_list_init(&redis->pubsubs);
    hr_list_init(&redis->retired);
    redis->backoff = *backoff;
    redis->connections = connections;
    redis->command_timeout = command_timeout;
    redis->patience = patience;
    hr_event_init(&redis->moved);
    hr_event_init(&redis->nudge);
    hr_event_init(&redis->ended);
    hr_event_set(&redis->ended);
    return redis;
}

hr_redis *hr__redis_new_pattern(const struct hr_redis_options *options)
{
    static const struct hr_redis_options defaults;
    options = options ? options : &defaults;
    hr_redis *redis = make_client(
        options->connections ? options->connections : DEFAULT_CONNECTIONS,
        options->command_timeout ? options->command_timeout : hr_seconds(5), options->patience,
        options->reconnect.first > 0 ? &options->reconnect : &reconnect_backoff);
    if (!redis)
        return NULL;
    redis->repeats = options->repeats;
    return fill_target(&redis->target, options) < 0 ? hr_redis_free(redis) : redis;
}

hr_redis *hr_redis_new(const struct hr_redis_options *options)
{
    hr_redis *redis = hr__redis_new_pattern(options);
    if (redis && redis->target.url.scheme == HR_URL_CLUSTER) {
        redis = hr_redis_free(redis);
        (void)hr_fail(-EINVAL,
                      "redis: the url is that of a cluster (hr_redis_cluster_new() takes it)");
    }
    return redis;
}

/* The target of a pattern, but for the address. */
static int fill_beside(struct hr__redis_target *target, const struct hr__redis_target *pattern,
                       const struct hr__redis_address *address)
{
    const char *password = pattern->password ? pattern->password : pattern->url.password;
    int r = copy_string(address->host, &target->url.host);
    if (r == 0)
        r = copy_string(password, &target->password);
    if (r == 0)
        r = copy_string(pattern->client_name, &target->client_name);
    if (r == 0 && hr_url_set_user(&target->url, pattern->url.user) < 0)
        r = hr_fail(-ENOMEM, "redis: no memory for a client");
    target->url.port = address->port;
    target->protocol = pattern->protocol;
    target->connect_timeout = pattern->connect_timeout;
    target->limits = pattern->limits;
    target->tls = hr__tls_context_ref(pattern->tls);
    target->census = hr__redis_census_new();
    if (r == 0 && !target->census)
        r = hr_fail(-ENOMEM, "redis: no memory for a client");
    if (r == 0)
        hr__redis_target_describe(target);
    return r;
}

hr_redis *hr__redis_new_beside(const hr_redis *pattern, const struct hr__redis_address *address)
{
    hr_redis *redis =
        make_client(pattern->connections, pattern->command_timeout, 0, &pattern->backoff);
    if (redis && fill_beside(&redis->target, &pattern->target, address) < 0)
        redis = hr_redis_free(redis);
    return redis;
}

int hr_redis_close(hr_redis *redis)
{
    if (!redis)
        return hr__missing_object("redis: a client");
    int r = hr_running_loop() ? hr__redis_check_loop(redis) : 0;
    if (r < 0)
        return r;
    hr__redis_ref(redis);
    hr__redis_shut(redis);
    r = hr_event_wait_as(&redis->ended, "its connection to close");
    if (r >= 0)
        r = hr_pool_close(redis->pool);
    if (r >= 0)
        r = hr_event_wait_as(&redis->target.census->none, "its connections to close");
    hr__redis_unref(redis);
    return r;
}

hr_redis *hr_redis_free(hr_redis *redis)
{
    if (!redis)
        return NULL;
    hr__redis_shut(redis);
    redis->changed = NULL;
    hr_pool_free(hr_take(redis->pool));
    hr__redis_unref(redis);
    return NULL;
}

void hr_redis_freep(hr_redis **redis)
{
    *redis = hr_redis_free(*redis);
}

void hr_redis_on_state(hr_redis *redis, void (*changed)(bool up, void *cookie), void *cookie)
{
    if (!redis)
        return;
    redis->changed = changed;
    redis->cookie = cookie;
    redis->told_up = hr__redis_is_up(redis);
}

hr_usec hr_redis_up_since(const hr_redis *redis)
{
    return redis && hr__redis_is_up(redis) ? redis->up_since : HR_FOREVER;
}

void hr_redis_get_stats(const hr_redis *redis, struct hr_pool_stats *ret)
{
    hr_pool_get_stats(redis ? redis->pool : NULL, ret);
    if (!redis)
        return;
    ret->open += hr__redis_is_up(redis);
    ret->waiting += redis->waiting;
    ret->opened += redis->opened;
    ret->failed += redis->failed;
    ret->up = hr__redis_is_up(redis);
}
