/* SPDX-License-Identifier: MIT */
/*
 * Subscribers: what is said arrives, in order; who misses something is told.
 */
#include <string.h>

#include "core/timeout.h"
#include "drivers/redis/pubsub.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"
#include "tests/support/ticker.h"

static hr_redis *client(const struct test_redis *server, unsigned protocol)
{
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){
        .url = server->unix_url,
        .protocol = protocol,
        .reconnect = {.first = hr_ms(5), .max = hr_ms(20), .factor = 2, .jitter = true}
    });
    ASSERT_TRUE(redis);
    return redis;
}

static void client_end(hr_redis *redis)
{
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
}

static void say(hr_redis *redis, const char *channel, int from, int to)
{
    for (int i = from; i < to; i++)
        ASSERT_ERR(hr_redis_command(redis, NULL, "PUBLISH %s %d", channel, i), 0);
}

/* The next message is data, and so many were missed before it. */
static void expect(hr_redis_pubsub *pubsub, const char *channel, const char *pattern, int data,
                   uint64_t missed)
{
    struct hr_redis_message message;
    ASSERT_ERR(hr_redis_pubsub_next(pubsub, &message), 0);
    ASSERT_STR(message.channel, channel);
    ASSERT_STR(message.pattern, pattern);
    ASSERT_EQ(strtol(message.data, NULL, 10), data);
    ASSERT_EQ(message.len, strlen(message.data));
    ASSERT_EQ(message.missed, missed);
    hr_redis_message_done(&message);
}

static int subscribers(hr_redis *redis, const char *channel)
{
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    ASSERT_ERR(hr_redis_command(redis, &reply, "PUBSUB NUMSUB %s", channel), 0);
    return (int)hr_reply_int(hr_reply_at(reply, 1));
}

TEST_REAL(what_is_published_arrives_in_order_in_both_protocols)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    for (unsigned protocol = 2; protocol <= 3; protocol++) {
        hr_redis *redis = client(&server, protocol);
        hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
        ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "news"), 0);
        ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "news"), 0);
        ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_PATTERN, "w*r"), 0);
        ASSERT_EQ(subscribers(redis, "news"), 1);
        say(redis, "news", 0, 100);
        say(redis, "weather", 7, 8);
        for (int i = 0; i < 100; i++)
            expect(pubsub, "news", NULL, i, 0);
        expect(pubsub, "weather", "w*r", 7, 0);

        ASSERT_ERR(hr_redis_unsubscribe(pubsub, HR_REDIS_CHANNEL, "news"), 0);
        ASSERT_ERR(hr_redis_unsubscribe(pubsub, HR_REDIS_CHANNEL, "never"), 0);
        ASSERT_EQ(subscribers(redis, "news"), 0);
        ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_SHARD, "shard"), 0);
        ASSERT_ERR(hr_redis_command(redis, NULL, "SPUBLISH shard 3"), 0);
        expect(pubsub, "shard", NULL, 3, 0);
        client_end(redis);
    }
}

TEST_TICKING(r8_a_slow_subscriber_misses_messages_and_is_told_how_many)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server, 0);
    struct hr_redis_pubsub_options options = {.max_messages = 10};
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *late = hr_redis_pubsub_new(redis, &options);
    options.drop_newest = true;
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *early = hr_redis_pubsub_new(redis, &options);
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *other = hr_redis_pubsub_new(redis, NULL);
    ASSERT_ERR(hr_redis_subscribe(late, HR_REDIS_CHANNEL, "c"), 0);
    ASSERT_ERR(hr_redis_subscribe(early, HR_REDIS_CHANNEL, "c"), 0);
    ASSERT_ERR(hr_redis_subscribe(other, HR_REDIS_CHANNEL, "c"), 0);
    say(redis, "c", 0, 100);
    for (int i = 0; i < 100; i++)
        expect(other, "c", NULL, i, 0);
    /* What comes after a PING has been heard by all of them. */
    ASSERT_ERR(hr_redis_subscribe(late, HR_REDIS_CHANNEL, "x"), 0);
    ASSERT_ERR(hr_redis_subscribe(early, HR_REDIS_CHANNEL, "x"), 0);
    for (int i = 0; i < 10; i++)
        expect(late, "c", NULL, 90 + i, i == 0 ? 90 : 0);
    for (int i = 0; i < 10; i++)
        expect(early, "c", NULL, i, i == 0 ? 90 : 0);
    say(redis, "c", 100, 101);
    expect(late, "c", NULL, 100, 0);
    expect(early, "c", NULL, 100, 0);
    client_end(redis);
}

static void say_sized(hr_redis *redis, size_t size)
{
    hr_auto(hr_freep) char *text = malloc(size);
    memset(text, 'x', size);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PUBLISH c %b", text, size), 0);
}

/* How many were missed before it. */
static uint64_t expect_sized(hr_redis_pubsub *pubsub, size_t size)
{
    struct hr_redis_message message;
    ASSERT_ERR(hr_redis_pubsub_next(pubsub, &message), 0);
    ASSERT_EQ(message.len, size);
    uint64_t missed = message.missed;
    hr_redis_message_done(&message);
    return missed;
}

TEST_REAL(r8_messages_that_wait_are_bounded_in_bytes)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server, 0);
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub =
        hr_redis_pubsub_new(redis, &(struct hr_redis_pubsub_options){.max_bytes = 5000});
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "c"), 0);
    for (int i = 0; i < 20; i++)
        say_sized(redis, 1000);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "x"), 0); /* now all are heard */
    uint64_t missed = expect_sized(pubsub, 1000);
    ASSERT_TRUE(missed >= 16 && missed < 19);
    for (uint64_t i = missed + 1; i < 20; i++)
        ASSERT_EQ(expect_sized(pubsub, 1000), 0);
    say_sized(redis, 1000); /* there is room again */
    say_sized(redis, 1000);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "y"), 0);
    ASSERT_EQ(expect_sized(pubsub, 1000), 0);
    ASSERT_EQ(expect_sized(pubsub, 1000), 0);
    say_sized(redis, 10000); /* alone it is kept all the same */
    ASSERT_EQ(expect_sized(pubsub, 10000), 0);
    client_end(redis);
}

/* The server ends connections, the asking one excepted: those of subscribers, or all that are not
 * subscribed to anything. */
static void cut(hr_redis *redis, const char *type)
{
    hr_auto(hr_reply_freep) hr_reply *ended = NULL;
    ASSERT_ERR(hr_redis_command(redis, &ended, "CLIENT KILL TYPE %s SKIPME yes", type), 0);
    ASSERT_EQ(hr_reply_int(ended), 1);
}

static void wait_for_subscriber(hr_redis *redis, const char *channel)
{
    while (subscribers(redis, channel) == 0)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
}

TEST_REAL(a_gap_is_told_once_and_only_to_who_might_have_missed_something)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server, 0);
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "c"), 0);
    for (int i = 0; i < 2; i++) { /* and nothing is heard between them */
        cut(redis, "pubsub");
        wait_for_subscriber(redis, "c");
    }
    say(redis, "c", 1, 2);
    struct hr_redis_message message;
    ASSERT_ERR(hr_redis_pubsub_next(pubsub, &message), HR_ELOST);
    expect(pubsub, "c", NULL, 1, 0);

    ASSERT_ERR(hr_redis_unsubscribe(pubsub, HR_REDIS_CHANNEL, "c"), 0);
    cut(redis, "normal");
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "d"), 0);
    say(redis, "d", 2, 3);
    expect(pubsub, "d", NULL, 2, 0);
    client_end(redis);
}

#define CHANNELS 1000

TEST_REAL(after_a_loss_all_channels_are_subscribed_again_and_the_reader_knows)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server, 0);
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
    char name[16] = "";
    for (int i = 0; i < CHANNELS; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, name), 0);
    }
    test_redis_kill(&server);
    struct hr_redis_message message;
    ASSERT_ERR(hr_redis_pubsub_next(pubsub, &message), HR_ELOST);
    ASSERT_TRUE(strstr(hr_last_error()->message, server.socket));
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "more"), -ENOTCONN);
    test_redis_restart(&server);
    while (hr_redis_command(redis, NULL, "PING") < 0 || subscribers(redis, name) == 0)
        ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    say(redis, "c0", 1, 2);
    say(redis, name, 2, 3);
    expect(pubsub, "c0", NULL, 1, 0);
    expect(pubsub, name, NULL, 2, 0);
    ASSERT_EQ(subscribers(redis, "more"), 0);
    client_end(redis);
}

TEST_REAL(a_channel_that_is_not_permitted_says_so)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    (void)test_redis_ask(&server, "ACL SETUSER default resetchannels &open*");
    hr_redis *redis = client(&server, 0);
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "open1"), 0);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "closed"), HR_EREPLY);
    ASSERT_STR(hr_last_error()->kind, "NOPERM");
    ASSERT_TRUE(strstr(hr_last_error()->message, "SUBSCRIBE closed: NOPERM"));

    /* One that stood and may not stand again: the server ends the connection at the change. */
    (void)test_redis_ask(&server, "ACL SETUSER default resetchannels &none");
    struct hr_redis_message message;
    ASSERT_ERR(hr_redis_pubsub_next(pubsub, &message), HR_ELOST);
    ASSERT_ERR(hr_redis_pubsub_next(pubsub, &message), HR_EREPLY);
    ASSERT_TRUE(strstr(hr_last_error()->message, "SUBSCRIBE open1: NOPERM"));
    client_end(redis);
}

static int read_one(void *arg)
{
    struct hr_redis_message message;
    return hr_redis_pubsub_next(arg, &message);
}

TEST_REAL(a_subscriber_ends_with_its_client_or_alone)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server, 0);
    hr_redis_pubsub *alone = hr_redis_pubsub_new(redis, NULL);
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
    ASSERT_ERR(hr_redis_subscribe(alone, HR_REDIS_CHANNEL, "c"), 0);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "c"), 0);
    hr_task *first = hr_create_task("first", read_one, alone);
    hr_task *second = hr_create_task("second", read_one, pubsub);
    ASSERT_ERR(hr_yield(), 0);
    hr_redis_pubsub_freep(&alone);
    ASSERT_ERR(hr_join(first), HR_ECLOSED);
    client_end(redis);
    ASSERT_ERR(hr_join(second), HR_ECLOSED);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "d"), HR_ECLOSED);
}

struct subscriber {
    hr_redis_pubsub *pubsub;
    int code; /* the call's own: its task ends cancelled, too, when the cancel came too late */
};

static int subscribe(void *arg)
{
    struct subscriber *s = arg;
    s->code = hr_redis_subscribe(s->pubsub, HR_REDIS_CHANNEL, "c");
    return s->code;
}

TEST_REAL(a_cancelled_subscription_does_not_stand)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server, 0);
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "stands"), 0);
    for (int i = 0; i < 60; i++) {
        struct subscriber s = {pubsub, -ECANCELED};
        hr_task *task = hr_create_task("subscriber", subscribe, &s);
        if (i < 30)
            test_passes(i % 6);
        else
            ASSERT_ERR(hr_sleep((i - 30) * 10), 0);
        hr_task_cancel(task, NULL);
        ASSERT_TRUE(hr_join(task) <= 0);
        ASSERT_TRUE(s.code == 0 || s.code == -ECANCELED);
        while (subscribers(redis, "c") != (s.code == 0))
            ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
        ASSERT_ERR(hr_redis_unsubscribe(pubsub, HR_REDIS_CHANNEL, "c"), 0);
    }
    say(redis, "stands", 1, 2);
    expect(pubsub, "stands", NULL, 1, 0);
    client_end(redis);
}

/* Confirms a subscription, and hangs up when the connection has lived for a while. */
static void hang_up(struct fake_peer *peer)
{
    const hr_usec *life = peer->arg;
    if (fake_introduce(peer) && fake_next(peer) &&
        fake_say(peer, "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n") && hr_sleep(*life) < 0)
        return;
}

TEST(a_subscriber_is_ever_more_patient_with_who_hangs_up_at_once_and_only_with_him)
{
    static const struct {
        hr_usec life;
        int connections; /* in nine seconds */
    } cases[] = {
        {0,           3},
        {2 * 1000000, 5},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        struct fake_redis fake;
        fake_start(&fake, hang_up, (void *)&cases[i].life);
        hr_redis *redis = fake_client(
            &fake, &(struct hr_redis_options){
                       .protocol = 2,
                       .reconnect = {.first = hr_ms(100), .max = hr_seconds(100), .factor = 10}
        });
        hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
        ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "c"), 0);
        ASSERT_ERR(hr_sleep(hr_seconds(9)), 0);
        ASSERT_EQ(fake.accepted, cases[i].connections);
        fake_client_end(redis, &fake);
    }
}

/* Confirms the subscription, says something, and hangs up: all in one write. */
static void say_and_hang_up(struct fake_peer *peer)
{
    if (fake_introduce(peer) && fake_next(peer) &&
        fake_say(peer, "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
                       "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n"))
        return;
}

/* What waits for the reader: m and l for messages and losses. */
static void read_all(hr_redis_pubsub *pubsub, char ret[64])
{
    int r = 0;
    for (size_t n = 0; n < 63 && r != -ETIMEDOUT; n++) {
        struct hr_redis_message message;
        struct hr_timeout limit = {0};
        ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(1)), 0);
        r = hr_timeout_leave(&limit, hr_redis_pubsub_next(pubsub, &message));
        if (r == 0)
            hr_redis_message_done(&message);
        ret[n] = r == 0 ? 'm' : r == HR_ELOST ? 'l' : '\0';
    }
}

TEST(r8_losses_that_wait_are_as_bounded_as_messages)
{
    struct fake_redis fake;
    char waits[64] = "";
    fake_start(&fake, say_and_hang_up, NULL);
    hr_redis *redis =
        fake_client(&fake, &(struct hr_redis_options){
                               .protocol = 2,
                               .reconnect = {.first = hr_ms(100), .max = hr_ms(100), .factor = 1}
    });
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub =
        hr_redis_pubsub_new(redis, &(struct hr_redis_pubsub_options){.max_messages = 3});
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "c"), 0);
    while (fake.accepted < 20)
        ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    fake_refuse(&fake);
    ASSERT_ERR(hr_sleep(hr_ms(50)), 0);
    read_all(pubsub, waits);
    ASSERT_STR(waits, "lmlmlml");
    fake_client_end(redis, &fake);
    test_passes(2); /* it was between two attempts */
}

TEST_REAL(a_channel_whose_name_is_too_long_to_be_sent_is_refused_and_no_harm_to_others)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    hr_redis *redis =
        hr_redis_new(&(struct hr_redis_options){.url = server.unix_url, .max_pending = 1000});
    ASSERT_TRUE(redis);
    char name[2000] = "";
    memset(name, 'n', sizeof(name) - 1);
    hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "news"), 0);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, name), -ENOBUFS);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "more"), 0);
    say(redis, "news", 1, 2);
    expect(pubsub, "news", NULL, 1, 0);
    hr_redis_pubsub_free(pubsub);
    client_end(redis);
}

static int unsubscribe_cancelled(void *pubsub)
{
    hr_task_cancel(hr_current_task(), NULL);
    return hr_redis_unsubscribe(pubsub, HR_REDIS_CHANNEL, "news");
}

TEST_REAL(who_does_not_wait_for_the_end_of_a_subscription_has_ended_it_all_the_same)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server, 0);
    hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "news"), 0);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "more"), 0);
    ASSERT_ERR(hr_join(hr_create_task("leaver", unsubscribe_cancelled, pubsub)), -ECANCELED);
    for (int i = 0; i < 1000 && subscribers(redis, "news") > 0; i++)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_EQ(subscribers(redis, "news"), 0);
    say(redis, "news", 1, 2);
    say(redis, "more", 2, 3);
    expect(pubsub, "more", NULL, 2, 0);
    hr_redis_pubsub_free(pubsub);
    client_end(redis);
}

static int subscribe_cancelled(void *pubsub)
{
    hr_task_cancel(hr_current_task(), NULL);
    return hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "news");
}

TEST_REAL(who_gives_up_a_subscription_that_another_had_leaves_it_to_him)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    struct hr_redis_message message;
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server, 0);
    hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "news"), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "CLIENT KILL TYPE pubsub"), 0);
    ASSERT_ERR(hr_redis_pubsub_next(pubsub, &message), HR_ELOST);
    ASSERT_ERR(hr_join(hr_create_task("goes", subscribe_cancelled, pubsub)), -ECANCELED);
    for (int i = 0; i < 5000 && subscribers(redis, "news") == 0; i++)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_EQ(subscribers(redis, "news"), 1);
    say(redis, "news", 1, 2);
    expect(pubsub, "news", NULL, 1, 0);
    hr_redis_pubsub_free(pubsub);
    client_end(redis);
}
