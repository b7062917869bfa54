/* SPDX-License-Identifier: MIT */
/*
 * Sentinels that are silent, wrong or behind, and what they announce, as scripted fakes say it.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "drivers/redis.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"

#define MASTER  "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"
#define REPLICA "*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$9\r\nconnected\r\n:0\r\n"

/* A server that says its role, arg, and +OK to the rest. */
static void serve(struct fake_peer *peer)
{
    const char *words;
    while ((words = fake_next(peer))) {
        const char *reply = strcmp(words, "ROLE") == 0 ? peer->arg : "+OK\r\n";
        if (!fake_say(peer, strncmp(words, "HELLO", 5) == 0 ? "-ERR unknown\r\n" : reply))
            return;
    }
}

struct told {
    char answer[80]; /* where the master is */
    char others[200];
    struct fake_peer *subscriber; /* the latest */
    int subscribed;
};

static void tell_port(struct told *told, uint16_t port)
{
    char digits[8];
    int len = snprintf(digits, sizeof(digits), "%u", port);
    snprintf(told->answer, sizeof(told->answer), "*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n", len,
             digits);
}

static const char *answer_to(struct told *told, struct fake_peer *peer, const char *words)
{
    if (strncmp(words, "HELLO", 5) == 0)
        return "-ERR unknown\r\n";
    if (strcmp(words, "SENTINEL GET-MASTER-ADDR-BY-NAME main") == 0)
        return told->answer;
    if (strcmp(words, "SENTINEL SENTINELS main") == 0)
        return told->others[0] ? told->others : "*0\r\n";
    if (strcmp(words, "PING") == 0)
        return told->subscribed ? "*2\r\n$4\r\npong\r\n$0\r\n\r\n" : "+PONG\r\n";
    if (strncmp(words, "SUBSCRIBE ", 10) != 0)
        return "+OK\r\n";
    told->subscriber = peer;
    told->subscribed++;
    return "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n";
}

static void serve_sentinel(struct fake_peer *peer)
{
    const char *words;
    while ((words = fake_next(peer))) {
        if (!fake_say(peer, answer_to(peer->arg, peer, words)))
            return;
    }
}

static void announce(struct told *told, const char *channel, const char *text)
{
    char message[400];
    snprintf(message, sizeof(message), "*3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
             strlen(channel), channel, strlen(text), text);
    ASSERT_TRUE(fake_say(told->subscriber, message));
    test_passes(5); /* it is heard before the next one */
}

static hr_redis *client_of(uint16_t one, uint16_t other)
{
    char url[128];
    snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%u,127.0.0.1:%u/main", one, other);
    hr_redis *redis =
        hr_redis_new(&(struct hr_redis_options){.url = url, .connect_timeout = hr_ms(900)});
    ASSERT_TRUE(redis);
    return redis;
}

static void end_client(hr_redis *redis)
{
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
}

TEST(sentinels_that_do_not_know_the_master_say_why_there_is_no_connection)
{
    static const char *const cases[][2] = {
        {"*-1\r\n",                          "it knows no master called main"},
        {"+what\r\n",                        "its answer holds no address"   },
        {"*2\r\n$1\r\nh\r\n$5\r\n99999\r\n", "its answer holds no address"   },
        {"*2\r\n$3\r\na b\r\n$1\r\n1\r\n",   "its answer holds no address"   },
        {"-ERR not today\r\n",               "ERR not today"                 },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        struct fake_redis fake;
        struct told told = {0};
        snprintf(told.answer, sizeof(told.answer), "%s", cases[i][0]);
        fake_start_tcp(&fake, serve_sentinel, &told);
        hr_redis *redis = client_of(fake.port, fake.port);
        ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), -ENOTCONN);
        ASSERT_FALSE(hr_last_error()->sent);
        ASSERT_TRUE(strstr(hr_last_error()->message, "redis main: no sentinel knows where it is"));
        ASSERT_TRUE(strstr(hr_last_error()->message, cases[i][1]));
        end_client(redis);
        fake_end(&fake);
    }
}

static void refuse(struct fake_peer *peer)
{
    if (fake_next(peer))
        (void)fake_say(peer, "-WRONGPASS invalid username-password pair\r\n");
}

TEST(only_where_all_sentinels_refuse_the_password_is_there_nothing_to_wait_for)
{
    struct fake_redis refusing, knowing, master;
    struct told told = {0};
    char url[128];
    fake_start_tcp(&refusing, refuse, NULL);
    fake_start_tcp(&knowing, serve_sentinel, &told);
    fake_start_tcp(&master, serve, (void *)MASTER);
    for (int both = 0; both < 2; both++) {
        snprintf(told.answer, sizeof(told.answer), "*-1\r\n"); /* for now */
        snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%u,127.0.0.1:%u/main",
                 both ? refusing.port : knowing.port, refusing.port);
        hr_redis *redis = hr_redis_new(&(struct hr_redis_options){
            .url = url, .patience = hr_seconds(60), .command_timeout = hr_seconds(60)});
        hr_future *asked = hr_redis_command_future(redis, "GET x");
        ASSERT_ERR(hr_sleep(hr_seconds(1)), 0);
        ASSERT_EQ(hr_future_done(asked), both);
        tell_port(&told, master.port);
        ASSERT_ERR(hr_join(asked), both ? -ENOTCONN : 0);
        ASSERT_TRUE(!both || strcmp(hr_last_error()->kind, "WRONGPASS") == 0);
        end_client(redis);
    }
    fake_end(&refusing);
    fake_end(&knowing);
    fake_end(&master);
}

TEST(a_silent_sentinel_costs_its_share_of_the_time_only)
{
    struct fake_redis silent, sentinel, master;
    struct told told = {0};
    fake_start_tcp(&master, serve, (void *)MASTER);
    tell_port(&told, master.port);
    fake_start_tcp(&silent, fake_silence, NULL);
    fake_start_tcp(&sentinel, serve_sentinel, &told);
    hr_redis *redis = client_of(silent.port, sentinel.port);
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET a b"), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(300));
    hr_redis_conn *own = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &own), 0); /* the silent one is asked last now */
    ASSERT_EQ(test_clock_now(), hr_ms(300));
    hr_redis_release(own);
    end_client(redis);
    fake_end(&silent);
    fake_end(&sentinel);
    fake_end(&master);
}

TEST(a_replica_is_not_taken_for_the_master)
{
    struct fake_redis behind, sentinel, replica, master;
    struct told old = {0}, told = {0};
    fake_start_tcp(&replica, serve, (void *)REPLICA);
    fake_start_tcp(&master, serve, (void *)MASTER);
    tell_port(&old, replica.port);
    tell_port(&told, master.port);
    fake_start_tcp(&behind, serve_sentinel, &old);
    fake_start_tcp(&sentinel, serve_sentinel, &told);
    hr_redis *redis = client_of(behind.port, sentinel.port);
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET a b"), -ENOTCONN);
    ASSERT_STR(hr_last_error()->kind, "READONLY");
    ASSERT_TRUE(strstr(hr_last_error()->message, "no master answers there"));
    int r;
    while ((r = hr_redis_command(redis, NULL, "SET a b")) == -ENOTCONN)
        ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    ASSERT_ERR(r, 0);
    end_client(redis);
    fake_end(&behind);
    fake_end(&sentinel);
    fake_end(&replica);
    fake_end(&master);
}

static unsigned opened(const hr_redis *redis)
{
    struct hr_pool_stats stats;
    hr_redis_get_stats(redis, &stats);
    return (unsigned)stats.opened;
}

/* Two servers, the first of which is the master as far as the sentinel says, and a client. */
struct move {
    struct fake_redis sentinel, first, second;
    struct told told;
    hr_redis *redis;
};

static void move_begin(struct move *m, void (*serve_as)(struct fake_peer *peer), void *first,
                       void *second)
{
    *m = (struct move){0};
    fake_start_tcp(&m->first, serve_as, first);
    fake_start_tcp(&m->second, serve_as, second);
    tell_port(&m->told, m->first.port);
    fake_start_tcp(&m->sentinel, serve_sentinel, &m->told);
    m->redis = client_of(m->sentinel.port, m->sentinel.port);
    ASSERT_ERR(hr_redis_command(m->redis, NULL, "SET a b"), 0);
}

static void move_await_listeners(const struct move *m)
{
    while (m->told.subscribed < 2)
        ASSERT_ERR(hr_yield(), 0);
    test_passes(50);
}

/* The second is it now, and the sentinel says so to those that listen. */
static void move_announce(struct move *m)
{
    char text[100];
    tell_port(&m->told, m->second.port);
    snprintf(text, sizeof(text), "main 127.0.0.1 %u 127.0.0.1 %u", m->first.port, m->second.port);
    announce(&m->told, "+switch-master", text);
}

static void move_end(struct move *m)
{
    end_client(m->redis);
    fake_end(&m->sentinel);
    fake_end(&m->first);
    fake_end(&m->second);
}

TEST(a_master_that_is_announced_is_gone_to_at_once)
{
    struct move m;
    move_begin(&m, serve, (void *)MASTER, (void *)MASTER);
    move_await_listeners(&m);

    /* What is not about this master, or not to be understood, changes nothing. */
    char text[100];
    announce(&m.told, "+switch-master", "mainland 1.2.3.4 1 1.2.3.5 2");
    announce(&m.told, "+switch-master", "main");
    announce(&m.told, "+switch-master", "main 1.2.3.4 1 1.2.3.5 99999");
    announce(&m.told, "+sentinel", "sentinel");
    announce(&m.told, "+sentinel", "sentinel id 1.2.3.4 5 @ other 1.2.3.4 6");
    snprintf(text, sizeof(text), "main 1.2.3.4 1 127.0.0.1 %u", m.first.port);
    announce(&m.told, "+switch-master", text);
    ASSERT_ERR(hr_sleep(hr_seconds(7)), 0); /* PING is answered meanwhile */
    ASSERT_EQ(opened(m.redis), 1);
    ASSERT_EQ(m.told.subscribed, 2);

    hr_usec begun = hr_now();
    move_announce(&m);
    while (opened(m.redis) < 2)
        ASSERT_ERR(hr_yield(), 0);
    ASSERT_EQ(hr_now(), begun);
    ASSERT_EQ(m.second.accepted, 1);
    ASSERT_ERR(hr_redis_command(m.redis, NULL, "SET a b"), 0);
    move_end(&m);
}

TEST(who_asks_just_after_a_young_connection_was_left_is_told_so)
{
    struct move m;
    move_begin(&m, serve, (void *)MASTER, (void *)MASTER);
    move_await_listeners(&m);
    move_announce(&m);
    ASSERT_ERR(hr_redis_command(m.redis, NULL, "SET a b"), -ENOTCONN);
    ASSERT_FALSE(hr_last_error()->sent);
    ASSERT_TRUE(strstr(hr_last_error()->message, "it was left for another server"));
    ASSERT_ERR(hr_sleep(hr_ms(200)), 0);
    ASSERT_ERR(hr_redis_command(m.redis, NULL, "SET a b"), 0);
    ASSERT_EQ(m.second.accepted, 1);
    move_end(&m);
}

TEST(a_sentinel_that_does_not_name_the_others_is_listened_to_all_the_same)
{
    struct fake_redis sentinel, master;
    struct told told = {.others = "-NOPERM this user may not\r\n"};
    fake_start_tcp(&master, serve, (void *)MASTER);
    tell_port(&told, master.port);
    fake_start_tcp(&sentinel, serve_sentinel, &told);
    hr_redis *redis = client_of(sentinel.port, sentinel.port);
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET a b"), 0);
    ASSERT_ERR(hr_sleep(hr_ms(50)), 0);
    ASSERT_EQ(told.subscribed, 2);
    end_client(redis);
    fake_end(&sentinel);
    fake_end(&master);
}

TEST(a_move_that_nobody_heard_of_is_found_when_listening_begins_again)
{
    struct move m;
    move_begin(&m, serve, (void *)MASTER, (void *)MASTER);
    move_await_listeners(&m);
    tell_port(&m.told, m.second.port);
    m.told.subscribed = 0;
    shutdown(m.told.subscriber->fd, SHUT_RDWR);
    while (opened(m.redis) < 2)
        ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    ASSERT_TRUE(test_clock_now() < hr_seconds(3));
    ASSERT_EQ(m.second.accepted, 1);
    move_end(&m);
}

static int use_once(void *arg)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *own = NULL;
    int r = hr_redis_command(arg, NULL, "SET a b");
    return r < 0 ? r : hr_redis_acquire(arg, &own);
}

/* After every number of passes, until it is done by then. */
TEST(leaving_at_any_moment_leaves_nothing_behind)
{
    struct fake_redis sentinel, master;
    struct told told = {0};
    bool done = false;
    for (int n = 0; !done; n++) {
        fake_start_tcp(&master, serve, (void *)MASTER);
        tell_port(&told, master.port);
        fake_start_tcp(&sentinel, serve_sentinel, &told);
        hr_redis *redis = client_of(sentinel.port, sentinel.port);
        hr_task *task = hr_create_task("user", use_once, redis);
        test_passes(n);
        done = hr_future_done(task);
        hr_task_cancel(task, "the test leaves");
        int r = hr_join(task);
        ASSERT_TRUE(r == 0 || r == -ECANCELED);
        if (n % 2)
            ASSERT_ERR(hr_redis_close(redis), 0);
        hr_redis_free(redis);
        test_passes(20);
        fake_end(&sentinel);
        fake_end(&master);
    }
}

/* A master that blocks on BLPOP, has ids to give, and notes whom it is asked to unblock. */
struct blocker {
    const char *run_id;
    bool blocked, asked;
};

static void serve_blocking(struct fake_peer *peer)
{
    struct blocker *blocker = peer->arg;
    const char *words;
    peer->run_id = blocker->run_id;
    while ((words = fake_next(peer))) {
        const char *reply = "+OK\r\n";
        if (strncmp(words, "HELLO", 5) == 0)
            reply = "-ERR unknown\r\n";
        else if (strcmp(words, "ROLE") == 0)
            reply = MASTER;
        else if (strcmp(words, "CLIENT ID") == 0)
            reply = ":7\r\n";
        blocker->asked |= strcmp(words, "CLIENT UNBLOCK 7") == 0;
        if (strncmp(words, "BLPOP", 5) == 0)
            blocker->blocked = true;
        else if (strcmp(words, "INFO server") == 0 ? !fake_say_server(peer)
                                                   : !fake_say(peer, reply))
            return;
    }
}

static int block_for_long(void *arg)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *own = NULL;
    int r = hr_redis_acquire(arg, &own);
    return r < 0 ? r : hr_redis_conn_command(own, NULL, hr_seconds(60), "BLPOP q 60");
}

/* Cancels a pop that blocks at the first master, after a failover or without. */
static void cancel_blocked(bool failover, struct blocker *old, struct blocker *new)
{
    struct move m;
    move_begin(&m, serve_blocking, old, new);
    hr_task *task = hr_create_task("block", block_for_long, m.redis);
    while (!old->blocked || !m.told.subscriber)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    if (failover) {
        tell_port(&m.told, m.second.port);
        announce(&m.told, "+switch-master", "main 127.0.0.1 1 127.0.0.1 2");
        while (m.second.accepted == 0)
            ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
        ASSERT_ERR(hr_redis_command(m.redis, NULL, "SET a b"), 0);
    }
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    move_end(&m);
}

TEST(a_blocked_command_is_taken_off_at_its_own_server_only)
{
    struct blocker one = {.run_id = "one"}, other = {.run_id = "other"};
    cancel_blocked(false, &one, &other);
    ASSERT_TRUE(one.asked);
    one = (struct blocker){.run_id = "one"};
    cancel_blocked(true, &one, &other);
    ASSERT_FALSE(one.asked); /* nobody is connected there to ask */
    ASSERT_FALSE(other.asked);
}
