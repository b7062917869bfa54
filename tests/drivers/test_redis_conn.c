/* SPDX-License-Identifier: MIT */
/*
 * The shared connection against a server that misbehaves: splits, silences, hangs up, says what
 * nobody asked for.
 */
#include <string.h>
#include <sys/socket.h>

#include "core/gather.h"
#include "core/timeout.h"
#include "drivers/redis.h"
#include "tests/drivers/fake_redis.h"
#include "tests/support/hrtest.h"

static void client_end(hr_redis *redis, struct fake_redis *fake)
{
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
    fake_end(fake);
}

/* Answers every command with its own words, as a string. */
static void echo(struct fake_peer *peer)
{
    if (!fake_introduce(peer))
        return;
    const char *words;
    while ((words = fake_next(peer))) {
        char reply[4200];
        snprintf(reply, sizeof(reply), "$%zu\r\n%s\r\n", strlen(words), words);
        if (!fake_say(peer, reply))
            return;
    }
}

TEST(a_command_gets_its_reply)
{
    struct fake_redis fake;
    fake_start(&fake, echo, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    ASSERT_ERR(hr_redis_command(redis, &reply, "GET %s:%d", "key", 7), 0);
    ASSERT_TRUE(hr_reply_equals(reply, "GET key:7"));
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET a b"), 0);
    ASSERT_EQ(hr_redis_up_since(redis), 0);
    client_end(redis, &fake);
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

TEST(a_reply_may_come_byte_by_byte_22_12)
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
    client_end(redis, &fake);
}

/* One of many tasks that ask at the same time. */
struct asker {
    hr_redis *redis;
    int number, code;
    bool sent, matched;
};

static int ask_own_number(void *arg)
{
    struct asker *a = arg;
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    char want[32];
    snprintf(want, sizeof(want), "GET %d", a->number);
    a->code = hr_redis_command(a->redis, &reply, "GET %d", a->number);
    a->sent = a->code < 0 && hr_last_error()->sent;
    a->matched = a->code == 0 && hr_reply_equals(reply, want);
    return 0;
}

/* Counts the pieces in which commands arrive. */
static int reads;

static void count_reads(struct fake_peer *peer)
{
    if (!fake_introduce(peer))
        return;
    for (;;) {
        if (peer->start == peer->end)
            reads++;
        const char *words = fake_next(peer);
        char reply[64];
        if (!words)
            return;
        snprintf(reply, sizeof(reply), "+%s\r\n", words);
        if (!fake_say(peer, reply))
            return;
    }
}

TEST(what_is_asked_in_one_pass_goes_out_in_one_write)
{
    struct fake_redis fake;
    fake_start(&fake, count_reads, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "GET 0"), 0);
    reads = 0;
    enum { N = 500 };
    static struct asker askers[N];
    hr_task *tasks[N];
    for (int i = 0; i < N; i++) {
        askers[i] = (struct asker){.redis = redis, .number = i};
        tasks[i] = hr_create_task(NULL, ask_own_number, &askers[i]);
    }
    for (int i = 0; i < N; i++) {
        ASSERT_ERR(hr_join(tasks[i]), 0);
        ASSERT_TRUE(askers[i].matched);
    }
    ASSERT_TRUE(reads <= 2);
    client_end(redis, &fake);
}

TEST(a_cancelled_command_never_shifts_the_replies_of_others_22_7)
{
    struct fake_redis fake;
    fake_start(&fake, echo, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "GET 0"), 0);
    enum { N = 60 };
    for (int passes = 0; passes < 8; passes++) {
        struct asker askers[N];
        hr_task *tasks[N];
        for (int i = 0; i < N; i++) {
            askers[i] = (struct asker){.redis = redis, .number = passes * N + i};
            tasks[i] = hr_create_task(NULL, ask_own_number, &askers[i]);
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
    client_end(redis, &fake);
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
    return ask_own_number(arg);
}

TEST(a_command_that_did_not_leave_is_taken_back)
{
    struct fake_redis fake;
    heard[0] = '\0';
    fake_start(&fake, note, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "FIRST"), 0);
    struct asker askers[5];
    hr_task *tasks[5];
    for (int i = 0; i < 5; i++) {
        askers[i] = (struct asker){.redis = redis, .number = i};
        tasks[i] =
            hr_create_task(NULL, i % 2 ? cancel_oneself_and_ask : ask_own_number, &askers[i]);
    }
    for (int i = 0; i < 5; i++) {
        ASSERT_ERR(hr_join(tasks[i]), 0);
        ASSERT_ERR(askers[i].code, i % 2 ? -ECANCELED : 0);
        ASSERT_FALSE(askers[i].sent);
    }
    ASSERT_STR(heard, "FIRST|GET 0|GET 2|GET 4|");
    client_end(redis, &fake);
}

static void stop_reading(struct fake_peer *peer)
{
    if (fake_introduce(peer))
        ASSERT_ERR(hr_sleep(HR_FOREVER), -ECANCELED);
}

static void introduce_only(struct fake_peer *peer)
{
    if (fake_introduce(peer))
        fake_silence(peer);
}

TEST(leaving_after_the_command_left_says_sent)
{
    struct fake_redis fake;
    fake_start(&fake, introduce_only, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    struct asker a = {.redis = redis};
    hr_task *task = hr_create_task("asker", ask_own_number, &a);
    ASSERT_ERR(hr_sleep(hr_ms(100)), 0);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(a.code, -ECANCELED);
    ASSERT_TRUE(a.sent);
    client_end(redis, &fake);
}

TEST(a_server_that_accepts_and_never_answers_is_given_up_in_time)
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
    client_end(redis, &fake);
}

TEST(a_silent_peer_is_left_after_one_deadline)
{
    struct fake_redis fake;
    fake_start(&fake, introduce_only, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.command_timeout = hr_ms(300)});
    struct asker first = {.redis = redis}, second = {.redis = redis};
    hr_task *a = hr_create_task("first", ask_own_number, &first);
    ASSERT_ERR(hr_sleep(hr_ms(100)), 0);
    hr_task *b = hr_create_task("second", ask_own_number, &second);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(300));
    ASSERT_ERR(first.code, -ETIMEDOUT);
    ASSERT_TRUE(first.sent);
    ASSERT_ERR(second.code, HR_ELOST);
    ASSERT_TRUE(second.sent);
    client_end(redis, &fake);
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

TEST(a_late_reply_is_dropped_by_its_place_22_7)
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
    client_end(redis, &fake);
}

static void refuse_client(struct fake_peer *peer)
{
    (void)fake_say(peer, "-ERR max number of clients reached\r\n");
}

TEST(an_unsolicited_first_reply_is_the_reason_why_there_is_no_connection)
{
    struct fake_redis fake;
    fake_start(&fake, refuse_client, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), -ENOTCONN);
    ASSERT_TRUE(strstr(hr_last_error()->message, "max number of clients reached"));
    ASSERT_STR(hr_last_error()->kind, "ERR");
    ASSERT_FALSE(hr_last_error()->sent);
    client_end(redis, &fake);
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
        echo(peer);
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
        client_end(redis, &fake);
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
    client_end(redis, &fake);
}

static void answer_deep(struct fake_peer *peer)
{
    if (!fake_introduce(peer) || !fake_next(peer))
        return;
    for (int i = 0; i < 40; i++) {
        if (!fake_say(peer, "*1\r\n"))
            return;
    }
    (void)fake_say(peer, ":1\r\n");
    fake_silence(peer);
}

TEST(a_reply_nested_too_deep_ends_the_connection_with_a_reason)
{
    struct fake_redis fake;
    fake_start(&fake, answer_deep, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "DEEP"), HR_ELOST);
    ASSERT_TRUE(strstr(hr_last_error()->message, "nested") ||
                strstr(hr_last_error()->message, "depth"));
    client_end(redis, &fake);
}

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
    ASSERT_TRUE(strstr(hr_last_error()->message, "larger than max_reply"));
    client_end(redis, &fake);
}

static void stop_reading_at_first(struct fake_peer *peer)
{
    if (peer->number == 1)
        stop_reading(peer);
    else
        echo(peer);
}

static int push_large(void *arg)
{
    struct asker *a = arg;
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
    static struct asker askers[N];
    hr_task *tasks[N];
    for (int i = 0; i < N; i++) {
        askers[i] = (struct asker){.redis = redis};
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
    client_end(redis, &fake);
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
    client_end(redis, &fake);
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

TEST(large_commands_pass_through_a_small_window)
{
    struct fake_redis fake;
    fake_start(&fake, reads_all, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.max_pending = 150000});
    enum { N = 50 };
    static struct asker askers[N];
    hr_task *tasks[N];
    for (int i = 0; i < N; i++) {
        askers[i] = (struct asker){.redis = redis};
        tasks[i] = hr_create_task(NULL, push_large, &askers[i]);
    }
    for (int i = 0; i < N; i++) {
        ASSERT_ERR(hr_join(tasks[i]), 0);
        ASSERT_ERR(askers[i].code, 0);
    }
    client_end(redis, &fake);
}

TEST(a_server_that_is_not_there_is_told_at_once)
{
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = "unix:///nowhere/s.sock"});
    ASSERT_TRUE(redis);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), -ENOTCONN);
    ASSERT_STR(hr_last_error()->message,
               "redis /nowhere/s.sock: cannot connect: No such file or directory");
    hr_redis_conn *conn = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &conn), -ENOTCONN);
    ASSERT_ERR(hr_redis_close(redis), 0);
    ASSERT_ERR(hr_redis_close(redis), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), HR_ECLOSED);
    ASSERT_ERR(hr_redis_acquire(redis, &conn), HR_ECLOSED);
    hr_redis_free(redis);
}

TEST_PLAIN(wrong_options_are_refused)
{
    static const char *const urls[] = {NULL, "redis://h:x", "mysql://h", "rediss://h"};
    for (size_t i = 0; i < HR_ARRAY_LEN(urls); i++) {
        ASSERT_TRUE(hr_redis_new(&(struct hr_redis_options){.url = urls[i]}) == NULL);
        ASSERT_ERR(hr_last_error()->code, -EINVAL);
    }
    struct hr_redis_options options = {.url = "redis://h", .client_name = "two words"};
    ASSERT_TRUE(hr_redis_new(&options) == NULL);
    ASSERT_ERR(hr_last_error()->code, -EINVAL);
}

TEST(close_fails_what_is_pending_22_10)
{
    struct fake_redis fake;
    fake_start(&fake, introduce_only, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    struct asker sent = {.redis = redis}, unsent = {.redis = redis};
    hr_task *a = hr_create_task("sent", ask_own_number, &sent);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_task *b = hr_create_task("unsent", ask_own_number, &unsent);
    test_passes(1);
    ASSERT_ERR(hr_redis_close(redis), 0);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_ERR(sent.code, HR_ECLOSED);
    ASSERT_TRUE(sent.sent);
    ASSERT_ERR(unsent.code, HR_ECLOSED);
    ASSERT_FALSE(unsent.sent);
    client_end(redis, &fake);
}

TEST(free_alone_drops_everything)
{
    struct fake_redis fake;
    fake_start(&fake, introduce_only, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    struct asker a = {.redis = redis};
    hr_task *task = hr_create_task("asker", ask_own_number, &a);
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

TEST(futures_answer_in_order_of_asking_whether_connected_or_not)
{
    struct fake_redis fake;
    fake_start(&fake, echo, NULL);
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
    client_end(redis, &fake);
}

TEST(a_cancelled_future_is_no_harm_to_later_ones)
{
    struct fake_redis fake;
    fake_start(&fake, echo, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "UP"), 0);
    hr_future *a = hr_redis_command_future(redis, "A");
    hr_future *b = hr_redis_command_future(redis, "B");
    hr_future_cancel(a, NULL);
    ASSERT_ERR(hr_await(b), 0);
    ASSERT_TRUE(hr_reply_equals(hr_future_result(b), "B"));
    hr_future_unref(a);
    hr_future_unref(b);
    client_end(redis, &fake);
}

TEST(a_future_with_a_wrong_format_fails)
{
    struct fake_redis fake;
    fake_start(&fake, echo, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_join(hr_redis_command_future(redis, "%q")), -EINVAL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "%q"), -EINVAL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "UP"), 0);
    ASSERT_ERR(hr_join(hr_redis_command_future(redis, "%q")), -EINVAL);
    client_end(redis, &fake);
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
    client_end(redis, &fake);
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
    ASSERT_TRUE(fake.accepted >= 4 && fake.accepted <= FAKE_PEERS_MAX - 1);
    client_end(redis, &fake);
}

/* The first server has become a replica. */
static void fail_over(struct fake_peer *peer)
{
    if (peer->number > 1) {
        echo(peer);
        return;
    }
    if (!fake_introduce(peer))
        return;
    while (fake_next(peer)) {
        if (!fake_say(peer, peer->arg))
            return;
    }
}

TEST(after_a_failover_the_server_is_looked_for_again)
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
        ASSERT_ERR(hr_redis_command(redis, NULL, "SET a b"), 0);
        ASSERT_EQ(fake.accepted, 2);
        client_end(redis, &fake);
    }
}

TEST(errors_of_the_server_carry_their_kind)
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
        client_end(redis, &fake);
    }
}

/* Loads at first, like a server that has just been started. */
static void load_first(struct fake_peer *peer)
{
    const char *words;
    while ((words = fake_next(peer))) {
        bool loading = peer->number < 3;
        if (!fake_say(peer,
                      loading ? "-LOADING Redis is loading the dataset in memory\r\n" : "+OK\r\n"))
            return;
    }
}

TEST(a_server_that_is_loading_is_not_taken_for_ready)
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
    client_end(redis, &fake);
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
