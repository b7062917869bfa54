/* SPDX-License-Identifier: MIT */
/*
 * Sentinels and clusters over TLS: who is verified, that the way leads through TLS to the last
 * node, and that a crowd gets through every fault there, failures to find the way included.
 */
#include <string.h>

#include "tests/drivers/redis/cancel_sweep.h"
#include "tests/drivers/redis/fault_crowd.h"
#include "tests/support/certificates.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_set.h"

static void say_url(char *ret, size_t size, const char *scheme, const struct test_set *set,
                    size_t first, const char *path)
{
    snprintf(ret, size, "%s://127.0.0.1:%u,127.0.0.1:%u%s", scheme, test_set_port(set, first),
             test_set_port(set, first + 1), path);
}

/* PING and what follows from the settings; the code. */
static int ping(const struct hr_redis_options *options)
{
    hr_redis *redis = hr_redis_new(options);
    ASSERT_TRUE(redis);
    int r = hr_redis_command(redis, NULL, "PING");
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
    return r;
}

#define ASSERT_SAYS(part) ASSERT_TRUE(strstr(hr_last_error()->message, part))

static void verify_sentinels(const char *url)
{
    const char *ca = test_certificate("ca.pem"), *stranger = test_certificate("stranger.pem");
    ASSERT_ERR(ping(&(struct hr_redis_options){.url = url, .tls.ca = ca}), 0);
    ASSERT_ERR(ping(&(struct hr_redis_options){.url = url, .tls.ca = stranger}), -ENOTCONN);
    ASSERT_SAYS("no sentinel knows where it is");
    ASSERT_SAYS("certificate is not accepted");
    /* Sentinels and servers may be signed by different authorities. */
    ASSERT_ERR(
        ping(&(struct hr_redis_options){.url = url, .tls.ca = ca, .sentinel_tls.ca = stranger}),
        -ENOTCONN);
    ASSERT_SAYS("no sentinel knows where it is");
    ASSERT_ERR(
        ping(&(struct hr_redis_options){.url = url, .tls.ca = stranger, .sentinel_tls.ca = ca}),
        -ENOTCONN);
    ASSERT_SAYS("main at 127.0.0.1");
    ASSERT_SAYS("certificate is not accepted");
}

/* The way to the master is found by whoever needs a connection. */
static int do_behind_sentinels(void *client)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    int r = hr_redis_acquire(client, &conn);
    if (r >= 0)
        r = hr_redis_conn_command(conn, NULL, 0, "SET a b");
    return r >= 0 ? hr_redis_command(client, NULL, "SET a c") : r;
}

static void cancel_behind_sentinels(const char *url)
{
    struct hr_redis_options options = {.url = url, .tls.ca = test_certificate("ca.pem")};
    const struct cancel_sweep sweep = cancel_sweep_of(&options);
    cancel_sweep_run(&sweep, &(struct cancel_operation){"sentinels", do_behind_sentinels});
}

TEST_REAL(behind_sentinels_everything_goes_through_tls_and_every_fault)
{
    hr_auto(test_set_end) struct test_set set;
    test_set_start_sentinels_tls(&set);
    char url[128];
    say_url(url, sizeof(url), "rediss+sentinel", &set, TEST_SET_SENTINEL, "/main");
    verify_sentinels(url);
    cancel_behind_sentinels(url);

    struct fault_crowd crowd = {0};
    for (size_t i = 0; i < set.count; i++)
        fault_crowd_add(&crowd, NULL, test_set_port(&set, i));
    struct hr_redis_options options = fault_crowd_options(url, test_certificate("ca.pem"));
    crowd.redis = hr_redis_new(&options);
    fault_crowd_run(&crowd, fault_crowd_flipping, HR_ARRAY_LEN(fault_crowd_flipping));
    ASSERT_TRUE(test_set_says(&set, 0, "ROLE", "master"));
}

static void verify_nodes(const char *url)
{
    struct hr_redis_options options = {.url = url,
                                       .tls.ca = test_certificate("stranger.pem"),
                                       .command_timeout = test_patience(hr_seconds(5))};
    hr_redis_cluster *cluster = hr_redis_cluster_new(&options);
    ASSERT_ERR(hr_redis_cluster_command(cluster, NULL, "GET a"), -ENOTCONN);
    ASSERT_SAYS("certificate is not accepted");
    ASSERT_ERR(hr_redis_cluster_close(cluster), 0);
    hr_redis_cluster_free(cluster);
}

static size_t master_of(unsigned slot)
{
    return slot < 5461 ? 0 : slot < 10923 ? 1 : 2;
}

static void set_slot(const struct test_set *set, size_t i, unsigned slot, const char *state,
                     size_t node)
{
    char words[160];
    snprintf(words, sizeof(words), "CLUSTER SETSLOT %u %s %s", slot, state, test_set_id(set, node));
    ASSERT_TRUE(test_set_says(set, i, words, "+OK"));
}

/* The slot of t is on its way to the next master, and t is not where it was: ASK. */
static int do_in_a_cluster(void *client)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    int r = hr_redis_cluster_command(client, NULL, "GET t");
    if (r >= 0)
        r = hr_redis_cluster_acquire(client, "a", 1, &conn);
    return r >= 0 ? hr_redis_conn_command(conn, NULL, 0, "GET a") : r;
}

static void *open_cluster(const void *options)
{
    return hr_redis_cluster_new(options);
}

static int echo_in_cluster(void *client, const char *word)
{
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = hr_redis_cluster_command(client, &reply, "ECHO %s", word);
    return r < 0 || hr_reply_equals(reply, word) ? r : -EPROTO;
}

static void close_cluster(void *client)
{
    ASSERT_ERR(hr_redis_cluster_close(client), 0);
    hr_redis_cluster_free(client);
}

static void cancel_in_a_cluster(const struct test_set *set, const char *url)
{
    struct hr_redis_options options = {.url = url, .tls.ca = test_certificate("ca.pem")};
    unsigned slot = hr_redis_slot("t", 1);
    size_t from = master_of(slot), to = (from + 1) % 3;
    set_slot(set, to, slot, "IMPORTING", from);
    set_slot(set, from, slot, "MIGRATING", to);
    cancel_sweep_run(&(struct cancel_sweep){open_cluster, echo_in_cluster, close_cluster, &options},
                     &(struct cancel_operation){"cluster", do_in_a_cluster});
}

TEST_REAL(in_a_cluster_everything_goes_through_tls_and_every_fault)
{
    hr_auto(test_set_end) struct test_set set;
    test_set_start_cluster_tls(&set);
    char url[128];
    say_url(url, sizeof(url), "rediss+cluster", &set, 0, "");
    verify_nodes(url);
    cancel_in_a_cluster(&set, url);

    struct fault_crowd crowd = {0};
    for (size_t i = 0; i < set.count; i++)
        fault_crowd_add(&crowd, NULL, test_set_port(&set, i));
    struct hr_redis_options options = fault_crowd_options(url, test_certificate("ca.pem"));
    crowd.cluster = hr_redis_cluster_new(&options);
    fault_crowd_run(&crowd, fault_crowd_flipping, HR_ARRAY_LEN(fault_crowd_flipping));
}
