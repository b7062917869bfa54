/* SPDX-License-Identifier: MIT */
/*
 * The first, then the second, then the n-th allocation of everything the Redis client does fails.
 * Each time it says so, leaks nothing and waits for nothing; with memory back it works again.
 */
#include <string.h>

#include "drivers/redis.h"
#include "drivers/redis/pipeline.h"
#include "drivers/redis/script.h"
#include "drivers/redis/typed.h"
#include "tests/drivers/redis/redis_calls.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"
#include "tests/support/starve.h"

static int run_script(hr_redis *redis)
{
    struct hr_redis_script script = {
        .name = "echo",
        .source = "return ARGV[1]",
        .len = sizeof("return ARGV[1]") - 1,
        .sha1 = "098e0f0d1448c0a81dafe820f66d460eb09263da",
    };
    struct hr_redis_arg args[40];
    for (size_t i = 0; i < HR_ARRAY_LEN(args); i++)
        args[i] = hr_redis_int((int64_t)i);
    return hr_redis_eval(redis, NULL, &script, 0, NULL, HR_ARRAY_LEN(args), args);
}

static int use_own(hr_redis *redis)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = hr_redis_acquire(redis, &conn);
    return r < 0 ? r : hr_redis_conn_command(conn, &reply, hr_ms(10), "BLPOP none 0.001");
}

static int run_pipelines(hr_redis *redis)
{
    static const char *const keys[] = {"watched"};
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    for (int i = 0; i < 20; i++)
        (void)hr_redis_pipeline_add(p, "SET p:%d %d", i, i);
    int r = hr_redis_pipeline_run(redis, p);
    if (r >= 0)
        r = hr_redis_pipeline_exec(redis, p);
    if (r >= 0)
        r = hr_redis_watch(redis, 1, keys, &conn);
    return r < 0 ? r : hr_redis_conn_pipeline_exec(conn, p);
}

static int use_types(hr_redis *redis)
{
    hr_auto(hr_redis_pairs_done) struct hr_redis_pairs pairs = {0};
    hr_auto(hr_freep) char *text = NULL;
    int r = hr_redis_hset(redis, "h", HR_REDIS_FIELDS({"a", hr_redis_int(1)}));
    if (r >= 0)
        r = hr_redis_command_pairs(redis, &pairs, "HGETALL h");
    return r < 0 ? r : hr_redis_command_text(redis, &text, NULL, "GET k");
}

static int use_lists(hr_redis *redis)
{
    int r = redis_calls_pubsub(redis);
    if (r >= 0)
        r = redis_calls_stream(redis);
    return r < 0 ? r : redis_calls_scan(redis);
}

static int use_client(hr_redis *redis)
{
    char large[2000];
    memset(large, 'x', sizeof(large));
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = hr_redis_command(redis, NULL, "SET k %b", large, sizeof(large));
    if (r >= 0)
        r = hr_redis_command(redis, &reply, "LRANGE l 0 -1");
    if (r >= 0)
        r = hr_join(hr_redis_command_future(redis, "GET k"));
    if (r >= 0)
        r = run_script(redis);
    if (r >= 0)
        r = run_pipelines(redis);
    if (r >= 0)
        r = use_types(redis);
    return r < 0 ? r : use_own(redis);
}

/* Everything, from the options to the last reply; running out anywhere in it. */
static int live(const struct test_redis *server, int (*use)(hr_redis *redis), long n, bool once,
                bool *ret_starved)
{
    starve_after(n, once);
    hr_redis *redis =
        hr_redis_new(&(struct hr_redis_options){.url = server->tcp_url, .client_name = "torture"});
    int r = redis ? use(redis) : hr_last_error()->code;
    *ret_starved = starve_end();
    if (!redis)
        return r;

    int again = 0; /* coming back takes a backoff, so not each time */
    while (n % 16 == 0 && ((again = use(redis)) == -ENOTCONN || again == -ENOMEM))
        ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_ERR(again, 0);
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
    return r;
}

static void torture(int (*use)(hr_redis *redis), bool once)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    ASSERT_TRUE(strstr(test_redis_ask(&server, "RPUSH l a b c d e f"), ":6"));
    bool starved = true;
    long n = 0;
    for (; starved; n++) {
        test_redis_ask(&server, "SCRIPT FLUSH");
        int r = live(&server, use, n, once, &starved);
        if (!starved)
            ASSERT_ERR(r, 0);
        else if (r < 0)
            ASSERT_TRUE(r == -ENOMEM || r == -ENOTCONN || r == HR_ELOST);
    }
    ASSERT_TRUE(n > 20);
}

TEST_REAL(one_failed_allocation_is_an_error_and_no_more)
{
    torture(use_client, true);
}

TEST_REAL(memory_that_stays_out_is_an_error_and_no_more)
{
    torture(use_client, false);
}

TEST_REAL(one_failed_allocation_in_subscriptions_streams_and_scans_is_an_error_and_no_more)
{
    torture(use_lists, true);
}

TEST_REAL(memory_that_stays_out_in_subscriptions_streams_and_scans_is_an_error_and_no_more)
{
    torture(use_lists, false);
}
