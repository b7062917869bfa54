/* SPDX-License-Identifier: MIT */
/*
 * The first words on a connection: RESP3 and who one is in one round trip, RESP2 where the server
 * knows no better; and messages that are nobody's reply.
 */
#include "drivers/redis/greet.h"

#include <string.h>

#include "drivers/redis/client.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"
#include "tests/support/ticker.h"

/* All that the first connection heard up to PING, and how its server answers HELLO. */
struct witness {
    const char *hello;
    char heard[512];
};

/* Says nothing before it has heard all, so a client that waits in between gets nowhere. */
static void listen_first(struct fake_peer *peer)
{
    struct witness *w = peer->arg;
    bool ready = false;
    while (!ready) {
        char replies[1024] = "";
        const char *command = "";
        while (strcmp(command, "PING") != 0) {
            command = fake_next(peer);
            if (!command)
                return;
            bool hello = strncmp(command, "HELLO", 5) == 0;
            snprintf(w->heard + strlen(w->heard), sizeof(w->heard) - strlen(w->heard), "%s|",
                     command);
            ready = ready || !hello;
            strcat(replies, hello ? w->hello : "+OK\r\n");
            if (hello && w->hello[0] == '-')
                ready = false;
        }
        ready = !strstr(replies, "-ERR unknown") && !strstr(replies, "-NOPROTO");
        if (!fake_say(peer, replies))
            return;
    }
    while (fake_next(peer)) {
        if (!fake_say(peer, ":1\r\n"))
            return;
    }
}

static const char proto3[] = "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n";

static void check_greeting(const char *hello, const struct hr_redis_options *options,
                           const char *heard, unsigned protocol)
{
    struct witness w = {.hello = hello};
    struct fake_redis fake;
    fake_start(&fake, listen_first, &w);
    hr_redis *redis = fake_client(&fake, options);
    ASSERT_ERR(hr_redis_command(redis, NULL, "ONE"), 0);
    ASSERT_STR(w.heard, heard);
    ASSERT_EQ(hr__redis_conn_protocol(redis->conn), protocol);
    ASSERT_EQ(fake.accepted, 1);
    fake_client_end(redis, &fake);
}

#define LIBRARY "CLIENT SETINFO LIB-NAME headrace|"

TEST(a_client_says_who_it_is_in_one_round_trip)
{
    struct hr_redis_options named = {.user = "u", .password = "p", .client_name = "n"};
    check_greeting(proto3, &named, "HELLO 3 AUTH u p SETNAME n|" LIBRARY "PING|", 3);
    named.user = NULL;
    check_greeting(proto3, &named, "HELLO 3 AUTH default p SETNAME n|" LIBRARY "PING|", 3);
    check_greeting(proto3, NULL, "HELLO 3|" LIBRARY "PING|", 3);
    named.protocol = 2;
    check_greeting(proto3, &named, "AUTH p|CLIENT SETNAME n|" LIBRARY "PING|", 2);
}

TEST(a_server_without_hello_is_spoken_to_in_resp2)
{
    static const char *const refusals[] = {
        "-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n",
        "-NOPROTO unsupported protocol version\r\n",
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(refusals); i++) {
        struct hr_redis_options named = {.user = "u", .password = "p", .client_name = "n"};
        check_greeting(refusals[i], &named,
                       "HELLO 3 AUTH u p SETNAME n|" LIBRARY "PING|"
                       "AUTH u p|CLIENT SETNAME n|" LIBRARY "PING|",
                       2);
    }
    check_greeting("+OK\r\n", NULL, "HELLO 3|" LIBRARY "PING|", 2); /* and says nothing of it */
}

static void refuse_hello(struct fake_peer *peer)
{
    while (fake_next(peer)) {
        if (!fake_say(peer, "-NOPROTO unsupported protocol version\r\n"))
            return;
    }
}

static void hang_up_at_once(struct fake_peer *peer)
{
    (void)fake_next(peer);
}

/* A proxy that has never heard of HELLO, and says so by hanging up. */
static void hang_up_on_hello(struct fake_peer *peer)
{
    const char *words;
    while ((words = fake_next(peer)) && strncmp(words, "HELLO", 5) != 0) {
        if (!fake_say(peer, "+OK\r\n"))
            return;
    }
}

TEST(a_server_that_hangs_up_on_hello_is_spoken_to_in_resp2)
{
    struct fake_redis fake;
    fake_start(&fake, hang_up_on_hello, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.password = "p"});
    ASSERT_ERR(hr_redis_command(redis, NULL, "ONE"), 0);
    ASSERT_EQ(hr__redis_conn_protocol(redis->conn), 2);
    ASSERT_EQ(fake.accepted, 2);
    hr_auto(hr_redis_releasep) hr_redis_conn *own = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &own), 0);
    ASSERT_EQ(fake.accepted, 3); /* it is known by now */
    hr_redis_release(hr_take(own));
    fake_client_end(redis, &fake);
}

/* Opens a connection and closes it. */
static unsigned protocol_of(const struct hr__redis_target *target)
{
    struct hr__redis_conn *conn = NULL;
    ASSERT_ERR(hr__redis_open(target, &conn, NULL), 0);
    unsigned protocol = hr__redis_conn_protocol(conn);
    hr__redis_conn_fail(conn, HR_ECLOSED, 0);
    hr__redis_conn_unref(conn);
    return protocol;
}

static void open_and_close(const struct hr__redis_target *target)
{
    ASSERT_EQ(protocol_of(target), 2);
}

TEST(that_a_server_hangs_up_on_hello_is_remembered_for_a_while_and_of_its_address)
{
    struct fake_redis fake, other;
    fake_start_tcp(&fake, hang_up_on_hello, NULL);
    fake_start_tcp(&other, hang_up_on_hello, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    open_and_close(&redis->target);
    open_and_close(&redis->target);
    ASSERT_EQ(fake.accepted, 3);

    struct hr__redis_target moved = redis->target;
    moved.url.port = other.port;
    open_and_close(&moved);
    ASSERT_EQ(other.accepted, 2); /* what one address cannot, another may */
    open_and_close(&redis->target);
    ASSERT_EQ(fake.accepted, 5);

    ASSERT_ERR(hr_sleep(hr_seconds(601)), 0);
    open_and_close(&redis->target);
    ASSERT_EQ(fake.accepted, 7); /* it may have learnt meanwhile */
    fake_end(&other);
    fake_client_end(redis, &fake);
}

/* Speaks RESP3, but hangs up on HELLO so many times before. */
static void hang_up_at_times(struct fake_peer *peer)
{
    int *times = peer->arg;
    const char *words;
    while ((words = fake_next(peer))) {
        bool hello = strncmp(words, "HELLO", 5) == 0;
        if (hello && *times > 0) {
            --*times;
            return;
        }
        if (!fake_say(peer, hello ? proto3 : "+OK\r\n"))
            return;
    }
}

TEST(a_server_that_hung_up_on_hello_is_asked_again_ever_more_seldom)
{
    static const int spans[] = {1, 4, 16, 64, 256, 600, 600}; /* seconds */
    int times = 100, accepted = 0;
    struct fake_redis fake;
    fake_start(&fake, hang_up_at_times, &times);
    hr_redis *redis = fake_client(&fake, NULL);
    for (size_t i = 0; i < HR_ARRAY_LEN(spans); i++) {
        open_and_close(&redis->target);
        ASSERT_ERR(hr_sleep(hr_seconds(spans[i]) - hr_ms(1)), 0);
        open_and_close(&redis->target);
        ASSERT_EQ(fake.accepted, accepted += 3);
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    }

    /* It has learnt: what was held against it is forgotten. */
    times = 0;
    ASSERT_EQ(protocol_of(&redis->target), 3);
    times = 100;
    open_and_close(&redis->target);
    ASSERT_ERR(hr_sleep(hr_seconds(1)), 0);
    times = 0;
    ASSERT_EQ(protocol_of(&redis->target), 3);
    fake_client_end(redis, &fake);
}

/* Dies of the first client. */
static void die_of_hello(struct fake_peer *peer)
{
    (void)fake_next(peer);
    fake_refuse(peer->arg);
}

/* The second attempt comes to the other address of the same host. */
TEST_REAL(one_address_is_not_held_to_what_another_of_its_host_has_done)
{
    struct fake_redis dying, other;
    int never = 0;
    fake_start_at(&dying, "127.0.0.1", 0, die_of_hello, &dying);
    fake_start_at(&other, "127.0.0.2", dying.port, hang_up_at_times, &never);
    snprintf(dying.url, sizeof(dying.url), "redis://pair.test:%u", dying.port);
    hr_redis *redis = fake_client(&dying, NULL);
    ASSERT_EQ(protocol_of(&redis->target), 2);
    ASSERT_EQ(dying.accepted, 1);
    ASSERT_EQ(other.accepted, 1);
    ASSERT_EQ(protocol_of(&redis->target), 3);
    fake_end(&other);
    fake_client_end(redis, &dying);
}

static hr_event hung_up;

/* Hangs up on the first, and then answers nobody. */
static void hang_up_once(struct fake_peer *peer)
{
    (void)fake_next(peer);
    if (peer->number == 1)
        hr_event_set(&hung_up);
    else
        fake_silence(peer);
}

static int open_any(void *arg)
{
    struct hr__redis_conn *conn = NULL;
    return hr__redis_open(&((hr_redis *)arg)->target, &conn, NULL);
}

/* However many passes after it: also in the moment in which the client has noticed. */
TEST(a_cancel_that_comes_with_a_hang_up_is_heeded)
{
    for (int n = 0; n < 12; n++) {
        struct fake_redis fake;
        hr_event_init(&hung_up);
        fake_start(&fake, hang_up_once, NULL);
        hr_redis *redis = fake_client(&fake, NULL);
        hr_task *task = hr_create_task("open", open_any, redis);
        ASSERT_ERR(hr_event_wait(&hung_up), 0);
        test_passes(n);
        hr_task_cancel(task, NULL);
        ASSERT_ERR(hr_join(task), -ECANCELED);
        ASSERT_EQ(test_clock_now(), 0); /* nor did it wait for a second attempt */
        fake_client_end(redis, &fake);
        hr_event_done(&hung_up);
    }
}

TEST(a_server_that_hangs_up_on_resp3_and_on_resp2_is_no_server)
{
    struct fake_redis fake;
    for (unsigned protocol = 0; protocol <= 3; protocol += 3) {
        fake_start(&fake, protocol == 0 ? hang_up_at_once : hang_up_on_hello, NULL);
        hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.protocol = protocol});
        ASSERT_ERR(hr_redis_command(redis, NULL, "ONE"), -ENOTCONN);
        ASSERT_FALSE(hr_last_error()->sent);
        ASSERT_EQ(fake.accepted, protocol == 0 ? 2 : 1);
        fake_client_end(redis, &fake);
    }
}

TEST(who_insists_on_resp3_gets_it_or_an_error)
{
    struct fake_redis fake;
    fake_start(&fake, refuse_hello, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.protocol = 3});
    ASSERT_ERR(hr_redis_command(redis, NULL, "ONE"), -ENOTCONN);
    ASSERT_STR(hr_last_error()->kind, "NOPROTO");
    fake_client_end(redis, &fake);
    ASSERT_TRUE(!hr_redis_new(&(struct hr_redis_options){.url = "redis://h", .protocol = 4}));
    ASSERT_ERR(hr_last_error()->code, -EINVAL);
}

TEST_REAL(s22_5_both_protocols_are_spoken_with_a_real_server)
{
    static const char *const args[] = {"--requirepass", "geheim", NULL};
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, args);
    for (unsigned protocol = 0; protocol <= 3; protocol++) {
        if (protocol == 1)
            continue;
        hr_redis *redis = hr_redis_new(&(struct hr_redis_options){
            .url = server.unix_url, .password = "geheim", .protocol = protocol});
        ASSERT_TRUE(redis);
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        ASSERT_ERR(hr_redis_command(redis, NULL, "HSET h a 1"), 0);
        ASSERT_ERR(hr_redis_command(redis, &reply, "HGETALL h"), 0);
        ASSERT_EQ(hr_reply_type(reply), protocol == 2 ? HR_REPLY_ARRAY : HR_REPLY_MAP);
        ASSERT_EQ(hr_reply_int(hr_reply_find(reply, "a")), 1);
        ASSERT_EQ(hr__redis_conn_protocol(redis->conn), protocol == 2 ? 2 : 3);
        ASSERT_ERR(hr_redis_close(redis), 0);
        hr_redis_free(redis);
    }
}

/* Answers each command with its words, and says something else before and behind, byte by byte. */
static void interrupt(struct fake_peer *peer)
{
    const char *words;
    if (!fake_introduce(peer))
        return;
    while ((words = fake_next(peer))) {
        char text[512];
        int n = snprintf(text, sizeof(text),
                         ">2\r\n$3\r\nhey\r\n+%s\r\n$%zu\r\n%s\r\n>1\r\n%%1\r\n+a\r\n*0\r\n", words,
                         strlen(words), words);
        for (int i = 0; i < n; i++) {
            if (!fake_say_bytes(peer, text + i, 1))
                return;
        }
    }
}

TEST(r10_messages_between_replies_shift_none)
{
    struct fake_redis fake;
    fake_start(&fake, interrupt, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    struct fake_asker askers[20];
    hr_auto(hr_futures_done) struct hr_futures asks = {0};
    for (int i = 0; i < 20; i++) {
        askers[i] = (struct fake_asker){.redis = redis, .number = i};
        hr_futures_add(&asks, hr_create_task("asker", fake_ask, &askers[i]));
    }
    ASSERT_ERR(hr_gather(&asks, 0), 0);
    for (int i = 0; i < 20; i++) {
        ASSERT_ERR(askers[i].code, 0);
        ASSERT_TRUE(askers[i].matched);
    }
    fake_client_end(redis, &fake);
}

/* Counts messages; takes "subscribe" for the answer to the command that asked for it. */
struct ear {
    int heard;
    char last[32];
};

static enum hr__redis_push hear(hr_reply *message, void *cookie)
{
    struct ear *ear = cookie;
    if (hr_reply_equals(hr_reply_at(message, 0), "subscribe"))
        return HR__REDIS_PUSH_IS_REPLY;
    ear->heard++;
    snprintf(ear->last, sizeof(ear->last), "%s", hr_reply_str(hr_reply_at(message, 2), NULL));
    hr_reply_free(message);
    return HR__REDIS_PUSH_TAKEN;
}

static void check_messages(const char *url, unsigned protocol)
{
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = url, .protocol = protocol});
    ASSERT_TRUE(redis);
    struct hr__redis_conn *conn = NULL;
    struct ear ear = {0};
    ASSERT_ERR(hr__redis_open(&redis->target, &conn, NULL), 0);
    hr__redis_conn_on_push(conn, hear, &ear);
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    ASSERT_ERR(hr__redis_callf(conn, &reply, hr_seconds(5), "SUBSCRIBE news"), 0);
    ASSERT_EQ(hr_reply_len(reply), 3);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PUBLISH news first"), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PUBLISH news second"), 0);
    while (ear.heard < 2)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_STR(ear.last, "second");
    hr__redis_conn_fail(conn, HR_ECLOSED, 0);
    hr__redis_conn_unref(conn);
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
}

TEST_TICKING(r10_messages_are_kept_apart_in_both_protocols)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    check_messages(server.unix_url, 2);
    check_messages(server.unix_url, 3);
}
