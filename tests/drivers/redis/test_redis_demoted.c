/* SPDX-License-Identifier: MIT */
/*
 * A server that has become a replica is left, whatever kind of call it has refused.
 */
#include <string.h>

#include "drivers/redis/client.h"
#include "drivers/redis/pipeline.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"

#define READONLY "-READONLY You can't write against a read only replica.\r\n"

/* Two servers behind one address: connections before the failover are to the first for good. */
struct servers {
    bool failed_over;
    int hung_up;     /* by the client, of the first's */
    hr_usec late_by; /* until the first answers SLOW */
};

static const char *answer_of_replica(struct servers *servers, const char *words)
{
    if (strcmp(words, "MULTI") == 0)
        return "+OK\r\n";
    if (strcmp(words, "EXEC") == 0)
        return "-EXECABORT Transaction discarded because of previous errors.\r\n";
    if (strcmp(words, "SLOW") == 0)
        return hr_sleep(servers->late_by) == 0 ? "+SLOW\r\n" : NULL;
    return servers->failed_over ? READONLY : "+OK\r\n";
}

static void serve(struct fake_peer *peer)
{
    struct servers *servers = peer->arg;
    const char *words;
    bool second = servers->failed_over;
    if (!fake_introduce(peer))
        return;
    while ((words = fake_next(peer))) {
        const char *reply = second ? "+OK\r\n" : answer_of_replica(servers, words);
        if (!reply || !fake_say(peer, reply))
            return;
    }
    servers->hung_up += !second;
}

/* A client that has been up for a while when its server fails over. */
static hr_redis *start(struct fake_redis *fake, struct servers *servers)
{
    fake_start(fake, serve, servers);
    hr_redis *redis = fake_client(fake, NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET a b"), 0);
    return redis;
}

static void fail_over(struct servers *servers)
{
    ASSERT_ERR(hr_sleep(hr_seconds(2)), 0);
    servers->failed_over = true;
}

static void expect_refusal(int r, const char *kind)
{
    ASSERT_ERR(r, HR_EREPLY);
    ASSERT_STR(hr_last_error()->kind, kind);
}

/* The next command finds the second server. */
static void end(hr_redis *redis, struct fake_redis *fake, const struct servers *servers, int left)
{
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET a b"), 0);
    test_passes(3);
    ASSERT_EQ(servers->hung_up, left);
    fake_client_end(redis, fake);
}

TEST(r5_a_refusal_that_a_future_tells_of_is_heeded)
{
    struct fake_redis fake;
    struct servers servers = {0};
    hr_redis *redis = start(&fake, &servers);
    fail_over(&servers);
    expect_refusal(hr_join(hr_redis_command_future(redis, "SET a b")), "READONLY");
    end(redis, &fake, &servers, 1);
}

TEST(r5_a_refusal_that_nobody_waits_for_any_more_is_heeded)
{
    struct fake_redis fake;
    struct servers servers = {0};
    hr_redis *redis = start(&fake, &servers);
    fail_over(&servers);
    hr_future *future = hr_redis_command_future(redis, "SET a b");
    hr_future_cancel(future, NULL);
    ASSERT_ERR(hr_join(future), -ECANCELED);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    end(redis, &fake, &servers, 1);
}

TEST(r5_a_transaction_that_a_replica_refuses_is_heeded)
{
    struct fake_redis fake;
    struct servers servers = {0};
    hr_redis *redis = start(&fake, &servers);
    fail_over(&servers);
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    ASSERT_ERR(hr_redis_pipeline_add(p, "SET a b"), 0);
    expect_refusal(hr_redis_pipeline_exec(redis, p), "EXECABORT");
    end(redis, &fake, &servers, 1);
}

TEST(r5_a_refusal_on_a_connection_of_one_s_own_is_heeded)
{
    struct fake_redis fake;
    struct servers servers = {0};
    hr_redis *redis = start(&fake, &servers);
    fail_over(&servers);
    servers.failed_over = false;
    hr_auto(hr_redis_releasep) hr_redis_conn *own = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &own), 0);
    servers.failed_over = true;
    expect_refusal(hr_redis_conn_command(own, NULL, 0, "SET a b"), "READONLY");
    hr_redis_releasep(&own);
    ASSERT_ERR(hr_redis_acquire(redis, &own), 0);
    ASSERT_ERR(hr_redis_conn_command(own, NULL, 0, "SET a b"), 0);
    hr_redis_releasep(&own);
    end(redis, &fake, &servers, 2);
}

TEST(r5_a_connection_of_one_s_own_to_a_replica_is_not_lent_again_when_there_is_no_other)
{
    struct fake_redis fake;
    struct servers servers = {0};
    hr_auto(hr_redis_releasep) hr_redis_conn *own = NULL;
    fake_start(&fake, serve, &servers);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_acquire(redis, &own), 0);
    servers.failed_over = true;
    expect_refusal(hr_redis_conn_command(own, NULL, 0, "SET a b"), "READONLY");
    hr_redis_releasep(&own);
    ASSERT_ERR(hr_redis_acquire(redis, &own), 0);
    ASSERT_ERR(hr_redis_conn_command(own, NULL, 0, "SET a b"), 0);
    hr_redis_releasep(&own);
    ASSERT_EQ(fake.accepted, 2);
    fake_client_end(redis, &fake);
}

TEST(r5_a_pipeline_that_a_replica_refuses_on_a_connection_of_one_s_own_is_heeded)
{
    for (int in_one = 0; in_one < 2; in_one++) {
        struct fake_redis fake;
        struct servers servers = {0};
        hr_auto(hr_redis_releasep) hr_redis_conn *own = NULL;
        hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
        ASSERT_ERR(hr_redis_pipeline_add(p, "SET a b"), 0);
        fake_start(&fake, serve, &servers);
        hr_redis *redis = fake_client(&fake, NULL);
        ASSERT_ERR(hr_redis_acquire(redis, &own), 0);
        servers.failed_over = true;
        ASSERT_ERR(in_one ? hr_redis_conn_pipeline_exec(own, p)
                          : hr_redis_conn_pipeline_run(own, p),
                   HR_EREPLY);
        hr_redis_releasep(&own);
        ASSERT_ERR(hr_redis_acquire(redis, &own), 0);
        ASSERT_ERR(hr_redis_conn_command(own, NULL, 0, "SET a b"), 0);
        hr_redis_releasep(&own);
        ASSERT_EQ(fake.accepted, 2);
        fake_client_end(redis, &fake);
    }
}

TEST(r5_connections_that_are_kept_go_with_the_server_that_is_left)
{
    struct fake_redis fake;
    struct servers servers = {0};
    hr_redis *redis = start(&fake, &servers);
    hr_redis_conn *own = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &own), 0);
    hr_redis_release(own);
    fail_over(&servers);
    expect_refusal(hr_redis_command(redis, NULL, "SET a b"), "READONLY");
    end(redis, &fake, &servers, 2);
}

TEST(r5_replies_that_are_due_still_come_and_then_the_connection_ends)
{
    struct fake_redis fake;
    struct servers servers = {.late_by = hr_ms(300)};
    hr_redis *redis = start(&fake, &servers);
    fail_over(&servers);
    hr_future *refused = hr_redis_command_future(redis, "SET a b");
    hr_future *slow = hr_redis_command_future(redis, "SLOW");
    expect_refusal(hr_join(refused), "READONLY");
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET a b"), 0);
    test_passes(3);
    ASSERT_EQ(servers.hung_up, 0);
    hr_usec begun = test_clock_now();
    ASSERT_ERR(hr_join(slow), 0);
    end(redis, &fake, &servers, 1);
    ASSERT_EQ(test_clock_now() - begun, hr_ms(300));
}

TEST(close_ends_what_waits_on_a_connection_that_was_left)
{
    struct fake_redis fake;
    struct hr__redis_conn *conn = NULL;
    fake_start(&fake, fake_introduce_only, NULL);
    hr_redis *redis =
        fake_client(&fake, &(struct hr_redis_options){.command_timeout = hr_seconds(60)});
    ASSERT_ERR(hr__redis_get_conn(redis, &conn), 0);
    ASSERT_ERR(hr_sleep(hr_seconds(2)), 0);
    hr_future *asked = hr_redis_command_future(redis, "GET a");
    test_passes(3);
    hr__redis_leave_server(redis);
    hr_usec before = test_clock_now();
    ASSERT_ERR(hr_redis_close(redis), 0);
    ASSERT_EQ(test_clock_now(), before);
    ASSERT_ERR(hr_join(asked), HR_ECLOSED);
    ASSERT_TRUE(hr_last_error()->sent);
    fake_client_end(redis, &fake);
}
