/* SPDX-License-Identifier: MIT */
/*
 * The shared connection on bad days: a server that is silent, hangs up, is another one now, or says
 * what nobody asked for.
 */
#include <string.h>

#include "drivers/redis.h"
#include "tests/drivers/names.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"

TEST(r6_a_server_that_accepts_and_never_answers_is_given_up_in_time)
{
    struct fake_redis fake;
    fake_start(&fake, fake_silence, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.connect_timeout = hr_ms(700)});
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), -ENOTCONN);
    ASSERT_EQ(test_clock_now(), hr_ms(700));
    ASSERT_TRUE(strstr(hr_last_error()->message, "no connection within 0.7 s"));
    ASSERT_FALSE(hr_last_error()->sent);

    /* While the backoff runs, callers learn the reason at once. */
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), -ENOTCONN);
    ASSERT_EQ(test_clock_now(), hr_ms(700));
    ASSERT_EQ(hr_redis_up_since(redis), HR_FOREVER);
    fake_client_end(redis, &fake);
}

TEST(a_silent_peer_is_left_after_one_deadline)
{
    struct fake_redis fake;
    fake_start(&fake, fake_introduce_only, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.command_timeout = hr_ms(300)});
    struct fake_asker first = {.redis = redis}, second = {.redis = redis};
    hr_task *a = hr_create_task("first", fake_ask, &first);
    ASSERT_ERR(hr_sleep(hr_ms(100)), 0);
    hr_task *b = hr_create_task("second", fake_ask, &second);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(300));
    ASSERT_ERR(first.code, -ETIMEDOUT);
    ASSERT_TRUE(first.sent);
    ASSERT_ERR(second.code, HR_ELOST);
    ASSERT_TRUE(second.sent);
    fake_client_end(redis, &fake);
}

static void refuse_client(struct fake_peer *peer)
{
    (void)fake_say(peer, "-ERR max number of clients reached\r\n");
}

TEST(r7_an_unsolicited_first_reply_is_the_reason_why_there_is_no_connection)
{
    struct fake_redis fake;
    fake_start(&fake, refuse_client, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), -ENOTCONN);
    ASSERT_TRUE(strstr(hr_last_error()->message, "max number of clients reached"));
    ASSERT_STR(hr_last_error()->kind, "ERR");
    ASSERT_FALSE(hr_last_error()->sent);
    fake_client_end(redis, &fake);
}

/* The first connection ends as its argument says, later ones work. */
struct ending {
    const char *say;
    int after; /* commands that get an answer first */
};

static void end_badly(struct fake_peer *peer)
{
    const struct ending *ending = peer->arg;
    if (peer->number > 1) {
        fake_echo(peer);
        return;
    }
    if (!fake_introduce(peer))
        return;
    for (int i = 0; i < ending->after; i++) {
        if (!fake_next(peer) || !fake_say(peer, "+OK\r\n"))
            return;
    }
    (void)fake_next(peer);
    if (ending->say)
        (void)fake_say(peer, ending->say);
}

TEST(a_lost_connection_is_told_apart_and_replaced)
{
    static const struct {
        struct ending ending;
        const char *message;
    } cases[] = {
        {{NULL, 1},                         "the server closed the connection"},
        {{"?nonsense\r\n", 1},              "does not speak the protocol"     },
        {{"*1\r\n*1\r\n*1\r\n", 1},         "the server closed the connection"},
        {{"$999999999999999999999\r\n", 1}, "does not speak the protocol"     },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        struct fake_redis fake;
        struct ending ending = cases[i].ending;
        fake_start(&fake, end_badly, &ending);
        hr_redis *redis = fake_client(&fake, NULL);
        ASSERT_ERR(hr_redis_command(redis, NULL, "ONE"), 0);
        ASSERT_ERR(hr_redis_command(redis, NULL, "TWO"), HR_ELOST);
        ASSERT_TRUE(strstr(hr_last_error()->message, cases[i].message));
        ASSERT_TRUE(hr_last_error()->sent);
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        int r;
        while ((r = hr_redis_command(redis, &reply, "THREE")) == -ENOTCONN)
            ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
        ASSERT_ERR(r, 0);
        ASSERT_TRUE(hr_reply_equals(reply, "THREE"));
        ASSERT_EQ(fake.accepted, 2);
        fake_client_end(redis, &fake);
    }
}

static void say_too_much(struct fake_peer *peer)
{
    if (!fake_introduce(peer) || !fake_next(peer))
        return;
    (void)fake_say(peer, "+OK\r\n+NOBODY ASKED\r\n");
    fake_silence(peer);
}

TEST(a_reply_that_nobody_asked_for_ends_the_connection)
{
    struct fake_redis fake;
    fake_start(&fake, say_too_much, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "ONE"), 0);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "TWO"), -ENOTCONN);
    ASSERT_TRUE(strstr(hr_last_error()->message, "a reply that nobody asked for"));
    fake_client_end(redis, &fake);
}

/* Ends the first connection together with the answer that makes it ready. */
static void end_when_ready(struct fake_peer *peer)
{
    if (peer->number > 1) {
        fake_echo(peer);
        return;
    }
    const char *command;
    while ((command = fake_next(peer)) && strcmp(command, "PING") != 0) {
        if (!fake_say(peer, "+OK\r\n"))
            return;
    }
    if (fake_say(peer, "+PONG\r\n-ERR the server goes away\r\n"))
        fake_silence(peer);
}

TEST(a_connection_lost_in_the_moment_it_became_ready_is_replaced)
{
    struct fake_redis fake;
    fake_start(&fake, end_when_ready, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "ONE"), -ENOTCONN);
    ASSERT_TRUE(strstr(hr_last_error()->message, "the server goes away"));
    ASSERT_ERR(hr_sleep(hr_seconds(1)), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "TWO"), 0);
    ASSERT_EQ(fake.accepted, 2);
    fake_client_end(redis, &fake);
}

static void answer_deep(struct fake_peer *peer)
{
    if (!fake_introduce(peer) || !fake_next(peer))
        return;
    for (int i = 0; i < 65; i++) {
        if (!fake_say(peer, "*1\r\n"))
            return;
    }
    (void)fake_say(peer, ":1\r\n");
    fake_silence(peer);
}

TEST(r4_a_reply_nested_too_deep_ends_the_connection_with_a_reason)
{
    struct fake_redis fake;
    fake_start(&fake, answer_deep, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "DEEP"), HR_ELOST);
    ASSERT_TRUE(strstr(hr_last_error()->message, "nested too deep"));
    fake_client_end(redis, &fake);
}

TEST(a_server_that_is_not_there_is_told_at_once)
{
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = "unix:///nowhere/s.sock"});
    ASSERT_TRUE(redis);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), -ENOTCONN);
    ASSERT_STR(
        hr_last_error()->message,
        "redis /nowhere/s.sock: cannot connect to /nowhere/s.sock: No such file or directory");
    hr_redis_conn *conn = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &conn), -ENOTCONN);
    ASSERT_ERR(hr_redis_close(redis), 0);
    ASSERT_ERR(hr_redis_close(redis), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), HR_ECLOSED);
    ASSERT_ERR(hr_redis_acquire(redis, &conn), HR_ECLOSED);
    hr_redis_free(redis);
}

/* What the client was told about the connection. */
static char states[64];

static void note_state(bool up, void *cookie)
{
    ASSERT_STR(cookie, "cookie");
    strcat(states, up ? "up " : "down ");
}

TEST(losses_and_returns_are_told)
{
    struct fake_redis fake;
    struct ending ending = {NULL, 0};
    states[0] = '\0';
    fake_start(&fake, end_badly, &ending);
    hr_redis *redis = fake_client(&fake, NULL);
    hr_redis_on_state(redis, note_state, (void *)"cookie");
    ASSERT_ERR(hr_redis_command(redis, NULL, "X"), HR_ELOST);
    ASSERT_ERR(hr_sleep(hr_seconds(1)), 0);
    ASSERT_STR(states, "up down up ");
    ASSERT_TRUE(hr_redis_up_since(redis) < hr_now());
    struct hr_pool_stats stats;
    hr_redis_get_stats(redis, &stats);
    ASSERT_EQ(stats.opened, 2);
    ASSERT_TRUE(stats.up);
    fake_client_end(redis, &fake);
    ASSERT_STR(states, "up down up down ");
}

static void hang_up(struct fake_peer *peer)
{
    if (fake_introduce(peer))
        (void)fake_next(peer);
}

TEST(a_server_that_always_hangs_up_is_not_asked_in_a_tight_loop)
{
    struct fake_redis fake;
    fake_start(&fake, hang_up, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    while (test_clock_now() < hr_seconds(10)) {
        int r = hr_redis_command(redis, NULL, "X");
        ASSERT_TRUE(r == HR_ELOST || r == -ENOTCONN);
        ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    }
    ASSERT_TRUE(fake.accepted >= 4 && fake.accepted <= 15);
    fake_client_end(redis, &fake);
}

/* Hangs up on all but the third, who lives for two seconds, and those behind the fourth. */
static void live_for_a_while(struct fake_peer *peer)
{
    if (peer->number < 3 || peer->number == 4 || !fake_introduce(peer))
        return;
    if (peer->number == 3 && hr_sleep(hr_seconds(2)) == 0)
        return;
    fake_silence(peer);
}

TEST(a_connection_that_lived_makes_up_for_the_failures_before_it)
{
    struct fake_redis fake;
    fake_start(&fake, live_for_a_while, NULL);
    hr_redis *redis = fake_client(
        &fake, &(struct hr_redis_options){
                   .protocol = 2,
                   .reconnect = {.first = hr_ms(100), .max = hr_seconds(100), .factor = 10}
    });
    ASSERT_ERR(hr_redis_command(redis, NULL, "X"), -ENOTCONN);
    ASSERT_ERR(hr_sleep(hr_ms(100 + 1000 + 2000 + 99)), 0);
    ASSERT_EQ(fake.accepted, 4);
    ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    ASSERT_TRUE(hr_redis_up_since(redis) != HR_FOREVER);
    ASSERT_EQ(fake.accepted, 5);
    fake_client_end(redis, &fake);
}

/* Answers the first of two commands after a while, and then falls silent. */
static void fall_silent(struct fake_peer *peer)
{
    if (!fake_introduce(peer))
        return;
    if (peer->number == 1 && fake_next(peer) && fake_next(peer) && hr_sleep(hr_ms(200)) == 0)
        (void)fake_say(peer, "+OK\r\n");
    fake_silence(peer);
}

TEST(a_peer_that_falls_silent_is_left_although_nobody_waits_for_it_any_more)
{
    struct fake_redis fake;
    fake_start(&fake, fall_silent, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.command_timeout = hr_ms(400)});
    struct fake_asker first = {.redis = redis}, second = {.redis = redis};
    hr_task *a = hr_create_task("first", fake_ask, &first);
    hr_task *b = hr_create_task("second", fake_ask, &second);
    ASSERT_ERR(hr_sleep(hr_ms(100)), 0);
    hr_task_cancel(b, NULL);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_TRUE(second.sent);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_sleep(hr_ms(399)), 0);
    ASSERT_TRUE(hr_redis_up_since(redis) != HR_FOREVER);
    ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    ASSERT_EQ(hr_redis_up_since(redis), HR_FOREVER);
    fake_client_end(redis, &fake);
}

/* The first server has become a replica. */
static void fail_over(struct fake_peer *peer)
{
    if (peer->number > 1) {
        fake_echo(peer);
        return;
    }
    if (!fake_introduce(peer))
        return;
    while (fake_next(peer)) {
        if (!fake_say(peer, peer->arg))
            return;
    }
}

TEST(r5_after_a_failover_the_server_is_looked_for_again)
{
    static const char *const replies[][2] = {
        {"-READONLY You can't write against a read only replica.\r\n", "READONLY"  },
        {"-LOADING Redis is loading the dataset in memory\r\n",        "LOADING"   },
        {"-MASTERDOWN Link with MASTER is down\r\n",                   "MASTERDOWN"},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(replies); i++) {
        struct fake_redis fake;
        fake_start(&fake, fail_over, (void *)replies[i][0]);
        hr_redis *redis = fake_client(&fake, NULL);
        ASSERT_ERR(hr_redis_command(redis, NULL, "SET a b"), HR_EREPLY);
        ASSERT_STR(hr_last_error()->kind, replies[i][1]);
        ASSERT_ERR(hr_sleep(hr_seconds(2)), 0);
        ASSERT_ERR(hr_redis_command(redis, NULL, "SET a b"), HR_EREPLY);
        ASSERT_STR(hr_last_error()->kind, replies[i][1]); /* although the server is left */
        ASSERT_ERR(hr_redis_command(redis, NULL, "SET a b"), 0);
        ASSERT_EQ(fake.accepted, 2);
        fake_client_end(redis, &fake);
    }
}

TEST_REAL(r5_after_a_failover_the_name_of_the_server_is_asked_for_anew)
{
    struct fake_redis fake;
    char url[64];
    fake_start_tcp(&fake, fail_over, (void *)"-READONLY You are too late.\r\n");
    snprintf(url, sizeof(url), "redis://moved.test:%u", fake.port);
    atomic_store(&test_names_asked, 0);
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = url});
    while (hr_redis_command(redis, NULL, "SET a b") == HR_EREPLY) /* left once it has lived */
        ASSERT_ERR(hr_sleep(hr_ms(20)), 0);
    ASSERT_EQ(fake.accepted, 2);
    ASSERT_EQ(atomic_load(&test_names_asked), 2);
    fake_client_end(redis, &fake);
}

TEST(r5_errors_of_the_server_carry_their_kind)
{
    static const char *const kinds[] = {"MOVED", "ASK",     "NOSCRIPT", "EXECABORT",
                                        "OOM",   "MISCONF", "BUSY"};
    for (size_t i = 0; i < HR_ARRAY_LEN(kinds); i++) {
        struct fake_redis fake;
        char reply[64];
        snprintf(reply, sizeof(reply), "-%s for a reason\r\n", kinds[i]);
        fake_start(&fake, fail_over, reply);
        hr_redis *redis = fake_client(&fake, NULL);
        ASSERT_ERR(hr_redis_command(redis, NULL, "X"), HR_EREPLY);
        ASSERT_STR(hr_last_error()->kind, kinds[i]);
        ASSERT_TRUE(hr_last_error()->sent);
        ASSERT_TRUE(strstr(hr_last_error()->message, "for a reason"));
        fake_client_end(redis, &fake);
    }
}

/* Loads at first, like a server that has just been started. */
static void load_first(struct fake_peer *peer)
{
    while (fake_next(peer)) {
        bool loading = peer->number < 3;
        if (!fake_say(peer,
                      loading ? "-LOADING Redis is loading the dataset in memory\r\n" : "+OK\r\n"))
            return;
    }
}

TEST(r5_a_server_that_is_loading_is_not_taken_for_ready)
{
    struct fake_redis fake;
    fake_start(&fake, load_first, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET a b"), -ENOTCONN);
    ASSERT_STR(hr_last_error()->kind, "LOADING");
    int r;
    while ((r = hr_redis_command(redis, NULL, "SET a b")) == -ENOTCONN)
        ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    ASSERT_ERR(r, 0);
    fake_client_end(redis, &fake);
}
