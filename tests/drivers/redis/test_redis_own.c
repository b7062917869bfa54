/* SPDX-License-Identifier: MIT */
/*
 * Connections of one's own: blocking commands, and leaving them without losing an element.
 */
#include <string.h>

#include "core/timeout.h"
#include "drivers/redis.h"
#include "drivers/redis/cluster.h"
#include "drivers/redis/pipeline.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"
#include "tests/support/ticker.h"

static hr_redis *client(const struct test_redis *server, unsigned connections)
{
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){
        .url = server->unix_url, .connections = connections, .client_name = "tester"});
    ASSERT_TRUE(redis);
    return redis;
}

/* A server, and a client of it. */
static hr_redis *start(struct test_redis *server, unsigned connections)
{
    test_redis_start(server, NULL);
    return client(server, connections);
}

static void client_end(hr_redis *redis)
{
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
}

/* A task that waits for an element, and what became of it. */
struct popper {
    hr_redis *redis;
    const char *command;
    hr_usec limit; /* of wait_for; 0: none */
    int code;
    bool got, again; /* an element came; the cancel came again after it */
    char pair[32];   /* what came, as "key value" */
};

static int pop(void *arg)
{
    struct popper *p = arg;
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    p->code = hr_redis_acquire(p->redis, &conn);
    if (p->code < 0)
        return p->code;
    p->code = hr_redis_conn_command(conn, &reply, hr_seconds(5), p->command);
    p->got = p->code == 0 && !hr_reply_is_nil(reply);
    if (p->got && hr_reply_len(reply) == 2)
        snprintf(p->pair, sizeof(p->pair), "%s %s", hr_reply_str(hr_reply_at(reply, 0), NULL),
                 hr_reply_str(hr_reply_at(reply, 1), NULL));
    p->again = hr_yield() == -ECANCELED;
    return p->code;
}

static int64_t length(hr_redis *redis, const char *key)
{
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    ASSERT_ERR(hr_redis_command(redis, &reply, "LLEN %s", key), 0);
    return hr_reply_int(reply);
}

/* Waits until n clients are blocked at the server. */
static void wait_blocked(hr_redis *redis, int n)
{
    for (;;) {
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        ASSERT_ERR(hr_redis_command(redis, &reply, "INFO clients"), 0);
        const char *at = strstr(hr_reply_str(reply, NULL), "blocked_clients:");
        ASSERT_TRUE(at);
        if (atoi(at + strlen("blocked_clients:")) == n)
            return;
    }
}

TEST_REAL(s22_3_a_blocking_pop_waits_without_holding_others_up)
{
    hr_auto(test_redis_end) struct test_redis server;
    hr_redis *redis = start(&server, 4);
    struct popper p = {.redis = redis, .command = "BRPOP q 5"};
    hr_task *task = hr_create_task("popper", pop, &p);
    wait_blocked(redis, 1);
    ASSERT_ERR(hr_redis_command(redis, NULL, "LPUSH q x"), 0);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_TRUE(p.got);
    ASSERT_STR(p.pair, "q x");
    ASSERT_FALSE(p.again);
    client_end(redis);
}

TEST_REAL(s22_3_a_blocking_pop_gives_nil_when_nothing_comes)
{
    hr_auto(test_redis_end) struct test_redis server;
    hr_redis *redis = start(&server, 4);
    struct popper p = {.redis = redis, .command = "BRPOP q 0.01"};
    ASSERT_ERR(hr_join(hr_create_task("popper", pop, &p)), 0);
    ASSERT_FALSE(p.got);
    client_end(redis);
}

TEST_REAL(leaving_a_blocked_command_keeps_its_connection)
{
    hr_auto(test_redis_end) struct test_redis server;
    hr_redis *redis = start(&server, 1);
    for (int i = 0; i < 3; i++) {
        struct popper p = {.redis = redis, .command = "BLMOVE q q LEFT LEFT 5"};
        hr_task *task = hr_create_task("popper", pop, &p);
        wait_blocked(redis, 1);
        hr_task_cancel(task, NULL);
        ASSERT_ERR(hr_join(task), -ECANCELED);
        ASSERT_FALSE(p.got);
        wait_blocked(redis, 0);
    }
    struct hr_pool_stats stats;
    hr_redis_get_stats(redis, &stats);
    ASSERT_EQ(stats.opened, 2); /* the shared one and one more */
    client_end(redis);
}

TEST_REAL(a_time_limit_leaves_a_blocked_command_too)
{
    hr_auto(test_redis_end) struct test_redis server;
    hr_redis *redis = start(&server, 1);
    struct popper p = {.redis = redis, .command = "BLPOP q 5"};
    ASSERT_ERR(hr_wait_for(hr_create_task("popper", pop, &p), hr_ms(20)), -ETIMEDOUT);
    wait_blocked(redis, 0);
    client_end(redis);
}

/* An element is pushed in the very moment of the cancel, on another connection. */
static void race(hr_redis *redis, hr_redis *pusher, const char *command, int *got, int *cancelled)
{
    struct popper p = {.redis = redis, .command = command};
    hr_task *task = hr_create_task("popper", pop, &p);
    wait_blocked(redis, 1);
    hr_future *push = hr_redis_command_future(pusher, "RPUSH q x");
    test_passes(*cancelled % 4);
    hr_task_cancel(task, NULL);
    int r = hr_join(task);
    ASSERT_TRUE(r == 0 || r == -ECANCELED);
    ASSERT_EQ(p.got, r == 0);
    if (p.got)
        ASSERT_TRUE(p.again);
    *got += p.got;
    *cancelled += !p.got;
    ASSERT_ERR(hr_join(push), 0);
}

TEST_TICKING(r2_no_element_is_lost_when_a_blocked_pop_is_cancelled)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis = client(&server, 1), *pusher = client(&server, 1);
    ASSERT_ERR(hr_redis_command(pusher, NULL, "PING"), 0);
    int got = 0, cancelled = 0;
    for (int i = 0; i < 200; i++) {
        ASSERT_ERR(hr_redis_command(redis, NULL, "DEL q"), 0);
        int before = got;
        race(redis, pusher, "BLPOP q 5", &got, &cancelled);
        ASSERT_EQ(length(redis, "q"), got > before ? 0 : 1);
    }
    ASSERT_EQ(got + cancelled, 200);
    client_end(pusher);
    client_end(redis);
}

TEST_REAL(a_connection_with_state_is_not_lent_again)
{
    hr_auto(test_redis_end) struct test_redis server;
    hr_redis *redis = start(&server, 1);
    static const char *const formats[] = {"multi", "%s"};
    for (size_t i = 0; i < HR_ARRAY_LEN(formats); i++) {
        hr_redis_conn *conn = NULL;
        ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
        ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, formats[i], "MULTI"), 0);
        hr_redis_release(conn);
        ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
        ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, "EXEC"), HR_EREPLY);
        ASSERT_STR(hr_last_error()->message, "ERR EXEC without MULTI");
        hr_redis_release(conn);
    }
    client_end(redis);
}

TEST_REAL(transactions_answer_as_the_server_does)
{
    hr_auto(test_redis_end) struct test_redis server;
    hr_redis *redis = start(&server, 1);
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
    ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, "WATCH k"), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET k 1"), 0);
    ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, "MULTI"), 0);
    ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, "SET k 2"), 0);
    ASSERT_ERR(hr_redis_conn_command(conn, &reply, 0, "EXEC"), 0);
    ASSERT_TRUE(hr_reply_is_nil(reply)); /* the watch failed */
    ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, "MULTI"), 0);
    ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, "NOSUCH"), HR_EREPLY);
    ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, "EXEC"), HR_EREPLY);
    ASSERT_STR(hr_last_error()->kind, "EXECABORT");
    hr_redis_releasep(&conn);
    client_end(redis);
}

TEST_REAL(t11_a_connection_that_was_given_back_is_refused)
{
    hr_auto(test_redis_end) struct test_redis server;
    hr_redis *redis = start(&server, 1);
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    hr_redis_conn *conn = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
    hr_redis_release(conn);
    ASSERT_ERR(hr_redis_pipeline_add(p, "PING"), 0);
    ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, "PING"), HR_ECLOSED);
    ASSERT_ERR(hr_redis_conn_pipeline_run(conn, p), HR_ECLOSED);
    ASSERT_ERR(hr_redis_conn_pipeline_exec(conn, p), HR_ECLOSED);
    hr_redis_conn *again = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &again), 0);
    ASSERT_ERR(hr_redis_conn_command(again, NULL, 0, "PING"), 0);
    hr_redis_release(again);
    client_end(redis);
}

/* The code is what failed last. */
TEST_REAL(s0_6_a_client_that_could_not_be_made_says_why_to_who_uses_it)
{
    hr_redis_conn *conn = NULL;
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    ASSERT_ERR(hr_redis_pipeline_add(p, "PING"), 0);
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = "none"});
    ASSERT_PTR(redis, NULL);
    int code = hr_last_error()->code;
    ASSERT_TRUE(code < 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), code);
    ASSERT_ERR(hr_join(hr_redis_command_future(redis, "PING")), code);
    ASSERT_ERR(hr_redis_pipeline_run(redis, p), code);
    ASSERT_ERR(hr_redis_acquire(redis, &conn), code);
    ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, "PING"), code);
    ASSERT_ERR(hr_redis_conn_pipeline_run(conn, p), code);
    ASSERT_ERR(hr_redis_close(redis), code);
    struct hr_pool_stats stats = {.open = 1};
    hr_redis_get_stats(redis, &stats);
    ASSERT_EQ(stats.open, 0);
    hr_redis_on_state(redis, NULL, NULL);
    ASSERT_EQ(hr_redis_up_since(redis), HR_FOREVER);
    struct hr_redis_cluster_stats none = {.maps = 1};
    hr_redis_cluster_get_stats(NULL, &none);
    ASSERT_EQ(none.maps, 0);
}

TEST_REAL(a_connection_left_in_the_middle_is_closed)
{
    hr_auto(test_redis_end) struct test_redis server;
    hr_redis *redis = start(&server, 1);
    hr_redis_conn *conn = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
    /* Not announced as blocking, so leaving it is no matter of CLIENT UNBLOCK. */
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(10)), 0);
    int r = hr_redis_conn_command(conn, NULL, 0, "BLPOP q 5");
    ASSERT_ERR(hr_timeout_leave(&limit, r), -ETIMEDOUT);
    ASSERT_TRUE(hr_last_error()->sent);
    hr_redis_release(conn);
    wait_blocked(redis, 0);
    ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    ASSERT_ERR(hr_redis_conn_command(conn, &reply, 0, "ECHO mine"), 0);
    ASSERT_TRUE(hr_reply_equals(reply, "mine"));
    hr_redis_release(conn);
    client_end(redis);
}

TEST_REAL(a_server_that_dies_under_a_blocked_command_is_told)
{
    hr_auto(test_redis_end) struct test_redis server;
    hr_redis *redis = start(&server, 1);
    struct popper p = {.redis = redis, .command = "BLPOP q 5"};
    hr_task *task = hr_create_task("popper", pop, &p);
    wait_blocked(redis, 1);
    test_redis_kill(&server);
    ASSERT_ERR(hr_join(task), HR_ELOST);
    client_end(redis);
}

TEST_REAL(s22_9_a_connection_that_the_server_closed_while_idle_is_replaced)
{
    hr_auto(test_redis_end) struct test_redis server;
    hr_redis *redis = start(&server, 1);
    hr_redis_conn *conn = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
    hr_redis_release(conn);
    ASSERT_ERR(hr_redis_command(redis, NULL, "CLIENT KILL TYPE normal SKIPME yes"), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), 0);
    ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
    ASSERT_ERR(hr_redis_conn_command(conn, NULL, 0, "PING"), 0);
    hr_redis_release(conn);
    client_end(redis);
}

TEST_REAL(s22_9_who_waits_for_a_connection_may_be_given_a_limit)
{
    hr_auto(test_redis_end) struct test_redis server;
    hr_redis *redis = start(&server, 1);
    hr_redis_conn *conn = NULL, *second = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &conn), 0);
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(5)), 0);
    ASSERT_ERR(hr_timeout_leave(&limit, hr_redis_acquire(redis, &second)), -ETIMEDOUT);
    ASSERT_TRUE(second == NULL);
    hr_redis_release(conn);
    ASSERT_ERR(hr_redis_acquire(redis, &second), 0); /* its place went to nobody */
    hr_redis_release(second);
    client_end(redis);
}

TEST_REAL(s22_9_borrowers_of_connections_wait_in_order)
{
    hr_auto(test_redis_end) struct test_redis server;
    hr_redis *redis = start(&server, 1);
    enum { N = 6 };
    struct popper p[N];
    hr_task *tasks[N];
    for (int i = 0; i < N; i++) {
        p[i] = (struct popper){.redis = redis, .command = "BLPOP q 5"};
        tasks[i] = hr_create_task(NULL, pop, &p[i]);
    }
    for (int i = 0; i < N; i++) {
        wait_blocked(redis, 1);
        ASSERT_ERR(hr_redis_command(redis, NULL, "RPUSH q x"), 0);
        ASSERT_ERR(hr_join(tasks[i]), 0);
        ASSERT_TRUE(p[i].got);
    }
    client_end(redis);
}

struct callback {
    hr_redis_conn *conn;
    int command, run;
    hr_event called;
};

static void ask_without_a_task(void *arg)
{
    struct callback *c = arg;
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    hr_redis_pipeline_add(p, "INCR n");
    c->command = hr_redis_conn_command(c->conn, NULL, 0, "INCR n");
    c->run = hr_redis_conn_pipeline_run(c->conn, p);
    hr_event_set(&c->called);
}

TEST_REAL(outside_of_a_task_a_connection_of_one_s_own_cannot_be_asked)
{
    hr_auto(test_redis_end) struct test_redis server = {0};
    hr_redis *redis = start(&server, 1);
    struct callback c = {0};
    hr_event_init(&c.called);
    ASSERT_ERR(hr_redis_acquire(redis, &c.conn), 0);
    ASSERT_TRUE(hr_call_soon(ask_without_a_task, &c));
    ASSERT_ERR(hr_event_wait(&c.called), 0);
    ASSERT_ERR(c.command, HR_ENOTASK);
    ASSERT_ERR(c.run, HR_ENOTASK);
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    ASSERT_ERR(hr_redis_conn_command(c.conn, &reply, 0, "GET n"), 0);
    ASSERT_TRUE(hr_reply_is_nil(reply));
    hr_redis_release(c.conn);
    hr_event_done(&c.called);
    client_end(redis);
}
