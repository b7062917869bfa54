/* SPDX-License-Identifier: MIT */
/*
 * Pools whose connections do not open: who is told, and when they try again.
 */
#include "tests/drivers/pool_driver.h"

TEST(a_failed_opening_is_told_at_once_to_everybody_until_the_backoff_is_over)
{
    hr_pool *pool = pool_new(4);
    driver.fail_with = -ENOTCONN;
    void *conn = NULL;
    ASSERT_ERR(hr_pool_acquire(pool, &conn), -ENOTCONN);
    ASSERT_STR(hr_last_error()->message, "too many");
    ASSERT_EQ(hr_last_error()->native, 1040);
    hr_usec failed_at = test_clock_now();

    driver.fail_with = 0;
    ASSERT_ERR(hr_sleep(hr_ms(99)), 0);
    ASSERT_ERR(hr_pool_acquire(pool, &conn), -ENOTCONN);
    ASSERT_EQ(hr_last_error()->native, 1040);
    ASSERT_EQ(test_clock_now(), failed_at + hr_ms(99));
    struct hr_pool_stats stats;
    hr_pool_get_stats(pool, &stats);
    ASSERT_FALSE(stats.up);
    ASSERT_EQ(stats.failed, 1);

    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_pool_release(pool, acquire(pool), HR_POOL_CLEAN);
    hr_pool_get_stats(pool, &stats);
    ASSERT_TRUE(stats.up);
    pool_end(pool);
}

TEST(the_backoff_grows_while_nothing_opens)
{
    hr_pool *pool = pool_new(4);
    driver.fail_with = -ENOTCONN;
    int attempts = 0;
    for (hr_usec end = hr_seconds(3); test_clock_now() < end;) {
        void *conn = NULL;
        struct hr_pool_stats stats;
        ASSERT_ERR(hr_pool_acquire(pool, &conn), -ENOTCONN);
        hr_pool_get_stats(pool, &stats);
        attempts = (int)stats.failed;
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    }
    ASSERT_EQ(attempts, 6); /* at 0, 0.1, 0.3, 0.7, 1.5, 2.5 s */
    pool_end(pool);
}

TEST(the_backoff_begins_anew_when_one_has_opened)
{
    hr_pool *pool = pool_new(4);
    void *conn = NULL;
    driver.fail_with = -ENOTCONN;
    ASSERT_ERR(hr_pool_acquire(pool, &conn), -ENOTCONN);
    ASSERT_ERR(hr_sleep(hr_ms(100)), 0);
    ASSERT_ERR(hr_pool_acquire(pool, &conn), -ENOTCONN);
    ASSERT_ERR(hr_sleep(hr_ms(200)), 0);
    driver.fail_with = 0;
    hr_pool_release(pool, acquire(pool), HR_POOL_BROKEN);
    driver.fail_with = -ENOTCONN;
    ASSERT_ERR(hr_pool_acquire(pool, &conn), -ENOTCONN);
    driver.fail_with = 0;
    ASSERT_ERR(hr_sleep(hr_ms(100)), 0);
    hr_pool_release(pool, acquire(pool), HR_POOL_CLEAN);
    pool_end(pool);
}

/* Two who want a connection, the second some time after the first. */
struct two {
    struct borrower first, second;
    hr_task *tasks[2];
    int order;
};

static void begin_two(struct two *two, hr_pool *pool, hr_usec between)
{
    driver.opening_takes = hr_ms(50);
    driver.fail_with = -ENOTCONN;
    *two = (struct two){.order = 0};
    two->first = (struct borrower){.pool = pool, .keeps = hr_seconds(1), .order = &two->order};
    two->second = two->first;
    two->tasks[0] = hr_create_task("first", borrow, &two->first);
    ASSERT_ERR(hr_sleep(between), 0);
    two->tasks[1] = hr_create_task("second", borrow, &two->second);
}

static void join_two(const struct two *two)
{
    ASSERT_ERR(hr_join(two->tasks[0]), 0);
    ASSERT_ERR(hr_join(two->tasks[1]), 0);
}

TEST(two_that_fail_to_open_at_once_are_one_attempt)
{
    hr_pool *pool = pool_new(4);
    struct two two;
    begin_two(&two, pool, 0);
    join_two(&two);
    ASSERT_ERR(two.first.code, -ENOTCONN);
    ASSERT_ERR(two.second.code, -ENOTCONN);
    ASSERT_EQ(test_clock_now(), hr_ms(50));
    driver.fail_with = 0;
    ASSERT_ERR(hr_sleep(hr_ms(100)), 0);
    hr_pool_release(pool, acquire(pool), HR_POOL_CLEAN);
    pool_end(pool);
}

TEST(one_that_opened_ends_the_backoff_of_one_that_did_not)
{
    hr_pool *pool = pool_new(4);
    struct two two;
    begin_two(&two, pool, hr_ms(10));
    ASSERT_ERR(hr_sleep(hr_ms(45)), 0);
    driver.fail_with = 0; /* the first opening has failed, the second has not ended */
    join_two(&two);
    ASSERT_EQ(two.first.got_at, hr_ms(60));
    ASSERT_EQ(two.second.got_at, hr_ms(110));
    pool_end(pool);
}

/* One is lent, no more opens, and somebody has waited for 30 ms. */
struct drought {
    hr_pool *pool;
    struct fake_conn *lent;
    int order;
    struct borrower borrower;
    hr_task *task;
};

static void begin_drought(struct drought *d)
{
    *d = (struct drought){.pool = pool_new(4)};
    d->lent = acquire(d->pool);
    driver.fail_with = -ENOTCONN;
    d->borrower = (struct borrower){.pool = d->pool, .order = &d->order};
    d->task = hr_create_task("borrower", borrow, &d->borrower);
    ASSERT_ERR(hr_sleep(hr_ms(30)), 0);
}

TEST(borrowers_wait_on_for_what_is_lent_when_no_more_opens)
{
    struct drought d;
    begin_drought(&d);
    hr_pool_release(d.pool, d.lent, HR_POOL_CLEAN);
    ASSERT_ERR(hr_join(d.task), 0);
    ASSERT_ERR(d.borrower.code, 0);
    ASSERT_EQ(d.borrower.got_at, hr_ms(30));
    pool_end(d.pool);
}

TEST(they_try_again_after_the_backoff_all_the_same)
{
    struct drought d;
    begin_drought(&d);
    driver.fail_with = 0;
    ASSERT_ERR(hr_join(d.task), 0);
    ASSERT_EQ(d.borrower.got_at, hr_ms(100));
    hr_pool_release(d.pool, d.lent, HR_POOL_CLEAN);
    pool_end(d.pool);
}

TEST(they_fail_when_the_last_loan_comes_back_broken)
{
    struct drought d;
    begin_drought(&d);
    hr_pool_release(d.pool, d.lent, HR_POOL_BROKEN);
    ASSERT_ERR(hr_join(d.task), 0);
    ASSERT_ERR(d.borrower.code, -ENOTCONN);
    ASSERT_EQ(d.borrower.got_at, hr_ms(30));
    pool_end(d.pool);
}
