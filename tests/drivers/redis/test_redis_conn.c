/* SPDX-License-Identifier: MIT */
/*
 * The shared connection and who is in line on it: order, splits, cancels, limits, closing.
 */
#include <string.h>
#include <sys/socket.h>

#include "core/gather.h"
#include "drivers/redis/client.h"
#include "drivers/redis/conn_impl.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"

TEST(a_command_gets_its_reply)
{
    struct fake_redis fake;
    fake_start(&fake, fake_echo, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    ASSERT_ERR(hr_redis_command(redis, &reply, "GET %s:%d", "key", 7), 0);
    ASSERT_TRUE(hr_reply_equals(reply, "GET key:7"));
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET a b"), 0);
    ASSERT_EQ(hr_redis_up_since(redis), 0);
    fake_client_end(redis, &fake);
}

/* Says everything byte by byte, each in a write of its own. */
static void dribble(struct fake_peer *peer)
{
    if (!fake_introduce(peer))
        return;
    static const char text[] = "*3\r\n$5\r\nhe\r\no\r\n:12\r\n*2\r\n$-1\r\n+OK\r\n";
    while (fake_next(peer)) {
        for (size_t i = 0; i < sizeof(text) - 1; i++) {
            if (!fake_say_bytes(peer, text + i, 1) || hr_yield() < 0)
                return;
        }
    }
}

TEST(s22_12_r4_a_reply_may_come_byte_by_byte)
{
    struct fake_redis fake;
    fake_start(&fake, dribble, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    for (int i = 0; i < 3; i++) {
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        ASSERT_ERR(hr_redis_command(redis, &reply, "X"), 0);
        ASSERT_EQ(hr_reply_len(reply), 3);
        ASSERT_STR(hr_reply_str(hr_reply_at(reply, 0), NULL), "he\r\no");
        ASSERT_TRUE(hr_reply_equals(hr_reply_at(hr_reply_at(reply, 2), 1), "OK"));
    }
    fake_client_end(redis, &fake);
}

TEST(r1_a_cancelled_command_never_shifts_the_replies_of_others)
{
    struct fake_redis fake;
    fake_start(&fake, fake_echo, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "GET 0"), 0);
    enum { N = 60 };
    for (int passes = 0; passes < 8; passes++) {
        struct fake_asker askers[N];
        hr_task *tasks[N];
        for (int i = 0; i < N; i++) {
            askers[i] = (struct fake_asker){.redis = redis, .number = passes * N + i};
            tasks[i] = hr_create_task(NULL, fake_ask, &askers[i]);
        }
        test_passes(passes);
        for (int i = passes % 3; i < N; i += 3)
            hr_task_cancel(tasks[i], NULL);
        for (int i = 0; i < N; i++) {
            bool cancelled = i % 3 == passes % 3;
            int r = hr_join(tasks[i]);
            if (!cancelled)
                ASSERT_ERR(r, 0);
            if (!cancelled || askers[i].code == 0)
                ASSERT_TRUE(passes == 0 ? cancelled || askers[i].matched : askers[i].matched);
            if (cancelled && passes > 0 && askers[i].code < 0)
                ASSERT_ERR(askers[i].code, -ECANCELED);
        }
    }
    ASSERT_EQ(fake.accepted, 1);
    fake_client_end(redis, &fake);
}

/* Notes the commands it gets, in order. */
static char heard[4096];

static void note(struct fake_peer *peer)
{
    if (!fake_introduce(peer))
        return;
    const char *words;
    while ((words = fake_next(peer))) {
        strcat(strcat(heard, words), "|");
        if (!fake_say(peer, "+OK\r\n"))
            return;
    }
}

static int cancel_oneself_and_ask(void *arg)
{
    hr_task_cancel(hr_current_task(), NULL);
    return fake_ask(arg);
}

TEST(a_command_that_did_not_leave_is_taken_back)
{
    struct fake_redis fake;
    heard[0] = '\0';
    fake_start(&fake, note, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "FIRST"), 0);
    struct fake_asker askers[5];
    hr_task *tasks[5];
    for (int i = 0; i < 5; i++) {
        askers[i] = (struct fake_asker){.redis = redis, .number = i};
        tasks[i] = hr_create_task(NULL, i % 2 ? cancel_oneself_and_ask : fake_ask, &askers[i]);
    }
    for (int i = 0; i < 5; i++) {
        ASSERT_ERR(hr_join(tasks[i]), 0);
        ASSERT_ERR(askers[i].code, i % 2 ? -ECANCELED : 0);
        ASSERT_FALSE(askers[i].sent);
    }
    ASSERT_STR(heard, "FIRST|GET 0|GET 2|GET 4|");
    fake_client_end(redis, &fake);
}

TEST(leaving_after_the_command_left_says_sent)
{
    struct fake_redis fake;
    fake_start(&fake, fake_introduce_only, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    struct fake_asker a = {.redis = redis};
    hr_task *task = hr_create_task("asker", fake_ask, &a);
    ASSERT_ERR(hr_sleep(hr_ms(100)), 0);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(a.code, -ECANCELED);
    ASSERT_TRUE(a.sent);
    fake_client_end(redis, &fake);
}

/* Takes its time over the first reply, but never stays silent for long. */
static void answer_slowly(struct fake_peer *peer)
{
    static const char slow[] = "$10\r\n0123456789\r\n";
    if (!fake_introduce(peer) || !fake_next(peer))
        return;
    for (size_t i = 0; i < sizeof(slow) - 1; i++) {
        if (hr_sleep(hr_ms(50)) < 0 || !fake_say_bytes(peer, slow + i, 1))
            return;
    }
    while (fake_next(peer)) {
        if (!fake_say(peer, "+MINE\r\n"))
            return;
    }
}

TEST(s22_7_a_late_reply_is_dropped_by_its_place)
{
    struct fake_redis fake;
    fake_start(&fake, answer_slowly, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.command_timeout = hr_ms(600)});
    ASSERT_ERR(hr_redis_command(redis, NULL, "SLOW"), -ETIMEDOUT);
    ASSERT_TRUE(hr_last_error()->sent);
    ASSERT_EQ(test_clock_now(), hr_ms(600));
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    ASSERT_ERR(hr_redis_command(redis, &reply, "FAST"), 0);
    ASSERT_TRUE(hr_reply_equals(reply, "MINE"));
    ASSERT_EQ(fake.accepted, 1);
    fake_client_end(redis, &fake);
}

static void stop_reading(struct fake_peer *peer)
{
    if (fake_introduce(peer))
        ASSERT_ERR(hr_sleep(HR_FOREVER), -ECANCELED);
}

static void stop_reading_at_first(struct fake_peer *peer)
{
    if (peer->number == 1)
        stop_reading(peer);
    else
        fake_echo(peer);
}

static int push_large(void *arg)
{
    struct fake_asker *a = arg;
    char *value = calloc(1, 100000);
    ASSERT_TRUE(value);
    memset(value, 'v', 99999);
    a->code = hr_redis_command(a->redis, NULL, "X %s", value);
    a->sent = a->code < 0 && hr_last_error()->sent;
    free(value);
    return 0;
}

TEST(callers_wait_when_too_much_is_pending_and_unsent_commands_say_so)
{
    struct fake_redis fake;
    fake_start(&fake, stop_reading_at_first, NULL);
    hr_redis *redis = fake_client(
        &fake, &(struct hr_redis_options){.max_pending = 250000, .command_timeout = hr_ms(900)});
    enum { N = 20 };
    static struct fake_asker askers[N];
    hr_task *tasks[N];
    for (int i = 0; i < N; i++) {
        askers[i] = (struct fake_asker){.redis = redis};
        tasks[i] = hr_create_task(NULL, push_large, &askers[i]);
    }
    int unsent = 0, lost = 0, timed_out = 0;
    for (int i = 0; i < N; i++) {
        ASSERT_ERR(hr_join(tasks[i]), 0);
        ASSERT_TRUE(askers[i].code < 0);
        timed_out += askers[i].code == -ETIMEDOUT;
        lost += askers[i].code == HR_ELOST;
        unsent += !askers[i].sent;
        if (askers[i].code == -ENOTCONN)
            ASSERT_FALSE(askers[i].sent);
    }
    ASSERT_TRUE(unsent >= N / 2); /* the socket takes two or three */
    ASSERT_TRUE(timed_out + lost >= 1);
    ASSERT_EQ(test_clock_now(), hr_ms(900));

    char *value = calloc(1, 300000);
    memset(value, 'v', 299999);
    int r;
    while ((r = hr_redis_command(redis, NULL, "X %s", value)) == -ENOTCONN)
        ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    ASSERT_ERR(r, -ENOBUFS);
    free(value);
    fake_client_end(redis, &fake);
}

TEST(a_peer_that_stops_reading_in_the_middle_of_a_command_is_left)
{
    struct fake_redis fake;
    fake_start(&fake, stop_reading, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.command_timeout = hr_ms(500)});
    size_t size = 8 << 20;
    char *value = malloc(size);
    ASSERT_TRUE(value);
    memset(value, 'v', size);
    ASSERT_ERR(hr_redis_command(redis, NULL, "X %b", value, size), -ETIMEDOUT);
    ASSERT_TRUE(hr_last_error()->sent);
    ASSERT_EQ(test_clock_now(), hr_ms(500));
    ASSERT_EQ(hr_redis_up_since(redis), HR_FOREVER);
    free(value);
    fake_client_end(redis, &fake);
}

/* Answers commands of two words, once somebody says that it may read on. */
static bool may_read;

static void read_later(struct fake_peer *peer)
{
    static char drop[64 * 1024];
    if (!fake_introduce(peer))
        return;
    while (!may_read) {
        if (hr_sleep(hr_ms(1)) < 0)
            return;
    }
    for (int lines = 0;;) {
        ssize_t n = recv(peer->fd, drop, sizeof(drop), 0);
        if (n == 0 || (n < 0 && (errno != EAGAIN || hr_io_wait(peer->io, HR_READ) < 0)))
            return;
        for (ssize_t i = 0; i < n; i++) {
            lines += drop[i] == '\n';
            if (drop[i] == '\n' && lines % 5 == 0 && !fake_say(peer, "+OK\r\n"))
                return;
        }
    }
}

struct sized {
    hr_redis *redis;
    size_t size;
    int code;
    hr_usec at;
};

static int push_sized(void *arg)
{
    struct sized *sized = arg;
    char *value = malloc(sized->size);
    ASSERT_TRUE(value);
    memset(value, 'v', sized->size);
    sized->code = hr_redis_command(sized->redis, NULL, "X %b", value, sized->size);
    sized->at = test_clock_now();
    free(value);
    return 0;
}

TEST(who_had_his_turn_for_room_and_does_not_use_it_passes_it_on)
{
    struct fake_redis fake;
    may_read = false;
    fake_start(&fake, read_later, NULL);
    hr_redis *redis = fake_client(
        &fake, &(struct hr_redis_options){.max_pending = 500000, .command_timeout = hr_ms(900)});
    static const size_t sizes[] = {400000, 400000, 600000, 10};
    struct sized sized[HR_ARRAY_LEN(sizes)];
    hr_task *tasks[HR_ARRAY_LEN(sizes)];
    for (size_t i = 0; i < HR_ARRAY_LEN(sizes); i++) {
        sized[i] = (struct sized){.redis = redis, .size = sizes[i]};
        tasks[i] = hr_create_task(NULL, push_sized, &sized[i]);
    }
    ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    may_read = true;
    for (size_t i = 0; i < HR_ARRAY_LEN(sizes); i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    ASSERT_ERR(sized[1].code, 0);
    ASSERT_ERR(sized[2].code, -ENOBUFS);
    ASSERT_ERR(sized[3].code, 0);
    ASSERT_TRUE(sized[3].at < hr_ms(100));
    fake_client_end(redis, &fake);
}

static void reads_all(struct fake_peer *peer)
{
    if (!fake_introduce(peer))
        return;
    char drop[4096];
    for (int commands = 0;;) {
        ssize_t n = recv(peer->fd, drop, sizeof(drop), 0);
        if (n == 0 || (n < 0 && (errno != EAGAIN || hr_io_wait(peer->io, HR_READ) < 0)))
            return;
        for (ssize_t i = 0; i < n; i++)
            commands += drop[i] == '*';
        for (; commands > 0; commands--) {
            if (!fake_say(peer, "+OK\r\n"))
                return;
        }
    }
}

TEST(who_waits_for_room_is_let_in_one_after_the_other)
{
    struct fake_redis fake;
    enum { N = 20, SIZE = 100000, ROOM = 250000 };
    may_read = false;
    fake_start(&fake, read_later, NULL);
    hr_redis *redis = fake_client(
        &fake, &(struct hr_redis_options){.max_pending = ROOM, .command_timeout = hr_ms(900)});
    struct hr__redis_conn *conn = NULL;
    ASSERT_ERR(hr__redis_get_conn(redis, &conn), 0);
    struct sized sized[N];
    hr_task *tasks[N];
    for (int i = 0; i < N; i++) {
        sized[i] = (struct sized){.redis = redis, .size = SIZE};
        tasks[i] = hr_create_task(NULL, push_sized, &sized[i]);
    }
    ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    may_read = true;
    for (int i = 0; i < N; i++) {
        while (!hr_future_done(tasks[i])) {
            ASSERT_TRUE(hr__redis_conn_pending(conn) <= ROOM + SIZE + 100);
            ASSERT_ERR(hr_yield(), 0);
        }
        ASSERT_ERR(hr_join(tasks[i]), 0);
        ASSERT_ERR(sized[i].code, 0);
    }
    fake_client_end(redis, &fake);
}

TEST(large_commands_pass_through_a_small_window)
{
    struct fake_redis fake;
    fake_start(&fake, reads_all, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.max_pending = 150000});
    enum { N = 50 };
    static struct fake_asker askers[N];
    hr_task *tasks[N];
    for (int i = 0; i < N; i++) {
        askers[i] = (struct fake_asker){.redis = redis};
        tasks[i] = hr_create_task(NULL, push_large, &askers[i]);
    }
    for (int i = 0; i < N; i++) {
        ASSERT_ERR(hr_join(tasks[i]), 0);
        ASSERT_ERR(askers[i].code, 0);
    }
    fake_client_end(redis, &fake);
}

TEST(s22_6_futures_answer_in_order_of_asking_whether_connected_or_not)
{
    struct fake_redis fake;
    fake_start(&fake, fake_echo, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    for (int round = 0; round < 2; round++) {
        hr_auto(hr_futures_done) struct hr_futures asks = {0};
        for (int i = 0; i < 20; i++)
            hr_futures_add(&asks, hr_redis_command_future(redis, "N %d", i));
        ASSERT_ERR(hr_gather(&asks, 0), 0);
        for (int i = 0; i < 20; i++) {
            char want[16];
            snprintf(want, sizeof(want), "N %d", i);
            ASSERT_TRUE(hr_reply_equals(hr_future_result(asks.items[i]), want));
        }
    }
    fake_client_end(redis, &fake);
}

TEST(a_cancelled_future_is_no_harm_to_later_ones)
{
    struct fake_redis fake;
    fake_start(&fake, fake_echo, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "UP"), 0);
    hr_future *a = hr_redis_command_future(redis, "A");
    hr_future *b = hr_redis_command_future(redis, "B");
    hr_future_cancel(a, NULL);
    ASSERT_ERR(hr_await(b), 0);
    ASSERT_TRUE(hr_reply_equals(hr_future_result(b), "B"));
    hr_future_unref(a);
    hr_future_unref(b);
    fake_client_end(redis, &fake);
}

TEST(a_future_with_a_wrong_format_fails)
{
    struct fake_redis fake;
    fake_start(&fake, fake_echo, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_join(hr_redis_command_future(redis, "%q")), -EINVAL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "%q"), -EINVAL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "UP"), 0);
    ASSERT_ERR(hr_join(hr_redis_command_future(redis, "%q")), -EINVAL);
    fake_client_end(redis, &fake);
}

TEST(s22_10_close_fails_what_is_pending_and_refuses_what_comes_after)
{
    struct fake_redis fake;
    fake_start(&fake, fake_introduce_only, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    struct fake_asker sent = {.redis = redis}, unsent = {.redis = redis};
    hr_task *a = hr_create_task("sent", fake_ask, &sent);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_task *b = hr_create_task("unsent", fake_ask, &unsent);
    test_passes(1);
    ASSERT_ERR(hr_redis_close(redis), 0);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_ERR(sent.code, HR_ECLOSED);
    ASSERT_TRUE(sent.sent);
    ASSERT_ERR(unsent.code, HR_ECLOSED);
    ASSERT_FALSE(unsent.sent);

    hr_redis_conn *conn = NULL;
    ASSERT_ERR(hr_redis_close(redis), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "GET x"), HR_ECLOSED);
    ASSERT_ERR(hr_join(hr_redis_command_future(redis, "GET x")), HR_ECLOSED);
    ASSERT_ERR(hr_redis_acquire(redis, &conn), HR_ECLOSED);
    fake_client_end(redis, &fake);
}

TEST(close_refuses_who_waits_for_room)
{
    struct fake_redis fake;
    may_read = false;
    fake_start(&fake, read_later, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.max_pending = 500000});
    struct sized sized[3];
    hr_task *tasks[3];
    for (size_t i = 0; i < 3; i++) {
        sized[i] = (struct sized){.redis = redis, .size = 400000};
        tasks[i] = hr_create_task(NULL, push_sized, &sized[i]);
    }
    ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    ASSERT_ERR(hr_redis_close(redis), 0);
    for (size_t i = 0; i < 3; i++) {
        ASSERT_ERR(hr_join(tasks[i]), 0);
        ASSERT_ERR(sized[i].code, HR_ECLOSED);
    }
    fake_client_end(redis, &fake);
}

TEST(free_alone_drops_everything)
{
    struct fake_redis fake;
    fake_start(&fake, fake_introduce_only, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    struct fake_asker a = {.redis = redis};
    hr_task *task = hr_create_task("asker", fake_ask, &a);
    hr_redis_conn *conn = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
    hr_future *future = hr_redis_command_future(redis, "X");
    hr_redis_free(redis);
    hr_redis_release(conn);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(a.code, HR_ECLOSED);
    ASSERT_ERR(hr_join(future), HR_ECLOSED);
    fake_end(&fake);
}

TEST_PLAIN(wrong_options_are_refused)
{
    static const char *const urls[] = {NULL, "redis://h:x", "mysql://h"};
    for (size_t i = 0; i < HR_ARRAY_LEN(urls); i++) {
        ASSERT_TRUE(hr_redis_new(&(struct hr_redis_options){.url = urls[i]}) == NULL);
        ASSERT_ERR(hr_last_error()->code, -EINVAL);
    }
    struct hr_redis_options options = {.url = "redis://h", .client_name = "two words"};
    ASSERT_TRUE(hr_redis_new(&options) == NULL);
    ASSERT_ERR(hr_last_error()->code, -EINVAL);
    options = (struct hr_redis_options){.url = "redis://h", .max_reply = SIZE_MAX};
    ASSERT_TRUE(hr_redis_new(&options) == NULL);
    ASSERT_ERR(hr_last_error()->code, -EINVAL);
}

static int run_other_loop(void *arg)
{
    return hr_redis_command(arg, NULL, "X");
}

TEST_PLAIN(a_client_belongs_to_one_loop)
{
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = "unix:///nowhere"});
    ASSERT_ERR(hr_redis_command(redis, NULL, "X"), HR_ENOLOOP);
    hr_loop *first = hr_loop_new(NULL), *second = hr_loop_new(NULL);
    struct hr_task_options options = {.loop = first};
    ASSERT_ERR(
        hr_loop_run_until_complete(first, hr_create_task_with(&options, run_other_loop, redis)),
        -ENOTCONN);
    options.loop = second;
    ASSERT_ERR(
        hr_loop_run_until_complete(second, hr_create_task_with(&options, run_other_loop, redis)),
        HR_EWRONGLOOP);
    hr_redis_free(redis);
    hr_loop_free(second);
    hr_loop_free(first);
}
