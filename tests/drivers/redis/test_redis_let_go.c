/* SPDX-License-Identifier: MIT */
/*
 * Whoever fails and lets go of what he has, by hand or by hr_auto(), still has his error after it.
 */
#include "drivers/redis.h"
#include "drivers/redis/pipeline.h"
#include "drivers/redis/pubsub.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"

static int push_to_a_text(hr_redis *redis)
{
    return hr_redis_command(redis, NULL, "LPUSH text 1");
}

static int close_client(hr_redis *redis)
{
    int r = push_to_a_text(redis);
    ASSERT_ERR(hr_redis_close(redis), 0);
    return r;
}

static int free_client(hr_redis *redis)
{
    int r = push_to_a_text(redis);
    hr_redis_free(redis);
    return r;
}

static int release_what_watches(hr_redis *redis)
{
    static const char *const keys[] = {"text"};
    hr_auto(hr_redis_releasep) hr_redis_conn *own = NULL;
    ASSERT_ERR(hr_redis_watch(redis, 1, keys, &own), 0);
    return hr_redis_conn_command(own, NULL, 0, "LPUSH text 1");
}

static int free_subscriber(hr_redis *redis)
{
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "c"), 0);
    return push_to_a_text(redis);
}

static void wait_until_alone(void)
{
    struct hr_loop_stats stats;
    do {
        ASSERT_ERR(hr_yield(), 0);
        hr_loop_get_stats(hr_running_loop(), &stats);
    } while (stats.tasks > 1);
}

TEST_REAL(who_lets_go_on_the_way_out_keeps_the_error)
{
    static const struct {
        int (*way)(hr_redis *redis);
        bool frees;
    } ways[] = {
        {close_client,         false},
        {free_client,          true },
        {release_what_watches, false},
        {free_subscriber,      false},
    };
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    for (size_t i = 0; i < HR_ARRAY_LEN(ways); i++) {
        hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = server.unix_url});
        ASSERT_ERR(hr_redis_command(redis, NULL, "SET text x"), 0);
        ASSERT_ERR(ways[i].way(redis), HR_EREPLY);
        ASSERT_STR(hr_last_error()->kind, "WRONGTYPE");
        ASSERT_TRUE(hr_last_error()->sent);
        if (!ways[i].frees)
            hr_redis_free(redis);
        wait_until_alone();
    }
}
