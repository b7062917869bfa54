/* SPDX-License-Identifier: MIT */
/*
 * A client behind real sentinels: it finds the master, and finds it again after a failover, while
 * many write.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/redis.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_set.h"

static hr_redis *client_of(const struct test_set *set, const char *userinfo)
{
    char url[256];
    snprintf(url, sizeof(url), "redis+sentinel://%s127.0.0.1:%u,127.0.0.1:%u/main", userinfo,
             set->servers[TEST_SET_SENTINEL].port, set->servers[TEST_SET_SENTINEL + 1].port);
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = url});
    ASSERT_TRUE(redis);
    return redis;
}

static void end_client(hr_redis *redis)
{
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
}

TEST_REAL(behind_sentinels_the_master_is_found)
{
    hr_auto(test_set_end) struct test_set set;
    test_set_start_sentinels(&set, "secret");
    hr_redis *redis = client_of(&set, ":secret@");
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET k v"), 0);
    ASSERT_ERR(hr_redis_command(redis, &reply, "CONFIG GET port"), 0);
    ASSERT_EQ(hr_reply_int(hr_reply_find(reply, "port")), set.servers[0].port);

    /* A connection of one's own goes the same way. */
    hr_auto(hr_redis_releasep) hr_redis_conn *own = NULL;
    ASSERT_ERR(hr_redis_acquire(redis, &own), 0);
    ASSERT_ERR(hr_redis_conn_command(own, NULL, 0, "SET k w"), 0);
    hr_redis_releasep(&own);
    end_client(redis);
}

/* Fifty writers: each call has one outcome, and counts. */
struct writers {
    hr_redis *redis;
    bool stop;
    unsigned acknowledged, unknown, refused, other;
    unsigned since; /* acknowledged since the master died */
    int64_t last[50];
    int64_t sure; /* the last that a replica has confirmed */
};
struct writer {
    struct writers *all;
    unsigned number;
};

static void count_outcome(struct writers *all, unsigned number, int64_t value, int r)
{
    if (r == 0) {
        all->acknowledged++;
        all->since++;
        all->last[number] = value;
    } else if (r == HR_ELOST || (r == -ETIMEDOUT && hr_last_error()->sent)) {
        all->unknown++;
    } else if (r == -ENOTCONN || r == HR_EREPLY || r == -ETIMEDOUT) {
        all->refused++;
    } else {
        all->other++;
    }
}

static int write_on(void *arg)
{
    struct writer *writer = arg;
    struct writers *all = writer->all;
    for (int64_t value = 1; !all->stop; value++) {
        int r =
            hr_redis_command(all->redis, NULL, "SET w:%u %lld", writer->number, (long long)value);
        count_outcome(all, writer->number, value, r);
        r = hr_sleep(r < 0 ? hr_ms(5) : hr_ms(1));
        if (r < 0)
            return r;
    }
    return 0;
}

/* Writes what a replica has confirmed, on a connection of its own: WAIT holds it up. */
static int write_surely(void *arg)
{
    struct writers *all = arg;
    for (int64_t value = 1; !all->stop; value++) {
        hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
        hr_auto(hr_reply_freep) hr_reply *replicas = NULL;
        int r = hr_redis_acquire(all->redis, &conn);
        if (r >= 0)
            r = hr_redis_conn_command(conn, NULL, 0, "SET sure %lld", (long long)value);
        if (r >= 0)
            r = hr_redis_conn_command(conn, &replicas, hr_ms(50), "WAIT 1 50");
        if (r >= 0 && hr_reply_int(replicas) > 0)
            all->sure = value;
        r = hr_sleep(hr_ms(2));
        if (r < 0)
            return r;
    }
    return 0;
}

static void check_written(struct writers *all)
{
    hr_auto(hr_reply_freep) hr_reply *sure = NULL;
    ASSERT_ERR(hr_redis_command(all->redis, &sure, "GET sure"), 0);
    ASSERT_TRUE(all->sure > 0);
    ASSERT_TRUE(hr_reply_int(sure) >= all->sure); /* this one is a promise, unlike the others */
    for (unsigned i = 0; i < HR_ARRAY_LEN(all->last); i++) {
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        ASSERT_ERR(hr_redis_command(all->redis, &reply, "GET w:%u", i), 0);
        /* An answer that never came may stand for a write that was done: then it is one later. */
        ASSERT_TRUE(hr_reply_int(reply) >= all->last[i]);
    }
}

/* Waits until commands are answered by the server of that port. */
static void wait_for_port(hr_redis *redis, uint16_t port)
{
    for (int i = 0; i < 2000; i++) {
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        int r = hr_redis_command(redis, &reply, "CONFIG GET port");
        if (r >= 0 && hr_reply_int(hr_reply_find(reply, "port")) == port)
            return;
        ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    }
    test_fail(__FILE__, __LINE__, "the client does not come to the new master");
}

/* Runs fail() under load, and waits until writes are acknowledged again. */
static void run_failover(struct test_set *set, void (*fail)(struct test_set *set))
{
    struct writers all = {.redis = client_of(set, "")};
    struct writer writers[HR_ARRAY_LEN(all.last)];
    hr_task *tasks[HR_ARRAY_LEN(all.last)];
    for (unsigned i = 0; i < HR_ARRAY_LEN(writers); i++) {
        writers[i] = (struct writer){&all, i};
        tasks[i] = hr_create_task("writer", write_on, &writers[i]);
    }
    hr_task *surely = hr_create_task("surely", write_surely, &all);
    while (all.acknowledged < 500 || all.sure == 0)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);

    fail(set);
    wait_for_port(all.redis, set->servers[1].port);
    all.since = 0;
    while (all.since < 500)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);

    all.stop = true;
    for (unsigned i = 0; i < HR_ARRAY_LEN(tasks); i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    ASSERT_ERR(hr_join(surely), 0);
    ASSERT_EQ(all.other, 0);
    check_written(&all);
    end_client(all.redis);
}

static void kill_master(struct test_set *set)
{
    test_set_kill(set, 0);
}

/* The writers do not stop in between, so what they wrote last is replicated within this time:
 * loopback has no lag to speak of, but it is no promise of Redis'. */
TEST_REAL(a_killed_master_is_followed_under_load)
{
    hr_auto(test_set_end) struct test_set set;
    test_set_start_sentinels(&set, NULL);
    run_failover(&set, kill_master);
}

static void order_failover(struct test_set *set)
{
    test_set_wait(set, TEST_SET_SENTINEL + 1, "SENTINEL FAILOVER main", "+OK");
}

/* Sentinels that judge for themselves might, on a busy machine, undo what was ordered. */
TEST_REAL(an_ordered_failover_is_followed_under_load)
{
    hr_auto(test_set_end) struct test_set set;
    test_set_start_sentinels_steady(&set);
    run_failover(&set, order_failover);
}

/* The connection to the old master stays up and idle: only the announcement tells. */
TEST_REAL(an_idle_client_moves_when_the_sentinels_say_so)
{
    hr_auto(test_set_end) struct test_set set;
    test_set_start_sentinels(&set, NULL);
    hr_redis *redis = client_of(&set, "");
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), 0);
    test_set_freeze(&set, 0);
    struct hr_pool_stats stats = {0};
    for (int i = 0; stats.opened < 2 && i < 2000; i++) {
        ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
        hr_redis_get_stats(redis, &stats);
    }
    ASSERT_EQ(stats.opened, 2);
    wait_for_port(redis, set.servers[1].port);
    end_client(redis);
    test_set_thaw(&set, 0);
}

/* The URL names two of the three: the third is learnt, and serves when those are gone. */
TEST_REAL(a_sentinel_that_was_only_told_of_is_asked_as_well)
{
    hr_auto(test_set_end) struct test_set set;
    test_set_start_sentinels(&set, NULL);
    hr_redis *redis = client_of(&set, "");
    ASSERT_ERR(hr_redis_command(redis, NULL, "PING"), 0);
    ASSERT_ERR(hr_sleep(hr_ms(300)), 0); /* it has listened by then */
    test_set_kill(&set, TEST_SET_SENTINEL);
    test_set_kill(&set, TEST_SET_SENTINEL + 1);
    ASSERT_TRUE(test_set_says(&set, 0, "CLIENT KILL TYPE normal", ":"));
    int r;
    for (int i = 0; (r = hr_redis_command(redis, NULL, "PING")) < 0 && i < 500; i++)
        ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    ASSERT_ERR(r, 0);
    end_client(redis);
}
