/* SPDX-License-Identifier: MIT */
/*
 * A reply that is larger than max_reply: it ends the connection, and everybody on it learns whose
 * it was.
 */
#include <string.h>

#include "drivers/redis/pipeline.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"

static void answer_large(struct fake_peer *peer)
{
    static char large[32 * 1024];
    memset(large, 'x', sizeof(large));
    if (!fake_introduce(peer) || !fake_next(peer) || !fake_say(peer, "$1000000\r\n"))
        return;
    while (fake_say_bytes(peer, large, sizeof(large)))
        ;
}

TEST(a_reply_larger_than_max_reply_ends_the_connection_with_a_reason)
{
    struct fake_redis fake;
    fake_start(&fake, answer_large, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.max_reply = 100000});
    ASSERT_ERR(hr_redis_command(redis, NULL, "LARGE"), HR_ELOST);
    ASSERT_TRUE(strstr(hr_last_error()->message, "larger than max_reply (100000 bytes)"));
    fake_client_end(redis, &fake);
}

static int ask_argv(void *redis)
{
    const char *const argv[] = {"HGETALL", "h"};
    return hr_redis_command_argv(redis, NULL, 2, argv, NULL);
}

static int ask_by_argument(void *redis)
{
    return hr_redis_command(redis, NULL, "%s k", "GET");
}

static int ask_on_own(void *redis)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    int r = hr_redis_acquire(redis, &conn);
    return r < 0 ? r : hr_redis_conn_command(conn, NULL, 0, " LRANGE l 0 -1");
}

static int ask_late(void *redis)
{
    return hr_join(hr_redis_command_future(redis, "SMEMBERS %s", "s"));
}

static int ask_pipeline(void *redis)
{
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    ASSERT_ERR(hr_redis_pipeline_add(p, "KEYS %s", "*"), 0);
    return hr_redis_pipeline_run(redis, p);
}

/* OK, QUEUED and QUEUED, and what EXEC answers is too large. */
static void answer_exec_large(struct fake_peer *peer)
{
    if (fake_introduce(peer) && fake_next(peer))
        fake_say(peer, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n$1000000\r\n");
    fake_silence(peer);
}

static int ask_transaction(void *redis)
{
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    ASSERT_ERR(hr_redis_pipeline_add(p, "GET a"), 0);
    ASSERT_ERR(hr_redis_pipeline_add(p, "GET b"), 0);
    return hr_redis_pipeline_exec(redis, p);
}

TEST(the_command_whose_reply_was_too_large_is_named)
{
    static const struct {
        int (*ask)(void *redis);
        void (*serve)(struct fake_peer *peer);
        const char *says;
    } cases[] = {
        {ask_argv,        answer_large,      ": the reply to HGETALL is larger" },
        {ask_by_argument, answer_large,      ": the reply is larger"            },
        {ask_on_own,      answer_large,      ": the reply to LRANGE is larger"  },
        {ask_late,        answer_large,      ": the reply to SMEMBERS is larger"},
        {ask_pipeline,    answer_large,      ": the reply to KEYS is larger"    },
        {ask_transaction, answer_exec_large, ": the reply to EXEC is larger"    },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        struct fake_redis fake;
        fake_start(&fake, cases[i].serve, NULL);
        hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.max_reply = 100000});
        ASSERT_ERR(cases[i].ask(redis), HR_ELOST);
        if (!strstr(hr_last_error()->message, cases[i].says))
            test_fail(__FILE__, __LINE__, "%s: %s", cases[i].says, hr_last_error()->message);
        fake_client_end(redis, &fake);
    }
}

/* Answers what came before, and then too much. */
static void answer_second_large(struct fake_peer *peer)
{
    if (fake_introduce(peer) && fake_next(peer) && fake_next(peer) && fake_next(peer))
        fake_say(peer, "+one\r\n$1000000\r\n");
    fake_silence(peer);
}

static int ask_one(void *redis)
{
    return hr_redis_command(redis, NULL, "ONE");
}

static int ask_three(void *redis)
{
    return hr_redis_command(redis, NULL, "THREE");
}

TEST(a_command_that_is_lost_with_a_large_reply_learns_whose_it_was)
{
    struct fake_redis fake;
    fake_start(&fake, answer_second_large, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.max_reply = 100000});
    hr_task *one = hr_create_task(NULL, ask_one, redis);
    hr_task *two = hr_create_task(NULL, ask_argv, redis);
    hr_task *three = hr_create_task(NULL, ask_three, redis);
    ASSERT_ERR(hr_join(one), 0);
    ASSERT_ERR(hr_join(two), HR_ELOST);
    ASSERT_TRUE(strstr(hr_last_error()->message, "the reply to HGETALL is larger"));
    ASSERT_ERR(hr_join(three), HR_ELOST);
    ASSERT_TRUE(strstr(hr_last_error()->message, "the reply to HGETALL is larger"));
    fake_client_end(redis, &fake);
}
