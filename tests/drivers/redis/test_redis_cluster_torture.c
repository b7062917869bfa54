/* SPDX-License-Identifier: MIT */
/*
 * The first, then the second, then the n-th allocation fails, of a client behind sentinels and of
 * one of a cluster. Each time it says so and leaks nothing; with memory back it works again.
 */
#include "drivers/redis/cluster.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_set.h"
#include "tests/support/starve.h"

static bool is_plausible(int r)
{
    return r == -ENOMEM || r == -ENOTCONN || r == HR_ELOST;
}

static int use_redis(hr_redis *redis)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *own = NULL;
    int r = hr_redis_command(redis, NULL, "SET k v");
    if (r >= 0)
        r = hr_redis_acquire(redis, &own);
    return r >= 0 ? hr_redis_conn_command(own, NULL, 0, "SET k w") : r;
}

/* From the options to the last reply; running out anywhere in it. Returns its code. */
static int live_behind_sentinels(const char *url, long n, bool *ret_starved)
{
    starve_after(n, true);
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = url, .client_name = "t"});
    int r = redis ? use_redis(redis) : hr_last_error()->code;
    *ret_starved = starve_end();
    int again = 0;
    for (int i = 0; redis && n % 16 == 0 && i < 1000; i++) { /* coming back takes a while */
        again = use_redis(redis);
        if (!is_plausible(again))
            break;
        ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    }
    ASSERT_ERR(again, 0);
    if (redis)
        ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
    return r;
}

TEST_REAL(a_failed_allocation_behind_sentinels_is_an_error_and_no_more)
{
    hr_auto(test_set_end) struct test_set set;
    test_set_start_sentinels(&set, NULL);
    char url[128];
    snprintf(url, sizeof(url), "redis+sentinel://127.0.0.1:%u/main",
             set.servers[TEST_SET_SENTINEL].port);
    bool starved = true;
    long n = 0;
    for (; starved; n++) {
        int r = live_behind_sentinels(url, n, &starved);
        ASSERT_TRUE(starved ? r == 0 || is_plausible(r) : r == 0);
    }
    ASSERT_TRUE(n > 20);
}

static int use_cluster(hr_redis_cluster *cluster)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *own = NULL;
    int r = hr_redis_cluster_command(cluster, NULL, "SET k v");
    if (r >= 0)
        r = hr_join(hr_redis_cluster_command_future(cluster, "GET foo"));
    return r >= 0 ? hr_redis_cluster_acquire(cluster, "k", 1, &own) : r;
}

static int live_in_a_cluster(const char *url, long n, bool *ret_starved)
{
    starve_after(n, true);
    hr_redis_cluster *cluster =
        hr_redis_cluster_new(&(struct hr_redis_options){.url = url, .client_name = "t"});
    int r = cluster ? use_cluster(cluster) : hr_last_error()->code;
    *ret_starved = starve_end();
    int again = 0;
    for (int i = 0; cluster && n % 16 == 0 && i < 1000; i++) {
        again = use_cluster(cluster);
        if (!is_plausible(again))
            break;
        ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    }
    ASSERT_ERR(again, 0);
    if (cluster)
        ASSERT_ERR(hr_redis_cluster_close(cluster), 0);
    hr_redis_cluster_free(cluster);
    return r;
}

TEST_REAL(a_failed_allocation_in_a_cluster_is_an_error_and_no_more)
{
    hr_auto(test_set_end) struct test_set set;
    test_set_start_cluster(&set);
    char url[128];
    snprintf(url, sizeof(url), "redis+cluster://127.0.0.1:%u", set.servers[0].port);
    bool starved = true;
    long n = 0;
    for (; starved; n++) {
        int r = live_in_a_cluster(url, n, &starved);
        ASSERT_TRUE(starved ? r == 0 || is_plausible(r) : r == 0);
    }
    ASSERT_TRUE(n > 20);
}
