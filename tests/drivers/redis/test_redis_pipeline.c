/* SPDX-License-Identifier: MIT */
/*
 * Pipelines give an outcome for each command (22.8); transactions go as one piece and tell a
 * refusal, a changed key and a loss apart.
 */
#include "drivers/redis/pipeline.h"

#include <string.h>

#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"
#include "tests/support/ticker.h"

static hr_redis *client(const struct test_redis *server)
{
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = server->unix_url});
    ASSERT_TRUE(redis);
    return redis;
}

static void client_end(hr_redis *redis)
{
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
}

static int outcome(const hr_redis_pipeline *p, size_t i)
{
    return hr_redis_pipeline_at(p, i)->code;
}

static const hr_reply *reply(const hr_redis_pipeline *p, size_t i)
{
    return hr_redis_pipeline_at(p, i)->reply;
}

static const struct hr_redis_script echo = {
    .name = "echo",
    .source = "return ARGV[1]",
    .len = sizeof("return ARGV[1]") - 1,
    .sha1 = "098e0f0d1448c0a81dafe820f66d460eb09263da",
};

TEST_REAL(s22_8_a_pipeline_gives_an_array_of_outcomes)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server);
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    ASSERT_ERR(hr_redis_pipeline_run(redis, p), -EINVAL);
    for (int round = 1; round <= 2; round++) {
        ASSERT_ERR(hr_redis_pipeline_add(p, "SET k %s", "v w"), 0);
        ASSERT_ERR(hr_redis_pipeline_add(p, "INCR k"), 0);
        ASSERT_ERR(hr_redis_pipeline_add(p, "GET k"), 0);
        ASSERT_ERR(hr_redis_pipeline_add(p, "GET none"), 0);
        ASSERT_TRUE(hr_redis_pipeline_at(p, 0) == NULL);
        ASSERT_ERR(hr_redis_pipeline_run(redis, p), HR_EREPLY);
        ASSERT_STR(hr_last_error()->kind, "ERR");
        ASSERT_STR(hr_last_error()->message, "command 2 of 4, INCR: ERR value is not an integer "
                                             "or out of range");
        ASSERT_EQ(hr_redis_pipeline_len(p), 4);
        ASSERT_ERR(outcome(p, 0), 0);
        ASSERT_ERR(outcome(p, 1), HR_EREPLY);
        ASSERT_TRUE(strstr(hr_reply_str(reply(p, 1), NULL), "not an integer"));
        ASSERT_TRUE(hr_reply_equals(reply(p, 2), "v w"));
        ASSERT_TRUE(hr_reply_is_nil(reply(p, 3)));
        ASSERT_TRUE(hr_redis_pipeline_at(p, 3)->sent);
        ASSERT_TRUE(hr_redis_pipeline_at(p, 4) == NULL);
        hr_redis_pipeline_clear(p);
    }
    client_end(redis);
}

TEST_REAL(a_pipeline_may_be_run_again_and_be_long)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server);
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    for (int i = 0; i < 5000; i++)
        hr_redis_pipeline_add(p, "INCR n:%d", i);
    for (int64_t round = 1; round <= 3; round++) {
        ASSERT_ERR(round == 3 ? hr_redis_pipeline_exec(redis, p) : hr_redis_pipeline_run(redis, p),
                   0);
        for (size_t i = 0; i < 5000; i++)
            ASSERT_EQ(hr_reply_int(reply(p, i)), round);
    }
    client_end(redis);
}

TEST_REAL(a_wrong_command_keeps_a_pipeline_from_being_sent)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server);
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    ASSERT_ERR(hr_redis_pipeline_add(p, "SET k v"), 0);
    ASSERT_ERR(hr_redis_pipeline_add(p, "SET k %q", 1), -EINVAL);
    ASSERT_ERR(hr_redis_pipeline_run(redis, p), -EINVAL);
    ASSERT_ERR(hr_redis_pipeline_exec(redis, p), -EINVAL);
    ASSERT_TRUE(strstr(test_redis_ask(&server, "GET k"), "$-1"));
    ASSERT_ERR(hr_redis_pipeline_add(NULL, "PING"), -ENOMEM);
    ASSERT_ERR(hr_redis_pipeline_run(redis, NULL), -ENOMEM);
    client_end(redis);
}

TEST_REAL(scripts_are_loaded_ahead_of_a_pipeline)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server);
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    struct hr_redis_arg arg = hr_redis_str("hello"),
                        set[] = {hr_redis_str("SET"), hr_redis_str("k"), hr_redis_int(7)};
    ASSERT_ERR(hr_redis_pipeline_add_args(p, 3, set), 0);
    ASSERT_ERR(hr_redis_pipeline_add_script(p, &echo, 0, NULL, 1, &arg), 0);
    ASSERT_ERR(hr_redis_pipeline_add_script(p, &echo, 0, NULL, 1, &set[2]), 0);
    for (int atomic = 0; atomic < 2; atomic++) {
        test_redis_ask(&server, "SCRIPT FLUSH");
        ASSERT_ERR(atomic ? hr_redis_pipeline_exec(redis, p) : hr_redis_pipeline_run(redis, p), 0);
        ASSERT_TRUE(hr_reply_equals(reply(p, 0), "OK"));
        ASSERT_TRUE(hr_reply_equals(reply(p, 1), "hello"));
        ASSERT_TRUE(hr_reply_equals(reply(p, 2), "7"));
    }
    client_end(redis);
}

TEST_TICKING(r5_a_refused_command_aborts_the_transaction)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server);
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    hr_redis_pipeline_add(p, "SET k v");
    hr_redis_pipeline_add(p, "NOSUCH");
    ASSERT_ERR(hr_redis_pipeline_exec(redis, p), HR_EREPLY);
    ASSERT_STR(hr_last_error()->kind, "EXECABORT");
    ASSERT_TRUE(strstr(hr_last_error()->message, "command 2 of 2, NOSUCH: EXECABORT "));
    ASSERT_TRUE(strstr(hr_last_error()->message, "unknown command")); /* why */
    ASSERT_ERR(outcome(p, 0), -ENOEXEC);
    ASSERT_ERR(outcome(p, 1), HR_EREPLY);
    ASSERT_TRUE(strstr(hr_reply_str(reply(p, 1), NULL), "unknown command"));

    /* A command that fails while it is carried out leaves the others as they are. */
    hr_redis_pipeline_clear(p);
    hr_redis_pipeline_add(p, "SET k v");
    hr_redis_pipeline_add(p, "INCR k");
    hr_redis_pipeline_add(p, "GET k");
    ASSERT_ERR(hr_redis_pipeline_exec(redis, p), HR_EREPLY);
    ASSERT_STR(hr_last_error()->kind, "ERR");
    ASSERT_ERR(outcome(p, 1), HR_EREPLY);
    ASSERT_TRUE(hr_reply_equals(reply(p, 2), "v"));
    client_end(redis);
}

TEST_REAL(a_watched_key_that_changed_stops_the_transaction)
{
    static const char *const keys[] = {"stock", "orders"};
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server);
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    hr_redis_pipeline_add(p, "DECR stock");
    hr_redis_conn *conn = NULL;
    struct hr_pool_stats stats;
    for (int round = 0; round < 3; round++) {
        bool disturb = round == 1;
        ASSERT_ERR(hr_redis_watch(redis, 2, keys, &conn), 0);
        ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, "GET stock"), 0);
        if (disturb)
            ASSERT_ERR(hr_redis_command(redis, NULL, "SET stock 10"), 0);
        ASSERT_ERR(hr_redis_conn_pipeline_exec(conn, p), disturb ? -EAGAIN : 0);
        ASSERT_ERR(outcome(p, 0), disturb ? -ENOEXEC : 0);
        hr_redis_release(conn);
    }
    ASSERT_TRUE(strstr(test_redis_ask(&server, "GET stock"), "9"));
    hr_redis_get_stats(redis, &stats);
    ASSERT_EQ(stats.opened, 2); /* the shared one, and one that was used again each time */

    ASSERT_ERR(hr_redis_watch(redis, 1, keys, &conn), 0);
    hr_redis_release(conn); /* left: it must not watch for the next borrower */
    ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET stock 5"), 0);
    ASSERT_ERR(hr_redis_conn_pipeline_exec(conn, p), 0);
    hr_redis_release(conn);
    client_end(redis);
}

struct counter {
    hr_redis *redis;
    bool stop;
};

static int count_up(void *arg)
{
    struct counter *c = arg;
    while (!c->stop)
        ASSERT_ERR(hr_redis_command(c->redis, NULL, "INCR ticks"), 0);
    return 0;
}

/* Whether nothing came between: both reads see the same number of ticks. */
TEST_REAL(no_other_command_comes_into_a_transaction)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server);
    struct counter c = {.redis = redis};
    hr_task *counter = hr_create_task("counter", count_up, &c);
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    hr_redis_pipeline_add(p, "INCR ticks");
    for (int i = 0; i < 50; i++)
        hr_redis_pipeline_add(p, "SET k:%d %d", i, i);
    hr_redis_pipeline_add(p, "INCR ticks");
    for (int i = 0; i < 100; i++) {
        ASSERT_ERR(hr_redis_pipeline_exec(redis, p), 0);
        ASSERT_EQ(hr_reply_int(reply(p, 51)), hr_reply_int(reply(p, 0)) + 1);
    }
    c.stop = true;
    ASSERT_ERR(hr_join(counter), 0);
    client_end(redis);
}

/* Cancels a run at its n-th pass: later replies must not shift. */
struct cut {
    hr_redis *redis;
    bool atomic;
    int code;
};

static int run_cut(void *arg)
{
    struct cut *cut = arg;
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    for (int i = 0; i < 10; i++)
        hr_redis_pipeline_add(p, "ECHO inside-%d", i);
    cut->code =
        cut->atomic ? hr_redis_pipeline_exec(cut->redis, p) : hr_redis_pipeline_run(cut->redis, p);
    return 0;
}

TEST_TICKING(r1_a_cancelled_pipeline_shifts_no_replies)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server);
    int cancelled = 0;
    for (int n = 0; n < 60; n++) {
        struct cut cut = {.redis = redis, .atomic = n % 2};
        hr_task *task = hr_create_task("cut", run_cut, &cut);
        test_passes(n / 2);
        hr_task_cancel(task, "early");
        hr_auto(hr_reply_freep) hr_reply *mine = NULL;
        ASSERT_ERR(hr_redis_command(redis, &mine, "ECHO outside-%d", n), 0);
        char want[32];
        snprintf(want, sizeof(want), "outside-%d", n);
        ASSERT_TRUE(hr_reply_equals(mine, want));
        int r = hr_join(task);
        ASSERT_TRUE(r == 0 || r == -ECANCELED);
        cancelled += cut.code == -ECANCELED;
    }
    ASSERT_TRUE(cancelled > 3);
    client_end(redis);
}

/* Answers the introduction and then n commands, and hangs up. */
static void answer_some(struct fake_peer *peer)
{
    if (peer->number > 1 || !fake_introduce(peer))
        return;
    for (const int *n = peer->arg, *end = n + *n; n < end; n++) {
        if (!fake_next(peer) || !fake_say(peer, "+OK\r\n"))
            return;
    }
    (void)fake_next(peer);
}

TEST(r3_a_lost_connection_gives_each_command_of_a_pipeline_its_outcome)
{
    static const int answered[] = {3, 0, 0};
    struct fake_redis fake;
    fake_start(&fake, answer_some, (void *)answered);
    hr_redis *redis = fake_client(&fake, NULL);
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    for (int i = 0; i < 6; i++)
        hr_redis_pipeline_add(p, "INCR n");
    ASSERT_ERR(hr_redis_pipeline_run(redis, p), HR_ELOST);
    ASSERT_TRUE(hr_last_error()->sent);
    ASSERT_FALSE(strstr(hr_last_error()->message, "INCR")); /* which has nothing to do with it */
    for (size_t i = 0; i < 6; i++) {
        ASSERT_ERR(outcome(p, i), i < 3 ? 0 : HR_ELOST);
        ASSERT_TRUE(hr_redis_pipeline_at(p, i)->sent);
    }
    fake_client_end(redis, &fake);
}

TEST(a_transaction_larger_than_what_may_be_pending_is_refused)
{
    struct fake_redis fake;
    fake_start(&fake, fake_introduce_only, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.max_pending = 1000});
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    for (int i = 0; i < 100; i++)
        hr_redis_pipeline_add(p, "INCR n");
    ASSERT_ERR(hr_redis_pipeline_exec(redis, p), -ENOBUFS);
    ASSERT_TRUE(hr_redis_pipeline_at(p, 0) == NULL);
    fake_client_end(redis, &fake);
}
