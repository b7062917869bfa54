/* SPDX-License-Identifier: MIT */
/*
 * The first, then the second, then the n-th allocation of everything the Redis client does fails.
 * Each time it says so, leaks nothing and waits for nothing; with memory back it works again.
 */
#include <string.h>

#include "core/timeout.h"
#include "drivers/redis.h"
#include "drivers/redis/pipeline.h"
#include "drivers/redis/pubsub.h"
#include "drivers/redis/scan.h"
#include "drivers/redis/script.h"
#include "drivers/redis/stream.h"
#include "drivers/redis/typed.h"
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

/* Nobody waits for a message that was lost, be it with its connection or for want of memory: the
 * reader is told of the gap. */
static int use_pubsub(hr_redis *redis)
{
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
    struct hr_redis_message message;
    struct hr_timeout limit = {0};
    if (!pubsub)
        return hr_last_error()->code;
    int r = hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "c");
    if (r >= 0)
        r = hr_redis_command(redis, NULL, "PUBLISH c x");
    if (r >= 0)
        r = hr_timeout_enter(&limit, test_patience(hr_seconds(5)));
    if (r >= 0)
        r = hr_timeout_leave(&limit, hr_redis_pubsub_next(pubsub, &message));
    if (r < 0)
        return r;
    hr_redis_message_done(&message);
    return hr_redis_unsubscribe(pubsub, HR_REDIS_CHANNEL, "c");
}

static int use_stream(hr_redis *redis)
{
    struct hr_redis_group group = {"stream", "group", "me"};
    struct hr_redis_field field = {"n", hr_redis_int(1)};
    hr_auto(hr_redis_entries_done) struct hr_redis_entries entries = {0};
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    char cursor[HR_REDIS_ID_MAX] = "0-0";
    int r = hr_redis_group_create(redis, &group, "$");
    if (r >= 0)
        r = hr_redis_acquire(redis, &conn);
    if (r >= 0)
        r = hr_redis_add(redis, "stream", 10, 1, &field, NULL);
    if (r >= 0)
        r = hr_redis_read_group(conn, &group, 10, hr_ms(1), &entries);
    if (r >= 0)
        r = hr_redis_claim(redis, &group, 0, 10, cursor, &entries);
    return r > 0 ? hr_redis_ack(redis, &group, &entries) : r;
}

static int use_scan(hr_redis *redis)
{
    hr_auto(hr_redis_scan_done) struct hr_redis_scan scan = {.redis = redis, .match = "p:*"};
    const char *key;
    int r;
    while ((r = hr_redis_scan_next(&scan, &key, NULL)) > 0)
        ;
    return r;
}

static int use_lists(hr_redis *redis)
{
    int r = use_pubsub(redis);
    if (r >= 0)
        r = use_stream(redis);
    return r < 0 ? r : use_scan(redis);
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
