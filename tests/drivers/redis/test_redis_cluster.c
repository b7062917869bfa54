/* SPDX-License-Identifier: MIT */
/*
 * A client of a real cluster: commands find their node, follow slots that move, and go on after a
 * master died, while many write.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/redis/cluster.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_set.h"

#define WRITERS 50

static hr_redis_cluster *client_of(const struct test_set *set)
{
    char url[128];
    snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%u,127.0.0.1:%u", set->servers[0].port,
             set->servers[4].port);
    hr_redis_cluster *cluster = hr_redis_cluster_new(&(struct hr_redis_options){.url = url});
    ASSERT_TRUE(cluster);
    return cluster;
}

static void end_client(hr_redis_cluster *cluster)
{
    ASSERT_ERR(hr_redis_cluster_close(cluster), 0);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET a"), HR_ECLOSED);
    hr_redis_cluster_free(cluster);
}

static int count_master(hr_redis *node, void *cookie)
{
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = hr_redis_command(node, &reply, "DBSIZE");
    *(int64_t *)cookie += hr_reply_int(reply);
    return r;
}

static int use_every_form(hr_redis_cluster *cluster)
{
    struct hr_redis_script script = {
        .name = "set",
        .source = "return redis.call('SET', KEYS[1], ARGV[1])",
        .len = sizeof("return redis.call('SET', KEYS[1], ARGV[1])") - 1,
        .sha1 = "d8f2fad9f8e86a53d2a6ebd960b33c4972cacc37",
    };
    struct hr_redis_arg key = hr_redis_str("s"), value = hr_redis_str("7");
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    const char *words[] = {"MGET", "{a}1", "{a}2"};
    int r = hr_redis_cluster_command(cluster, NULL, "MSET {a}1 x {a}2 y");
    if (r >= 0)
        r = hr_redis_cluster_command_argv(cluster, &reply, 3, words, NULL);
    ASSERT_TRUE(r < 0 || hr_reply_equals(hr_reply_at(reply, 1), "y"));
    if (r >= 0)
        r = hr_redis_cluster_command_by(cluster, NULL, "{a}1", 4, "BITOP NOT {a}3 {a}1");
    if (r >= 0)
        r = hr_redis_cluster_eval(cluster, NULL, &script, 1, &key, 1, &value);
    hr_redis_conn *own = NULL;
    if (r >= 0)
        r = hr_redis_cluster_acquire(cluster, "l", 1, &own);
    if (r >= 0)
        r = hr_redis_conn_command(own, NULL, hr_ms(10), "BLPOP l 0.001");
    hr_redis_release(own);
    return r >= 0 ? hr_join(hr_redis_cluster_command_future(cluster, "GET s")) : r;
}

TEST_REAL(commands_of_a_cluster_find_their_nodes)
{
    hr_auto(test_set_end) struct test_set set;
    test_set_start_cluster(&set);
    hr_redis_cluster *cluster = client_of(&set);
    for (int i = 0; i < 200; i++)
        ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "SET k:%d %d", i, i), 0);
    for (int i = 0; i < 200; i++) {
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        ASSERT_ERR(hr_redis_cluster_command(cluster, &reply, "GET k:%d", i), 0);
        ASSERT_EQ(hr_reply_int(reply), i);
    }
    int64_t keys = 0;
    ASSERT_ERR(hr_redis_cluster_each(cluster, count_master, &keys), 0);
    ASSERT_EQ(keys, 200);
    ASSERT_ERR(use_every_form(cluster), 0);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "MGET a b"), -EINVAL);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "PING"), 0);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "MULTI"), -EINVAL);
    ASSERT_ERR(hr_redis_cluster_command_by(cluster, NULL, "k", 1, "CLIENT REPLY SKIP"), -EINVAL);
    ASSERT_ERR(hr_join(hr_redis_cluster_command_future(cluster, "BLPOP k 60")), -EINVAL);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "LPUSH k:1 x"), HR_EREPLY);
    ASSERT_STR(hr_last_error()->kind, "WRONGTYPE");
    struct hr_redis_cluster_stats stats;
    hr_redis_cluster_get_stats(cluster, &stats);
    ASSERT_EQ(stats.masters, 3);
    ASSERT_EQ(stats.replicas, 3);
    ASSERT_EQ(stats.moved + stats.asked + stats.repeated, 0);
    ASSERT_EQ(stats.maps, 1);
    end_client(cluster);
}

/* Each counts its own key up, and notes how every call ended. */
struct writers {
    hr_redis_cluster *cluster;
    bool stop;
    unsigned acknowledged, unknown, refused;
    struct writer {
        struct writers *all;
        unsigned number, since; /* acknowledged since */
        int64_t sure, possible; /* increments that were acknowledged, and that may have been done */
    } one[WRITERS];
    hr_task *tasks[WRITERS];
};

static int count_up(void *arg)
{
    struct writer *writer = arg;
    struct writers *all = writer->all;
    while (!all->stop) {
        int r = hr_redis_cluster_command(all->cluster, NULL, "INCR n:%u", writer->number);
        if (r == 0) {
            all->acknowledged++;
            writer->sure++;
            writer->since++;
        } else if (r == HR_ELOST || (r == -ETIMEDOUT && hr_last_error()->sent)) {
            all->unknown++;
            writer->possible++;
        } else if (r == -ENOTCONN || r == HR_EREPLY || r == -ETIMEDOUT) {
            all->refused++;
        } else {
            return r;
        }
        r = hr_sleep(hr_ms(1));
        if (r < 0)
            return r;
    }
    return 0;
}

static void start_writers(struct writers *all, hr_redis_cluster *cluster)
{
    *all = (struct writers){.cluster = cluster};
    for (unsigned i = 0; i < WRITERS; i++) {
        all->one[i] = (struct writer){.all = all, .number = i};
        all->tasks[i] = hr_create_task("writer", count_up, &all->one[i]);
    }
}

/* Until every writer has been acknowledged that often from now on. */
static void wait_for_writes(struct writers *all, unsigned times)
{
    for (unsigned i = 0; i < WRITERS; i++)
        all->one[i].since = 0;
    for (unsigned i = 0; i < WRITERS; i++) {
        for (int n = 0; all->one[i].since < times; n++) {
            ASSERT_TRUE(n < 20000);
            ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
        }
    }
}

/* Nothing was done twice. Nothing is lost, either, when exact. */
static void end_writers(struct writers *all, bool exact)
{
    all->stop = true;
    for (unsigned i = 0; i < WRITERS; i++)
        ASSERT_ERR(hr_join(all->tasks[i]), 0);
    for (unsigned i = 0; i < WRITERS; i++) {
        const struct writer *writer = &all->one[i];
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        ASSERT_ERR(hr_redis_cluster_command(all->cluster, &reply, "GET n:%u", i), 0);
        ASSERT_TRUE(hr_reply_int(reply) <= writer->sure + writer->possible);
        ASSERT_TRUE(!exact || hr_reply_int(reply) >= writer->sure);
    }
}

TEST_REAL(a_cluster_goes_on_when_a_master_is_killed_under_load)
{
    hr_auto(test_set_end) struct test_set set;
    test_set_start_cluster(&set);
    hr_redis_cluster *cluster = client_of(&set);
    struct writers all;
    start_writers(&all, cluster);
    wait_for_writes(&all, 10);
    test_set_kill(&set, 1);
    wait_for_writes(&all, 10); /* those of the other masters wait for nobody */
    /* Replication on loopback is as good as at once, but what was acknowledged in the master's last
     * moment may be lost: Redis promises no more. */
    end_writers(&all, false);
    ASSERT_TRUE(all.unknown <= WRITERS);
    struct hr_redis_cluster_stats stats;
    hr_redis_cluster_get_stats(cluster, &stats);
    ASSERT_TRUE(stats.maps > 1);
    ASSERT_EQ(stats.masters, 3);
    end_client(cluster);
}

/* --- a slot that moves */

static void set_slot(const struct test_set *set, size_t i, unsigned slot, const char *state,
                     size_t node)
{
    char words[160];
    snprintf(words, sizeof(words), "CLUSTER SETSLOT %u %s %s", slot, state, test_set_id(set, node));
    ASSERT_TRUE(test_set_says(set, i, words, "+OK"));
}

static void begin_move(const struct test_set *set, unsigned slot, size_t from, size_t to)
{
    set_slot(set, to, slot, "IMPORTING", from);
    set_slot(set, from, slot, "MIGRATING", to);
}

static void move_key(const struct test_set *set, const char *key, size_t from, size_t to)
{
    char words[160];
    snprintf(words, sizeof(words), "MIGRATE 127.0.0.1 %u %s 0 5000", set->servers[to].port, key);
    ASSERT_TRUE(test_set_says(set, from, words, "+OK"));
}

static void end_move(const struct test_set *set, unsigned slot, size_t from, size_t to)
{
    set_slot(set, to, slot, "NODE", to);
    set_slot(set, from, slot, "NODE", to);
}

static size_t master_of(unsigned slot)
{
    return slot < 5461 ? 0 : slot < 10923 ? 1 : 2;
}

/* Every writer's slot moves to the next master while he writes. */
TEST_REAL(slots_move_under_load_and_nothing_is_lost_or_done_twice)
{
    hr_auto(test_set_end) struct test_set set;
    test_set_start_cluster(&set);
    hr_redis_cluster *cluster = client_of(&set);
    struct writers all;
    start_writers(&all, cluster);
    wait_for_writes(&all, 5);
    for (unsigned i = 0; i < 10; i++) {
        char key[16];
        int len = snprintf(key, sizeof(key), "n:%u", i);
        unsigned slot = hr_redis_slot(key, (size_t)len);
        size_t from = master_of(slot), to = (from + 1) % 3;
        begin_move(&set, slot, from, to);
        wait_for_writes(&all, 2);
        move_key(&set, key, from, to);
        wait_for_writes(&all, 2); /* the old master says ASK */
        end_move(&set, slot, from, to);
        wait_for_writes(&all, 2); /* and now MOVED */
    }
    end_writers(&all, true);
    ASSERT_EQ(all.unknown + all.refused, 0);
    struct hr_redis_cluster_stats stats;
    hr_redis_cluster_get_stats(cluster, &stats);
    ASSERT_TRUE(stats.asked >= 10);
    ASSERT_TRUE(stats.moved >= 10);
    end_client(cluster);
}

/* A command of two keys, one of which is here and one there, has to wait until both are there. */
TEST_REAL(a_command_whose_keys_are_apart_is_asked_again)
{
    hr_auto(test_set_end) struct test_set set;
    test_set_start_cluster(&set);
    hr_redis_cluster *cluster = client_of(&set);
    unsigned slot = hr_redis_slot("t", 1);
    size_t from = master_of(slot), to = (from + 1) % 3;
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "MSET {t}1 x {t}2 y"), 0);
    begin_move(&set, slot, from, to);
    move_key(&set, "{t}1", from, to);
    hr_future *both = hr_redis_cluster_command_future(cluster, "MGET {t}1 {t}2");
    struct hr_redis_cluster_stats stats = {0};
    for (int i = 0; stats.repeated < 2 && i < 5000; i++) {
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
        hr_redis_cluster_get_stats(cluster, &stats);
    }
    ASSERT_FALSE(hr_future_done(both));
    move_key(&set, "{t}2", from, to);
    ASSERT_ERR(hr_await(both), 0);
    ASSERT_TRUE(hr_reply_equals(hr_reply_at(hr_future_result(both), 1), "y"));
    hr_future_unref(both);
    end_client(cluster);
}
