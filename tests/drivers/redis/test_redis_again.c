/* SPDX-License-Identifier: MIT */
/*
 * What is sent again: only what was never sent, or what may be carried out twice; and how long a
 * command waits for a connection.
 */
#include <string.h>

#include "drivers/redis/client.h"
#include "drivers/redis/pipeline.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"

/* The first connections hang up at the first command behind the introduction. */
struct moody {
    int bad;       /* so many */
    bool no_hello; /* they hang up before the introduction instead */
    int commands;  /* heard altogether */
};

static void serve_moodily(struct fake_peer *peer)
{
    struct moody *m = peer->arg;
    bool bad = peer->number <= m->bad;
    if ((bad && m->no_hello) || !fake_introduce(peer))
        return;
    while (fake_next(peer)) {
        m->commands++;
        if (bad || !fake_say(peer, "+OK\r\n"))
            return;
    }
}

TEST(r3_what_was_sent_is_not_sent_again_by_itself)
{
    struct fake_redis fake;
    struct moody m = {.bad = 1};
    fake_start(&fake, serve_moodily, &m);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.patience = hr_seconds(5)});
    ASSERT_ERR(hr_redis_command(redis, NULL, "INCR n"), HR_ELOST);
    ASSERT_TRUE(hr_last_error()->sent);
    ASSERT_EQ(m.commands, 1);
    fake_client_end(redis, &fake);
}

/* Answers nobody but the first, and hangs up on his command. */
static void serve_once(struct fake_peer *peer)
{
    if (peer->number == 1 && fake_introduce(peer))
        (void)fake_next(peer);
}

TEST(r3_what_was_sent_once_is_not_called_unsent_since_it_could_not_be_sent_again)
{
    struct fake_redis fake;
    fake_start(&fake, serve_once, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command_repeat(redis, NULL, 3, "INCR n"), HR_ELOST);
    ASSERT_TRUE(hr_last_error()->sent);
    fake_client_end(redis, &fake);
}

TEST(r3_what_had_not_left_when_the_connection_was_lost_was_never_sent)
{
    struct fake_redis fake;
    fake_start(&fake, fake_introduce_only, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    struct hr__redis_conn *conn = NULL;
    ASSERT_ERR(hr__redis_get_conn(redis, &conn), 0);
    hr_future *left = hr_redis_command_future(redis, "INCR n");
    test_passes(3);
    hr_future *stays = hr_redis_command_future(redis, "INCR n");
    hr__redis_conn_fail(conn, -ECONNRESET, 0);
    ASSERT_ERR(hr_join(left), HR_ELOST);
    ASSERT_TRUE(hr_last_error()->sent);
    ASSERT_ERR(hr_join(stays), -ENOTCONN);
    ASSERT_FALSE(hr_last_error()->sent);
    fake_client_end(redis, &fake);
}

TEST(what_may_be_carried_out_twice_is_sent_again)
{
    for (int of_client = 0; of_client < 2; of_client++) {
        struct fake_redis fake;
        struct moody m = {.bad = 2};
        fake_start(&fake, serve_moodily, &m);
        hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){
                                                 .patience = hr_seconds(5),
                                                 .repeats = of_client ? 3 : 0,
                                             });
        ASSERT_ERR(of_client ? hr_redis_command(redis, NULL, "SET a %d", 7)
                             : hr_redis_command_repeat(redis, NULL, 3, "SET a %d", 7),
                   0);
        ASSERT_EQ(m.commands, 3);
        ASSERT_EQ(fake.accepted, 3);
        fake_client_end(redis, &fake);
    }
}

TEST(repeating_has_an_end_and_does_not_forget_that_it_was_sent)
{
    struct fake_redis fake;
    struct moody m = {.bad = 16};
    fake_start(&fake, serve_moodily, &m);
    hr_redis *redis =
        fake_client(&fake, &(struct hr_redis_options){.patience = hr_seconds(9),
                                                      .command_timeout = hr_seconds(9)});
    ASSERT_ERR(hr_redis_command_repeat(redis, NULL, 2, "SET a b"), HR_ELOST);
    ASSERT_EQ(m.commands, 3);
    fake_client_end(redis, &fake);

    /* Sent once, and then there is no server any more: there is still no telling. */
    m = (struct moody){.bad = 1};
    fake_start(&fake, serve_moodily, &m);
    redis = fake_client(&fake, &(struct hr_redis_options){.patience = hr_ms(500)});
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET a b"), HR_ELOST);
    m = (struct moody){.bad = 15, .no_hello = true};
    ASSERT_ERR(hr_redis_command_repeat(redis, NULL, 2, "SET a b"), -ETIMEDOUT);
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_EQ(m.commands, 0);
    fake_client_end(redis, &fake);
}

TEST(a_patient_client_waits_through_attempts)
{
    struct fake_redis fake;
    struct moody m = {.bad = 6, .no_hello = true};
    fake_start(&fake, serve_moodily, &m);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.patience = hr_seconds(5)});
    hr_future *early = hr_redis_command_future(redis, "GET x");
    ASSERT_ERR(hr_redis_command(redis, NULL, "GET y"), 0);
    ASSERT_ERR(hr_join(early), 0);
    ASSERT_EQ(fake.accepted, 7); /* who hangs up on HELLO is asked once more without */
    ASSERT_TRUE(test_clock_now() > hr_ms(50) && test_clock_now() < hr_seconds(5));
    fake_client_end(redis, &fake);
}

/* Is ready late, and later still with its first answer. */
static void be_late(struct fake_peer *peer)
{
    if (hr_sleep(hr_ms(900)) < 0 || !fake_introduce(peer) || !fake_next(peer) ||
        hr_sleep(hr_ms(500)) < 0 || !fake_say(peer, "+first\r\n"))
        return;
    while (fake_next(peer) && fake_say(peer, "+second\r\n"))
        ;
}

TEST(how_little_time_a_command_has_left_is_no_measure_of_its_connection)
{
    for (int piped = 0; piped < 2; piped++) {
        struct fake_redis fake;
        fake_start(&fake, be_late, NULL);
        hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){
                                                 .patience = hr_seconds(1),
                                                 .command_timeout = hr_seconds(1),
                                             });
        hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        hr_usec start = test_clock_now();
        ASSERT_ERR(hr_redis_pipeline_add(p, "GET a"), 0);
        ASSERT_ERR(piped ? hr_redis_pipeline_run(redis, p) : hr_redis_command(redis, NULL, "GET a"),
                   -ETIMEDOUT);
        ASSERT_TRUE(hr_last_error()->sent);
        ASSERT_TRUE(strstr(hr_last_error()->message, ": no reply to GET within 1 s"));
        ASSERT_EQ(test_clock_now(), start + hr_seconds(1));
        ASSERT_ERR(hr_redis_command(redis, &reply, "GET b"), 0);
        ASSERT_TRUE(hr_reply_equals(reply, "second"));
        ASSERT_EQ(fake.accepted, 1);
        fake_client_end(redis, &fake);
    }
}

TEST(patience_has_an_end)
{
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = "unix:///nowhere/s.sock",
                                                              .patience = hr_seconds(2),
                                                              .command_timeout = hr_seconds(9)});
    ASSERT_TRUE(redis);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), -ETIMEDOUT);
    ASSERT_EQ(test_clock_now(), hr_seconds(2));
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_TRUE(strstr(hr_last_error()->message, "No such file or directory"));
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);

    redis = hr_redis_new(&(struct hr_redis_options){.url = "unix:///nowhere/s.sock",
                                                    .patience = hr_seconds(60),
                                                    .command_timeout = hr_seconds(1)});
    ASSERT_TRUE(redis);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), -ETIMEDOUT); /* within its own time limit */
    ASSERT_EQ(test_clock_now(), hr_seconds(3));
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
}

TEST(what_waits_for_a_connection_is_bounded_in_bytes)
{
    struct fake_redis fake;
    struct moody m = {0};
    fake_start(&fake, serve_moodily, &m);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.max_pending = 200});
    hr_future *asked[10];
    int refused = 0;
    for (int i = 0; i < 10; i++)
        asked[i] = hr_redis_command_future(redis, "SET key:%d some-value", i);
    for (int i = 0; i < 10; i++) {
        int r = hr_join(asked[i]);
        ASSERT_TRUE(r == 0 || r == -ENOBUFS);
        refused += r == -ENOBUFS;
    }
    ASSERT_EQ(refused, 10 - m.commands);
    ASSERT_TRUE(refused >= 4 && refused <= 6);
    ASSERT_EQ(redis->late_bytes, 0);
    ASSERT_ERR(hr_join(hr_redis_command_future(redis, "SET key:1 some-value")), 0);
    fake_client_end(redis, &fake);
}

TEST(close_ends_the_wait_of_the_patient)
{
    hr_redis *redis = hr_redis_new(
        &(struct hr_redis_options){.url = "unix:///nowhere/s.sock", .patience = hr_seconds(5)});
    ASSERT_TRUE(redis);
    struct fake_asker asker = {.redis = redis};
    hr_task *task = hr_create_task("asker", fake_ask, &asker);
    ASSERT_ERR(hr_sleep(hr_ms(500)), 0);
    ASSERT_ERR(hr_redis_close(redis), 0);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(asker.code, HR_ECLOSED);
    hr_redis_free(redis);
}

TEST(a_patient_client_waits_for_a_pipeline_s_connection_too)
{
    struct fake_redis fake;
    struct moody m = {.bad = 6, .no_hello = true};
    fake_start(&fake, serve_moodily, &m);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.patience = hr_seconds(5)});
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    ASSERT_ERR(hr_redis_pipeline_add(p, "SET a b"), 0);
    ASSERT_ERR(hr_redis_pipeline_run(redis, p), 0);
    fake_client_end(redis, &fake);

    redis = hr_redis_new(&(struct hr_redis_options){.url = "unix:///nowhere/s.sock",
                                                    .patience = hr_seconds(2),
                                                    .command_timeout = hr_seconds(9)});
    ASSERT_TRUE(redis);
    hr_usec before = test_clock_now();
    ASSERT_ERR(hr_redis_pipeline_exec(redis, p), -ETIMEDOUT);
    ASSERT_EQ(test_clock_now(), before + hr_seconds(2));
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_PTR(hr_redis_pipeline_at(p, 0), NULL);
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
}

TEST(a_future_is_sent_again_as_the_call_is)
{
    struct fake_redis fake;
    struct moody m = {.bad = 2};
    fake_start(&fake, serve_moodily, &m);
    hr_redis *redis =
        fake_client(&fake, &(struct hr_redis_options){.patience = hr_seconds(5), .repeats = 3});
    struct hr__redis_conn *conn = NULL;
    ASSERT_ERR(hr__redis_get_conn(redis, &conn), 0);
    ASSERT_ERR(hr_join(hr_redis_command_future(redis, "SET a %d", 7)), 0);
    ASSERT_EQ(m.commands, 3);
    fake_client_end(redis, &fake);
}

TEST(a_future_of_a_patient_client_that_had_not_left_waits_for_the_next_connection)
{
    struct fake_redis fake;
    struct moody m = {0};
    fake_start(&fake, serve_moodily, &m);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.patience = hr_seconds(5)});
    struct hr__redis_conn *conn = NULL;
    ASSERT_ERR(hr__redis_get_conn(redis, &conn), 0);
    hr_future *stays = hr_redis_command_future(redis, "INCR n");
    hr__redis_conn_fail(conn, -ECONNRESET, 0);
    ASSERT_ERR(hr_join(stays), 0);
    ASSERT_EQ(m.commands, 1);
    fake_client_end(redis, &fake);
}

static int set_repeatedly(void *arg)
{
    struct fake_asker *a = arg;
    a->code = hr_redis_command_repeat(a->redis, NULL, 3, "SET a b");
    a->sent = hr_last_error()->sent;
    return 0;
}

TEST(r3_what_was_sent_once_is_not_called_unsent_since_its_caller_left)
{
    struct fake_redis fake;
    fake_start(&fake, serve_once, NULL);
    struct fake_asker a = {
        .redis = fake_client(&fake, &(struct hr_redis_options){.patience = hr_seconds(60),
                                                               .command_timeout = hr_seconds(60)})};
    hr_task *task = hr_create_task("setter", set_repeatedly, &a);
    ASSERT_ERR(hr_sleep(hr_seconds(5)), 0);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(a.code, -ECANCELED);
    ASSERT_TRUE(a.sent);
    fake_client_end(a.redis, &fake);
}
