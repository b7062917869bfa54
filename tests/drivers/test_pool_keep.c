/* SPDX-License-Identifier: MIT */
/*
 * Pools that keep connections open, lose patience, and end at once (23.8); what they count.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/pool.h"
#include "tests/support/hrtest.h"

static struct {
    int opened, closed, pinged, cut;
    int fail_with;
    bool moves; /* the next one leads to another server */
    hr_usec ping_takes;
    hr_event *cut_event;
} driver;

struct fake_conn {
    bool sick;
};

static int fake_open(void *arg, void **ret)
{
    int r = hr_sleep(hr_ms(1));
    if (r < 0)
        return r;
    if (driver.fail_with < 0)
        return hr_fail(driver.fail_with, "down");
    *ret = calloc(1, sizeof(struct fake_conn));
    ASSERT_TRUE(*ret);
    driver.opened++;
    bool moves = driver.moves;
    driver.moves = false;
    return moves;
}

static void fake_close(void *conn, bool polite)
{
    driver.closed++;
    free(conn);
}

static int fake_ping(void *conn)
{
    driver.pinged++;
    int r = hr_sleep(driver.ping_takes);
    return r < 0 ? r : ((struct fake_conn *)conn)->sick ? -EIO : 0;
}

static void fake_cut(void *conn)
{
    driver.cut++;
    hr_event_set(driver.cut_event);
}

static const struct hr_conn_ops ops = {
    .name = "fake", .open = fake_open, .close = fake_close, .ping = fake_ping, .cut = fake_cut};

static hr_pool *pool_new(unsigned keep, unsigned limit, hr_usec patience)
{
    memset(&driver, 0, sizeof(driver));
    driver.ping_takes = hr_ms(1);
    const struct hr_pool_options options = {
        .limit = limit,
        .keep = keep,
        .idle = hr_seconds(60),
        .max_age = HR_FOREVER,
        .ping_after = HR_FOREVER,
        .patience = patience,
        .backoff = {.first = hr_ms(100), .max = hr_seconds(1), .factor = 2},
    };
    return hr_pool_new(&ops, NULL, &options);
}

static struct hr_pool_stats stats_of(const hr_pool *pool)
{
    struct hr_pool_stats stats;
    hr_pool_get_stats(pool, &stats);
    return stats;
}

static void pool_end(hr_pool *pool)
{
    ASSERT_ERR(hr_pool_close(pool), 0);
    ASSERT_EQ(stats_of(pool).closed, driver.opened);
    hr_pool_free(pool);
    ASSERT_EQ(driver.opened, driver.closed);
}

static void *acquire(hr_pool *pool)
{
    void *conn = NULL;
    ASSERT_ERR(hr_pool_acquire(pool, &conn), 0);
    return conn;
}

TEST(a_least_number_of_connections_is_opened_ahead_and_kept)
{
    hr_pool *pool = pool_new(2, 4, 0);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_EQ(stats_of(pool).idle, 2);

    /* One more than that goes when it has idled long, and the others are asked. */
    void *conns[3] = {acquire(pool), acquire(pool), acquire(pool)};
    for (size_t i = 0; i < 3; i++)
        hr_pool_release(pool, conns[i], HR_POOL_CLEAN);
    ASSERT_EQ(stats_of(pool).idle, 3);
    ASSERT_ERR(hr_sleep(hr_seconds(61)), 0);
    ASSERT_EQ(stats_of(pool).idle, 2);
    ASSERT_EQ(driver.pinged, 2);
    ASSERT_EQ(driver.closed, 1);

    /* One that does not answer, or comes back broken, is replaced. */
    struct fake_conn *conn = acquire(pool);
    conn->sick = true;
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    ASSERT_ERR(hr_sleep(hr_seconds(61)), 0);
    ASSERT_EQ(driver.closed, 2);
    hr_pool_release(pool, acquire(pool), HR_POOL_BROKEN);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_EQ(stats_of(pool).idle, 2);
    ASSERT_EQ(driver.opened, 5);
    pool_end(pool);
}

TEST(connections_that_are_kept_come_back_when_the_server_does)
{
    hr_pool *pool = pool_new(2, 4, 0);
    driver.fail_with = -ENOTCONN;
    ASSERT_ERR(hr_sleep(hr_seconds(10)), 0);
    ASSERT_EQ(stats_of(pool).open, 0);
    uint64_t failed = stats_of(pool).failed;
    ASSERT_TRUE(failed > 5 && failed < 40); /* two at a time, with backoff in between */
    driver.fail_with = 0;
    ASSERT_ERR(hr_sleep(hr_seconds(2)), 0);
    ASSERT_EQ(stats_of(pool).idle, 2);
    pool_end(pool);
}

struct borrower {
    hr_pool *pool;
    hr_usec keeps;
    int code;
};

static int borrow(void *arg)
{
    struct borrower *b = arg;
    void *conn = NULL;
    b->code = hr_pool_acquire(b->pool, &conn);
    if (b->code < 0)
        return b->code;
    int r = hr_sleep(b->keeps);
    hr_pool_release(b->pool, conn, HR_POOL_CLEAN);
    return r;
}

TEST(a_borrower_s_patience_ends_and_the_order_of_the_others_stays)
{
    hr_pool *pool = pool_new(0, 1, hr_ms(50));
    void *conn = acquire(pool);
    struct borrower first = {.pool = pool}, second = first;
    hr_task *a = hr_create_task("first", borrow, &first);
    ASSERT_ERR(hr_sleep(hr_ms(20)), 0);
    hr_task *b = hr_create_task("second", borrow, &second);
    ASSERT_ERR(hr_join(a), -ETIMEDOUT);
    ASSERT_STR(hr_last_error()->message,
               "fake: no connection came free within 0.05 s (1 lent, 2 waiting)");
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    ASSERT_ERR(hr_join(b), 0);
    struct hr_pool_stats stats = stats_of(pool);
    ASSERT_EQ(stats.waits, 3); /* the very first waited for its connection to open */
    ASSERT_EQ(stats.timeouts, 1);
    ASSERT_EQ(stats.longest_wait, hr_ms(50));
    ASSERT_EQ(stats.waited, hr_ms(1 + 50 + 30));
    pool_end(pool);
}

TEST(patience_is_for_all_that_is_done_until_one_is_lent)
{
    const struct hr_pool_options options = {.limit = 3,
                                            .idle = HR_FOREVER,
                                            .max_age = HR_FOREVER,
                                            .ping_after = hr_seconds(10),
                                            .patience = hr_ms(50)};
    memset(&driver, 0, sizeof(driver));
    hr_pool *pool = hr_pool_new(&ops, NULL, &options);
    struct fake_conn *conns[3] = {acquire(pool), acquire(pool), acquire(pool)};
    for (size_t i = 0; i < 3; i++) {
        conns[i]->sick = true;
        hr_pool_release(pool, conns[i], HR_POOL_CLEAN);
    }
    ASSERT_ERR(hr_sleep(hr_seconds(11)), 0);

    /* The first says no, the second is still asked when it ends. */
    void *conn = NULL;
    driver.ping_takes = hr_ms(40);
    hr_usec since = hr_now();
    ASSERT_ERR(hr_pool_acquire(pool, &conn), -ETIMEDOUT);
    ASSERT_EQ(hr_now() - since, hr_ms(50));
    ASSERT_STR(hr_last_error()->message,
               "fake: no connection came free within 0.05 s (0 lent, 0 waiting)");
    ASSERT_EQ(driver.closed, 2);

    /* The third says no, and one that is opened comes too late, but comes. */
    driver.ping_takes = hr_ms(50) - 1;
    since = hr_now();
    ASSERT_ERR(hr_pool_acquire(pool, &conn), -ETIMEDOUT);
    ASSERT_EQ(hr_now() - since, hr_ms(50));
    ASSERT_EQ(stats_of(pool).timeouts, 2);
    ASSERT_EQ(stats_of(pool).longest_wait, hr_ms(50));
    hr_pool_release(pool, acquire(pool), HR_POOL_CLEAN);
    pool_end(pool);
}

struct user {
    hr_pool *pool;
    hr_event cut;
};

static int use_until_cut(void *arg)
{
    struct user *user = arg;
    void *conn = acquire(user->pool);
    ASSERT_ERR(hr_event_wait(&user->cut), 0);
    hr_pool_release(user->pool, conn, HR_POOL_BROKEN);
    return 0;
}

TEST(terminate_cuts_what_is_lent_and_close_waits_for_it)
{
    struct user user = {.pool = pool_new(1, 2, 0)};
    hr_event_init(&user.cut);
    driver.cut_event = &user.cut;
    hr_task *task = hr_create_task("user", use_until_cut, &user);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    hr_pool_terminate(user.pool);
    ASSERT_EQ(driver.cut, 1);
    void *conn = NULL;
    ASSERT_ERR(hr_pool_acquire(user.pool, &conn), HR_ECLOSED);
    pool_end(user.pool);
    ASSERT_ERR(hr_join(task), 0);
    hr_event_done(&user.cut);
}

TEST(one_that_leads_elsewhere_retires_all_that_were_opened_before)
{
    hr_pool *pool = pool_new(0, 4, 0);
    void *old = acquire(pool), *idle = acquire(pool);
    hr_pool_release(pool, idle, HR_POOL_CLEAN);
    acquire(pool);
    driver.moves = true;
    void *new = acquire(pool);
    ASSERT_EQ(stats_of(pool).lent, 3);
    hr_pool_release(pool, old, HR_POOL_CLEAN);
    hr_pool_release(pool, idle, HR_POOL_CLEAN);
    ASSERT_EQ(stats_of(pool).open, 1);
    hr_pool_release(pool, new, HR_POOL_CLEAN);
    ASSERT_PTR(acquire(pool), new);
    ASSERT_EQ(driver.opened, 3);
    hr_pool_release(pool, new, HR_POOL_CLEAN);
    pool_end(pool);
}

TEST(one_that_leads_elsewhere_ends_those_that_idle_at_once)
{
    hr_pool *pool = pool_new(0, 4, 0);
    void *conn = acquire(pool);
    struct borrower borrower = {.pool = pool};
    hr_task *task = hr_create_task("borrower", borrow, &borrower);
    test_passes(2);
    driver.moves = true; /* the one that is being opened */
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_EQ(stats_of(pool).idle, 1);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_EQ(driver.opened, 2);
    ASSERT_EQ(driver.closed, 1);
    ASSERT_EQ(stats_of(pool).idle, 1);
    pool_end(pool);
}

TEST(those_that_are_kept_are_opened_again_after_a_flush)
{
    hr_pool *pool = pool_new(2, 4, 0);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    hr_pool_flush(pool);
    ASSERT_EQ(driver.closed, 2);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_EQ(driver.opened, 4);
    ASSERT_EQ(stats_of(pool).idle, 2);
    pool_end(pool);
}

TEST(connections_of_one_age_do_not_all_end_at_once)
{
    enum { N = 32 };
    memset(&driver, 0, sizeof(driver));
    driver.ping_takes = hr_ms(1);
    const struct hr_pool_options options = {
        .limit = N, .idle = HR_FOREVER, .max_age = hr_seconds(100), .ping_after = HR_FOREVER};
    hr_pool *pool = hr_pool_new(&ops, NULL, &options);
    void *conns[N];
    for (int i = 0; i < N; i++)
        conns[i] = acquire(pool);
    ASSERT_ERR(hr_sleep(hr_seconds(95)), 0);
    for (int i = 0; i < N; i++)
        hr_pool_release(pool, conns[i], HR_POOL_CLEAN);
    ASSERT_TRUE(driver.closed > 0 && driver.closed < N);
    pool_end(pool);
}
