/* SPDX-License-Identifier: MIT */
/*
 * A peer that is gone without a word, as when its machine lost power: the connection stands, what
 * is sent goes nowhere, and nothing ever says so. Whoever waits on it notices within a time limit,
 * whatever he waits for.
 */
#include <linux/filter.h>
#include <string.h>
#include <sys/socket.h>

#include "drivers/redis/pipeline.h"
#include "drivers/redis/pubsub.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"
#include "tests/support/ticker.h"

/* From now on the kernel drops what arrives for the peer, and acknowledges none of it. */
static void go(struct fake_peer *peer)
{
    struct sock_filter drop_all[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    struct sock_fprog program = {.len = HR_ARRAY_LEN(drop_all), .filter = drop_all};
    ASSERT_EQ(setsockopt(peer->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
    fake_silence(peer);
}

/* The first connection answers a command and is gone, later ones work. */
static void answer_once(struct fake_peer *peer)
{
    if (peer->number > 1)
        fake_echo(peer);
    else if (fake_introduce(peer) && fake_next(peer) && fake_say(peer, "+OK\r\n"))
        go(peer);
}

TEST(r9_a_command_to_a_peer_that_is_gone_ends_in_time_and_the_next_connection_works)
{
    struct fake_redis fake;
    fake_start_tcp(&fake, answer_once, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.command_timeout = hr_ms(900)});
    ASSERT_ERR(hr_redis_command(redis, NULL, "ONE"), 0);
    ASSERT_ERR(hr_sleep(hr_seconds(3600)), 0); /* an idle connection cannot tell */
    ASSERT_TRUE(hr_redis_up_since(redis) != HR_FOREVER);

    struct fake_asker askers[20];
    hr_task *tasks[HR_ARRAY_LEN(askers)];
    hr_usec start = test_clock_now();
    for (size_t i = 0; i < HR_ARRAY_LEN(askers); i++) {
        askers[i] = (struct fake_asker){.redis = redis, .number = (int)i};
        tasks[i] = hr_create_task(NULL, fake_ask, &askers[i]);
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(askers); i++) {
        ASSERT_ERR(hr_join(tasks[i]), 0);
        ASSERT_ERR(askers[i].code, -ETIMEDOUT);
        ASSERT_TRUE(askers[i].sent);
    }
    ASSERT_EQ(test_clock_now() - start, hr_ms(900));
    ASSERT_ERR(hr_redis_command(redis, NULL, "TWO"), 0);
    ASSERT_EQ(fake.accepted, 2);
    fake_client_end(redis, &fake);
}

TEST_TICKING_WITHIN(r9_others_go_on_while_a_command_waits_for_a_peer_that_is_gone, hr_ms(60))
{
    struct fake_redis fake;
    fake_start_tcp(&fake, answer_once, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.command_timeout = hr_ms(100)});
    ASSERT_ERR(hr_redis_command(redis, NULL, "ONE"), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "TWO"), -ETIMEDOUT);
    fake_client_end(redis, &fake);
}

static void go_when_ready(struct fake_peer *peer)
{
    if (fake_introduce(peer))
        go(peer);
}

TEST(r9_a_blocked_pop_ends_when_its_server_is_gone)
{
    struct fake_redis fake;
    fake_start_tcp(&fake, go_when_ready, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.command_timeout = hr_ms(900)});
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
    ASSERT_ERR(hr_redis_conn_command(conn, NULL, hr_seconds(5), "BLPOP q 5"), -ETIMEDOUT);
    ASSERT_TRUE(strstr(hr_last_error()->message, "no reply to BLPOP within 5.9 s"));
    ASSERT_TRUE(hr_last_error()->sent);
    ASSERT_EQ(test_clock_now(), hr_seconds(5) + hr_ms(900));
    hr_redis_releasep(&conn);

    struct hr_pool_stats stats;
    hr_redis_get_stats(redis, &stats);
    ASSERT_EQ(stats.idle, 0); /* it is lent to nobody again */
    fake_client_end(redis, &fake);
}

static void assert_late(int code, const char *text)
{
    ASSERT_ERR(code, -ETIMEDOUT);
    ASSERT_TRUE(hr_last_error()->sent);
    ASSERT_TRUE(strstr(hr_last_error()->message, text));
    ASSERT_FALSE(strstr(hr_last_error()->message, "s3cret"));
}

TEST(what_gets_no_reply_says_which_command_it_was_and_how_long_it_had)
{
    static const char set[] = ": no reply to SET within 1.5 s";
    const char *long_name[] = {"a-name-that-is-longer-than-any", "s3cret"};
    struct fake_redis fake;
    fake_start(&fake, fake_introduce_only, NULL);
    hr_redis *redis =
        fake_client(&fake, &(struct hr_redis_options){.command_timeout = hr_ms(1500)});
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *news = hr_redis_pubsub_new(redis, NULL);
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    ASSERT_ERR(hr_redis_pipeline_add(p, "SET a s3cret"), 0);
    assert_late(hr_redis_command(redis, NULL, "SET a %s", "s3cret"), set);
    assert_late(hr_join(hr_redis_command_future(redis, "SET a s3cret")), set);
    assert_late(hr_redis_pipeline_run(redis, p), set);
    assert_late(hr_redis_pipeline_exec(redis, p), ": no reply to MULTI within 1.5 s");
    assert_late(hr_redis_command_argv(redis, NULL, 2, long_name, NULL),
                ": no reply to a-name-that-is-longer-t within 1.5 s");
    assert_late(hr_redis_subscribe(news, HR_REDIS_CHANNEL, "s3cret"),
                ": no reply to SUBSCRIBE within 1.5 s");
    fake_client_end(redis, &fake);
}

/* Confirms a subscription and is gone. */
static void confirm(struct fake_peer *peer)
{
    static const char confirmed[] = "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n";
    if (!fake_introduce(peer))
        return;
    if (fake_next(peer) && fake_say(peer, confirmed))
        go(peer);
}

TEST(r9_a_subscriber_learns_that_nobody_speaks_any_more)
{
    struct fake_redis fake;
    fake_start_tcp(&fake, confirm, NULL);
    hr_redis *redis = fake_client(
        &fake, &(struct hr_redis_options){.command_timeout = hr_ms(900), .protocol = 2});
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "news"), 0);
    struct hr_redis_message message;
    ASSERT_ERR(hr_redis_pubsub_next(pubsub, &message), HR_ELOST);
    ASSERT_TRUE(strstr(hr_last_error()->message, "no sign of life"));
    ASSERT_TRUE(test_clock_now() <= hr_seconds(16));
    fake_client_end(redis, &fake);
}
