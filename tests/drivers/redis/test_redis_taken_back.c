/* SPDX-License-Identifier: MIT */
/*
 * Commands that are taken back while the socket takes no more: those around them are sent whole, in
 * order, and many cost no more each than a few.
 */
#include <string.h>
#include <time.h>

#include "drivers/redis/client.h"
#include "drivers/redis/conn_impl.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"

#define MANY  40000 /* commands */
#define TIMES 40    /* as many as a few are */

static bool may_read;

/* Reads only once it may; then it answers with what it was asked, and with OK to what is long. */
static void echo_later(struct fake_peer *peer)
{
    const char *words;
    if (!fake_introduce(peer))
        return;
    while (!may_read) {
        if (hr_sleep(hr_ms(1)) < 0)
            return;
    }
    while ((words = fake_next(peer))) {
        char text[80];
        snprintf(text, sizeof(text), "$%zu\r\n%s\r\n", strlen(words), words);
        if (!fake_say(peer, words[0] == 'X' ? "+OK\r\n" : text))
            return;
    }
}

static int push_much(void *arg)
{
    static char value[4000];
    memset(value, 'v', sizeof(value));
    return hr_redis_command(arg, NULL, "X %b", value, sizeof(value));
}

enum { FILLERS = 200, ASKERS = 300 };

/* A client whose server reads nothing yet, and whose socket takes no more: what is asked from now
 * on stays here. */
struct stuck {
    struct fake_redis fake;
    hr_task *fillers[FILLERS];
    hr_redis *redis;
};

static struct hr__redis_conn *stuck_begin(struct stuck *s)
{
    may_read = false;
    fake_start(&s->fake, echo_later, NULL);
    s->redis = fake_client(&s->fake, &(struct hr_redis_options){.command_timeout = hr_ms(900)});
    for (int i = 0; i < FILLERS; i++)
        s->fillers[i] = hr_create_task("filler", push_much, s->redis);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    return s->redis->conn;
}

static void stuck_end(struct stuck *s)
{
    may_read = true;
    for (int i = 0; i < FILLERS; i++)
        ASSERT_ERR(hr_join(s->fillers[i]), 0);
    fake_client_end(s->redis, &s->fake);
}

TEST(what_is_taken_back_leaves_the_others_whole_and_in_order)
{
    struct stuck s;
    static struct fake_asker askers[ASKERS];
    hr_task *tasks[ASKERS];
    uint32_t dice = 7;
    stuck_begin(&s);
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (struct fake_asker){.redis = s.redis, .number = i};
        tasks[i] = hr_create_task(NULL, fake_ask, &askers[i]);
    }
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    for (int i = 0; i < ASKERS; i++) {
        dice = dice * 1664525 + 1013904223;
        hr_task_cancel(tasks[(dice >> 16) % ASKERS], NULL);
        if (i % 8 == 0) /* they leave a few at a time */
            ASSERT_ERR(hr_yield(), 0);
    }
    ASSERT_ERR(hr_yield(), 0);
    may_read = true;
    int cancelled = 0;
    for (int i = 0; i < ASKERS; i++) {
        ASSERT_ERR(hr_join(tasks[i]), 0);
        cancelled += askers[i].code == -ECANCELED;
        if (askers[i].code == -ECANCELED)
            ASSERT_FALSE(askers[i].sent);
        else
            ASSERT_TRUE(askers[i].matched);
    }
    ASSERT_TRUE(cancelled > ASKERS / 4 && cancelled < ASKERS);
    stuck_end(&s);
}

static void begin(struct hr__redis_call *call, hr_redis *redis, const char *value, size_t size,
                  hr_usec span)
{
    const char *argv[] = {"GET", value};
    const size_t lens[] = {3, size};
    struct hr__redis_request request = {.argc = 2, .argv = argv, .lens = lens};
    *call = (struct hr__redis_call){.limit = span};
    ASSERT_ERR(hr__redis_call_begin(call, redis->conn, &request, span), 0);
}

static void take_back(struct hr__redis_call *call)
{
    ASSERT_TRUE(hr__redis_call_take_back(call));
    ASSERT_ERR(hr__redis_call_end(call, NULL), -ECANCELED);
}

TEST(what_is_asked_and_taken_back_over_and_over_does_not_pile_up)
{
    struct stuck s;
    const struct hr__redis_conn *conn = stuck_begin(&s);
    size_t bytes = conn->out.capacity;
    for (int i = 0; i < 200000; i++) {
        struct hr__redis_call call;
        begin(&call, s.redis, "a", 1, hr_ms(900));
        take_back(&call);
    }
    ASSERT_TRUE(conn->out.capacity <= 4 * bytes);
    ASSERT_TRUE(conn->line.capacity <= 65536);
    stuck_end(&s);
}

TEST(what_is_taken_back_leaves_its_room_to_who_waits_for_it)
{
    struct stuck s;
    static char value[400000];
    struct hr__redis_conn *conn = stuck_begin(&s);
    size_t before = hr__redis_conn_pending(conn);
    struct hr__redis_call stays, goes;
    memset(value, 'v', sizeof(value));
    begin(&stays, s.redis, value, 400000, hr_ms(900));
    begin(&goes, s.redis, value, 150000, hr_ms(900));
    conn->limits.max_pending = before + 500000;
    struct fake_asker asker = {.redis = s.redis, .number = 1};
    hr_task *waits = hr_create_task("waits", fake_ask, &asker);
    test_passes(3);
    ASSERT_FALSE(hr_list_empty(&conn->room));
    take_back(&goes); /* less than half of it, so that it still lies there */
    test_passes(3);
    ASSERT_TRUE(hr_list_empty(&conn->room));
    ASSERT_TRUE(hr__redis_conn_has_room(conn));
    take_back(&stays);
    may_read = true;
    ASSERT_ERR(hr_join(waits), 0);
    ASSERT_TRUE(asker.matched);
    stuck_end(&s);
}

TEST(what_waits_for_room_gets_that_of_commands_whose_time_is_up_and_has_its_own_time)
{
    struct stuck s;
    static char value[4000];
    struct hr__redis_conn *conn = stuck_begin(&s);
    struct hr__redis_call ends;
    begin(&ends, s.redis, value, sizeof(value), hr_ms(500));
    conn->limits.max_pending = hr__redis_conn_pending(conn);
    struct fake_asker asker = {.redis = s.redis, .number = 1};
    hr_usec since = test_clock_now();
    hr_task *waits = hr_create_task("waits", fake_ask, &asker);
    test_passes(3);
    ASSERT_FALSE(hr_list_empty(&conn->room));
    ASSERT_ERR(hr__redis_call_wait(&ends), 0);
    ASSERT_ERR(hr__redis_call_end(&ends, NULL), -ETIMEDOUT);
    test_passes(3);
    ASSERT_TRUE(hr_list_empty(&conn->room)); /* it was let in */
    conn->heard = hr_now();                  /* a sign of life */
    ASSERT_ERR(hr_join(waits), 0);
    ASSERT_ERR(asker.code, -ETIMEDOUT);
    ASSERT_EQ(test_clock_now(), since + hr_ms(900));
    for (int i = 0; i < FILLERS; i++)
        ASSERT_TRUE(hr_join(s.fillers[i]) < 0);
    fake_client_end(s.redis, &s.fake);
}

static int assert_unnamed(int code)
{
    ASSERT_ERR(code, -ECANCELED);
    ASSERT_TRUE(strstr(hr_last_error()->message, ": a command was cancelled before it was sent"));
    return 0;
}

static int ask_nothing(void *arg)
{
    return assert_unnamed(hr_redis_command_argv(arg, NULL, 0, NULL, NULL));
}

static int ask_null(void *arg)
{
    static const char *const words[] = {NULL};
    static const size_t lens[] = {5};
    return assert_unnamed(hr_redis_command_argv(arg, NULL, 1, words, lens));
}

TEST(a_command_that_is_none_has_no_name_while_it_waits_for_room)
{
    struct stuck s;
    struct hr__redis_conn *conn = stuck_begin(&s);
    conn->limits.max_pending = hr__redis_conn_pending(conn);
    hr_task *tasks[] = {hr_create_task("nothing", ask_nothing, s.redis),
                        hr_create_task("null", ask_null, s.redis)};
    test_passes(3);
    for (size_t i = 0; i < HR_ARRAY_LEN(tasks); i++) {
        hr_task_cancel(tasks[i], NULL);
        ASSERT_ERR(hr_join(tasks[i]), 0);
    }
    stuck_end(&s);
}

TEST(a_large_command_does_not_keep_its_memory)
{
    struct stuck s;
    const struct hr__redis_conn *conn = stuck_begin(&s);
    ASSERT_TRUE(conn->out.capacity > 256 * 1024);
    may_read = true;
    for (int i = 0; i < FILLERS; i++)
        ASSERT_ERR(hr_join(s.fillers[i]), 0);
    ASSERT_TRUE(conn->out.capacity <= 256 * 1024);
    fake_client_end(s.redis, &s.fake);
}

TEST(a_connection_that_retires_ends_as_the_last_command_is_taken_back)
{
    struct fake_redis fake;
    struct hr__redis_conn *conn = NULL;
    struct hr__redis_call one, other;
    may_read = true;
    fake_start(&fake, echo_later, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr__redis_get_conn(redis, &conn), 0);
    hr__redis_conn_ref(conn);
    begin(&one, redis, "a", 1, hr_ms(900));
    begin(&other, redis, "b", 1, hr_ms(900));
    redis->up_since -= hr_seconds(5);
    hr__redis_leave_server(redis);
    take_back(&other);
    ASSERT_FALSE(conn->lost);
    take_back(&one);
    ASSERT_TRUE(conn->lost);
    hr__redis_conn_unref(conn);
    fake_client_end(redis, &fake);
}

static hr_usec cpu_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return hr_seconds(now.tv_sec) + now.tv_nsec / 1000;
}

/* What it costs to take back n that were asked, beginning at the oldest and going on by step. */
static hr_usec cost_of_leaving(hr_redis *redis, size_t n, size_t step)
{
    static struct hr__redis_call calls[MANY];
    static const char *const argv[] = {"GET", "a"};
    struct hr__redis_request request = {.argc = 2, .argv = argv};
    for (size_t i = 0; i < n; i++) {
        calls[i] = (struct hr__redis_call){.request = &request, .limit = hr_ms(900)};
        ASSERT_ERR(hr__redis_call_begin(&calls[i], redis->conn, &request, hr_ms(900)), 0);
    }
    hr_usec before = cpu_time();
    for (size_t i = 0, at = 0; i < n; i++, at = (at + step) % n)
        ASSERT_TRUE(hr__redis_call_take_back(&calls[at]));
    hr_usec cost = cpu_time() - before;
    for (size_t i = 0; i < n; i++)
        ASSERT_ERR(hr__redis_call_end(&calls[i], NULL), -ECANCELED);
    return cost;
}

TEST(to_take_back_many_costs_each_as_much_as_to_take_back_a_few)
{
    struct stuck s;
    stuck_begin(&s);
    hr_usec few = cost_of_leaving(s.redis, MANY / TIMES, 1), most = 8 * TIMES * few;
    ASSERT_TRUE(cost_of_leaving(s.redis, MANY, 1) < most);
    ASSERT_TRUE(cost_of_leaving(s.redis, MANY, MANY - 1) < most); /* the newest first */
    ASSERT_TRUE(cost_of_leaving(s.redis, MANY, 17) < most);
    stuck_end(&s);
}
