/* SPDX-License-Identifier: MIT */
/*
 * What a client with patience waits for, on the shared connection and for one of its own: whatever
 * may pass; and what it says at once, since waiting does not cure it.
 */
#include <string.h>

#include "drivers/redis/client.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"

static hr_redis *client_of(const struct test_redis *server, const char *user, unsigned db)
{
    char url[200];
    snprintf(url, sizeof(url), "unix://%s%s?db=%u", user, server->socket, db);
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){
        .url = url,
        .patience = hr_seconds(20),
        .command_timeout = hr_seconds(20),
        .reconnect = {.first = hr_ms(1), .max = hr_ms(20), .factor = 2},
    });
    ASSERT_TRUE(redis);
    return redis;
}

static void client_end(hr_redis *redis)
{
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
}

/* Every kind of call that waits for a connection, when there will be none. */
static void assert_refused(hr_redis *redis, const char *text)
{
    hr_redis_conn *conn = NULL;
    ASSERT_ERR(hr_redis_command(redis, NULL, "GET x"), -ENOTCONN);
    ASSERT_TRUE(strstr(hr_last_error()->message, text));
    ASSERT_ERR(hr_redis_command(redis, NULL, "GET x"), -ENOTCONN); /* while it rests, too */
    ASSERT_TRUE(strstr(hr_last_error()->message, text));
    ASSERT_ERR(hr_join(hr_redis_command_future(redis, "GET x")), -ENOTCONN);
    ASSERT_TRUE(strstr(hr_last_error()->message, text));
    for (int i = 0; i < 2; i++) {
        ASSERT_ERR(hr_redis_acquire(redis, &conn), -ENOTCONN);
        ASSERT_TRUE(strstr(hr_last_error()->message, text));
    }
}

static const char *const users[] = {
    "--databases", "2",      "--requirepass", "geheim", "--user", "app", "on",    ">right",  "~*",
    "+@all",       "--user", "poor",          "on",     "nopass", "~*",  "+@all", "-select", NULL,
};

TEST_REAL(a_patient_client_says_at_once_what_waiting_does_not_cure)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, users);
    static const struct {
        const char *user, *text;
        unsigned db;
    } cases[] = {
        {"app:wrong@", "WRONGPASS",        0},
        {"nobody:x@",  "WRONGPASS",        0},
        {"",           "wants a password", 0},
        {"poor:x@",    "NOPERM",           1},
        {":geheim@",   "ERR DB index is",  7},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        hr_redis *redis = client_of(&server, cases[i].user, cases[i].db);
        assert_refused(redis, cases[i].text);
        client_end(redis);
    }
}

static void note_state(bool up, void *cookie)
{
    if (up)
        hr_event_set(cookie);
}

TEST_REAL(a_client_whose_password_was_wrong_recovers_once_it_is_right)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server,
                     (const char *const[]){"--user", "app", "on", ">right", "~*", "+@all", NULL});
    hr_redis *redis = client_of(&server, "app:wrong@", 0);
    hr_redis_conn *conn = NULL;
    hr_event up;
    hr_event_init(&up);
    hr_redis_on_state(redis, note_state, &up);
    assert_refused(redis, "WRONGPASS");
    ASSERT_STR(test_redis_ask(&server, "ACL SETUSER app >wrong"), "+OK\r\n");
    ASSERT_ERR(hr_event_wait(&up), 0); /* by itself */
    ASSERT_ERR(hr_redis_command(redis, NULL, "GET x"), 0);
    while (hr_redis_acquire(redis, &conn) < 0)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0); /* those of one's own rest for themselves */
    hr_redis_release(conn);
    client_end(redis);
    hr_event_done(&up);
}

/* The first so many connections are refused in these words. */
struct busy {
    int refused;
    const char *words;
};

static void serve_later(struct fake_peer *peer)
{
    const struct busy *busy = peer->arg;
    if (peer->number > busy->refused)
        fake_echo(peer);
    else if (fake_next(peer))
        (void)fake_say(peer, busy->words);
}

TEST(a_patient_client_waits_for_what_may_pass)
{
    static const char *const words[] = {
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-ERR max number of clients reached\r\n",
        "-MASTERDOWN Link with MASTER is down\r\n",
        "-ERR what no server has said so far\r\n",
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(words); i++) {
        for (int own = 0; own < 2; own++) {
            struct busy busy = {5, words[i]};
            struct fake_redis fake;
            fake_start(&fake, serve_later, &busy);
            hr_redis *redis =
                fake_client(&fake, &(struct hr_redis_options){.patience = hr_seconds(60),
                                                              .command_timeout = hr_seconds(60)});
            hr_redis_conn *conn = NULL;
            ASSERT_ERR(
                own ? hr_redis_acquire(redis, &conn) : hr_redis_command(redis, NULL, "GET x"), 0);
            ASSERT_EQ(fake.accepted, 6);
            hr_redis_release(conn);
            fake_client_end(redis, &fake);
        }
    }
}

static struct hr_redis_options nowhere(hr_usec patience)
{
    return (struct hr_redis_options){.url = "unix:///nowhere/s.sock", .patience = patience};
}

TEST(patience_for_a_connection_of_one_s_own_has_an_end)
{
    hr_redis_conn *conn = NULL;
    struct hr_redis_options options = nowhere(hr_seconds(2));
    hr_redis *redis = hr_redis_new(&options);
    ASSERT_ERR(hr_redis_acquire(redis, &conn), -ETIMEDOUT);
    ASSERT_EQ(test_clock_now(), hr_seconds(2));
    ASSERT_TRUE(strstr(hr_last_error()->message, "No such file or directory"));
    client_end(redis);

    options = nowhere(0);
    redis = hr_redis_new(&options);
    ASSERT_ERR(hr_redis_acquire(redis, &conn), -ENOTCONN);
    ASSERT_EQ(test_clock_now(), hr_seconds(2));
    client_end(redis);
}

TEST(patience_for_a_connection_that_is_lent_has_an_end)
{
    struct fake_redis fake;
    fake_start(&fake, fake_echo, NULL);
    hr_redis *redis =
        fake_client(&fake, &(struct hr_redis_options){.patience = hr_seconds(2), .connections = 1});
    hr_redis_conn *lent = NULL, *conn = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &lent), 0);
    ASSERT_ERR(hr_redis_acquire(redis, &conn), -ETIMEDOUT);
    ASSERT_STR(hr_last_error()->message,
               "redis: no connection came free within 2 s (1 lent, 1 waiting)");
    ASSERT_EQ(test_clock_now(), hr_seconds(2));
    hr_redis_release(lent);
    ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
    hr_redis_release(conn);
    fake_client_end(redis, &fake);
}

static int borrow(void *arg)
{
    hr_redis_conn *conn = NULL;
    int r = hr_redis_acquire(arg, &conn);
    hr_redis_release(conn);
    return r;
}

TEST(close_ends_the_wait_for_a_connection_of_one_s_own)
{
    struct hr_redis_options options = nowhere(hr_seconds(60));
    hr_redis *redis = hr_redis_new(&options);
    hr_task *task = hr_create_task("borrower", borrow, redis);
    ASSERT_ERR(hr_sleep(hr_ms(500)), 0);
    ASSERT_ERR(hr_redis_close(redis), 0);
    ASSERT_ERR(hr_join(task), HR_ECLOSED);
    hr_redis_free(redis);
}
