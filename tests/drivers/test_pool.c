/* SPDX-License-Identifier: MIT */
/*
 * The life of connections, over a driver that only pretends (22.9).
 */
#include <string.h>

#include "core/event.h"
#include "core/timeout.h"
#include "tests/drivers/pool_driver.h"
#include "tests/support/last_words.h"

TEST(a_connection_that_came_back_is_lent_again)
{
    hr_pool *pool = pool_new(4);
    struct fake_conn *conn = acquire(pool);
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    ASSERT_PTR(acquire(pool), conn);
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    ASSERT_EQ(driver.opened, 1);
    pool_end(pool);
    ASSERT_EQ(driver.polite, 1);
}

TEST(borrowers_wait_in_order_for_a_limited_number_22_9)
{
    hr_pool *pool = pool_new(2);
    enum { N = 6 };
    struct borrower borrowers[N];
    hr_task *tasks[N];
    int order = 0;
    for (int i = 0; i < N; i++) {
        borrowers[i] = (struct borrower){.pool = pool, .keeps = hr_ms(10), .order = &order};
        tasks[i] = hr_create_task(NULL, borrow, &borrowers[i]);
    }
    for (int i = 0; i < N; i++) {
        ASSERT_ERR(hr_join(tasks[i]), 0);
        ASSERT_ERR(borrowers[i].code, 0);
        ASSERT_EQ(borrowers[i].rank, i + 1);
        ASSERT_EQ(borrowers[i].got_at, hr_ms(10) * (i / 2));
    }
    ASSERT_EQ(driver.opened, 2);
    pool_end(pool);
}

TEST(a_cancelled_borrower_leaves_the_queue_and_wastes_nothing)
{
    hr_pool *pool = pool_new(1);
    struct fake_conn *conn = acquire(pool);
    int order = 0;
    struct borrower first = {.pool = pool, .order = &order}, second = first;
    hr_task *a = hr_create_task("first", borrow, &first);
    hr_task *b = hr_create_task("second", borrow, &second);
    test_passes(2);
    /* It is handed the connection and cancelled in one slice: the turn goes on to the second. */
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    hr_task_cancel(a, NULL);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_ERR(first.code, -ECANCELED);
    ASSERT_ERR(second.code, 0);
    ASSERT_EQ(driver.opened, 1);
    pool_end(pool);
}

TEST(an_opening_goes_on_when_its_borrower_is_cancelled)
{
    hr_pool *pool = pool_new(1);
    driver.opening_takes = hr_ms(50);
    int order = 0;
    struct borrower b = {.pool = pool, .order = &order};
    hr_task *task = hr_create_task("borrower", borrow, &b);
    ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(b.code, -ECANCELED);
    hr_pool_release(pool, acquire(pool), HR_POOL_CLEAN);
    ASSERT_EQ(driver.opened, 1);
    ASSERT_EQ(test_clock_now(), hr_ms(50));
    pool_end(pool);
}

TEST(few_connections_are_opened_at_the_same_time)
{
    hr_pool *pool = pool_new(10);
    driver.opening_takes = hr_ms(10);
    enum { N = 10 };
    struct borrower borrowers[N];
    hr_task *tasks[N];
    int order = 0;
    for (int i = 0; i < N; i++) {
        borrowers[i] = (struct borrower){.pool = pool, .keeps = hr_seconds(1), .order = &order};
        tasks[i] = hr_create_task(NULL, borrow, &borrowers[i]);
    }
    for (int i = 0; i < N; i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    ASSERT_EQ(driver.opened, N);
    ASSERT_EQ(driver.most_in_flight, 2);
    pool_end(pool);
}

TEST(a_broken_connection_is_not_used_again_22_9)
{
    hr_pool *pool = pool_new(1);
    hr_pool_release(pool, acquire(pool), HR_POOL_BROKEN);
    ASSERT_EQ(driver.closed, 1);
    ASSERT_EQ(driver.polite, 0);
    struct fake_conn *conn = acquire(pool);
    ASSERT_EQ(conn->number, 2);
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    pool_end(pool);
}

TEST(a_dirty_one_is_reset_before_anybody_sees_it)
{
    hr_pool *pool = pool_new(2);
    driver.reset_takes = hr_ms(20);
    struct fake_conn *conn = acquire(pool);
    hr_pool_release(pool, conn, HR_POOL_DIRTY);
    ASSERT_EQ(test_clock_now(), 0);
    ASSERT_PTR(acquire(pool), conn);
    ASSERT_EQ(test_clock_now(), hr_ms(20));
    ASSERT_EQ(driver.reset, 1);

    conn->fails_reset = true;
    hr_pool_release(pool, conn, HR_POOL_DIRTY);
    conn = acquire(pool);
    ASSERT_EQ(conn->number, 2);
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    pool_end(pool);
}

/* The server may be the wrong one, or gone: no statement is spent on it. */
TEST(a_dirty_one_that_is_outdated_is_closed_and_not_reset_first)
{
    hr_pool *pool = pool_new(2);
    struct hr_pool_stats stats;
    struct fake_conn *conn = acquire(pool);
    hr_pool_flush(pool);
    hr_pool_release(pool, conn, HR_POOL_DIRTY);
    ASSERT_EQ(driver.closed, 1);
    ASSERT_EQ(driver.polite, 1);
    hr_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.open, 0);
    pool_end(pool);
    ASSERT_EQ(driver.reset, 0);
}

TEST(one_that_the_peer_closed_is_found_before_it_is_lent)
{
    hr_pool *pool = pool_new(1);
    struct fake_conn *conn = acquire(pool);
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    conn->dead = true;
    conn = acquire(pool);
    ASSERT_EQ(conn->number, 2);
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    pool_end(pool);
}

TEST(one_that_idled_long_is_asked_first)
{
    hr_pool *pool = pool_new(1);
    struct fake_conn *conn = acquire(pool);
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    ASSERT_ERR(hr_sleep(hr_seconds(9)), 0);
    hr_pool_release(pool, acquire(pool), HR_POOL_CLEAN);
    ASSERT_EQ(driver.pinged, 0);
    ASSERT_ERR(hr_sleep(hr_seconds(11)), 0);
    ASSERT_PTR(acquire(pool), conn);
    ASSERT_EQ(driver.pinged, 1);
    conn->fails_ping = true;
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    ASSERT_ERR(hr_sleep(hr_seconds(11)), 0);
    conn = acquire(pool);
    ASSERT_EQ(conn->number, 2);
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    pool_end(pool);
}

/* One has idled for long, and is being asked for a borrower. */
static hr_task *begin_asking(struct borrower *borrower)
{
    hr_pool_release(borrower->pool, acquire(borrower->pool), HR_POOL_CLEAN);
    ASSERT_ERR(hr_sleep(hr_seconds(11)), 0);
    hr_task *task = hr_create_task("borrower", borrow, borrower);
    test_passes(2);
    ASSERT_EQ(driver.pinged, 1);
    return task;
}

TEST(a_borrower_who_is_cancelled_while_one_is_asked_for_him_gets_none)
{
    hr_pool *pool = pool_new(2);
    int order = 0;
    struct borrower borrower = {.pool = pool, .order = &order};
    hr_task *task = begin_asking(&borrower);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(borrower.code, -ECANCELED);
    ASSERT_EQ(driver.opened, 1);
    pool_end(pool);
}

TEST(who_waits_while_one_is_asked_for_another_is_served_when_that_one_leaves)
{
    hr_pool *pool = pool_new(1);
    int order = 0;
    struct borrower first = {.pool = pool, .order = &order}, second = first;
    hr_task *asked = begin_asking(&first);
    hr_task *waits = hr_create_task("second", borrow, &second);
    test_passes(2);
    hr_task_cancel(asked, NULL);
    ASSERT_ERR(hr_join(asked), 0);
    ASSERT_ERR(first.code, -ECANCELED);
    ASSERT_ERR(hr_wait_for(waits, hr_seconds(1)), 0);
    ASSERT_ERR(second.code, 0);
    ASSERT_EQ(driver.opened, 2);
    pool_end(pool);
}

TEST(close_waits_for_one_that_is_being_asked_and_no_longer)
{
    hr_pool *pool = pool_new(1);
    int order = 0;
    struct borrower borrower = {.pool = pool, .order = &order};
    struct hr_timeout limit = {0};
    hr_task *task = begin_asking(&borrower);
    ASSERT_ERR(hr_timeout_enter(&limit, hr_seconds(1)), 0);
    ASSERT_ERR(hr_timeout_leave(&limit, hr_pool_close(pool)), 0);
    ASSERT_EQ(driver.closed, 1);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(borrower.code, HR_ECLOSED);
    pool_end(pool);
}

TEST(one_that_is_outdated_while_it_is_asked_is_not_lent)
{
    hr_pool *pool = pool_new(2);
    int order = 0;
    struct borrower borrower = {.pool = pool, .order = &order};
    hr_task *task = begin_asking(&borrower);
    hr_pool_flush(pool);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(borrower.code, 0);
    ASSERT_EQ(driver.opened, 2);
    pool_end(pool);
}

TEST(asking_one_that_idled_long_holds_nobody_else_up)
{
    hr_pool *pool = pool_new(2);
    hr_pool_release(pool, acquire(pool), HR_POOL_CLEAN);
    ASSERT_ERR(hr_sleep(hr_seconds(11)), 0);
    int order = 0;
    struct borrower first = {.pool = pool, .keeps = hr_seconds(5), .order = &order}, second = first;
    hr_task *a = hr_create_task("first", borrow, &first);
    hr_task *b = hr_create_task("second", borrow, &second);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_EQ(driver.pinged, 1);
    ASSERT_EQ(driver.opened, 2);
    ASSERT_TRUE(second.got_at <= hr_seconds(11) + hr_ms(1));
    pool_end(pool);
}

TEST(idle_connections_are_closed_after_a_while)
{
    hr_pool *pool = pool_new(2);
    struct fake_conn *a = acquire(pool), *b = acquire(pool);
    hr_pool_release(pool, a, HR_POOL_CLEAN);
    ASSERT_ERR(hr_sleep(hr_seconds(30)), 0);
    hr_pool_release(pool, b, HR_POOL_CLEAN);
    ASSERT_ERR(hr_sleep(hr_seconds(31)), 0);
    ASSERT_EQ(driver.closed, 1);
    ASSERT_ERR(hr_sleep(hr_seconds(30)), 0);
    ASSERT_EQ(driver.closed, 2);
    pool_end(pool);
}

TEST(old_connections_are_replaced_on_return)
{
    memset(&driver, 0, sizeof(driver));
    struct hr_pool_options options = {
        .limit = 1, .idle = HR_FOREVER, .max_age = hr_seconds(100), .ping_after = HR_FOREVER};
    hr_pool *pool = hr_pool_new(&fake_ops, &driver, &options);
    for (int i = 0; i < 100; i++) {
        struct fake_conn *conn = acquire(pool);
        ASSERT_ERR(hr_sleep(hr_seconds(1)), 0);
        if (i < 89)
            ASSERT_EQ(conn->number, 1);
        hr_pool_release(pool, conn, HR_POOL_CLEAN);
    }
    ASSERT_TRUE(driver.closed >= 1);
    pool_end(pool);
}

TEST(flush_closes_idle_connections_and_retires_the_lent_ones)
{
    hr_pool *pool = pool_new(3);
    struct fake_conn *a = acquire(pool), *b = acquire(pool);
    hr_pool_release(pool, a, HR_POOL_CLEAN);
    hr_pool_flush(pool);
    ASSERT_EQ(driver.closed, 1);
    hr_pool_release(pool, b, HR_POOL_CLEAN);
    ASSERT_EQ(driver.closed, 2);

    /* One that was being opened when the server changed its mind is not used either. */
    driver.opening_takes = hr_ms(10);
    int order = 0;
    struct borrower borrower = {.pool = pool, .order = &order};
    hr_task *task = hr_create_task("borrower", borrow, &borrower);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    hr_pool_flush(pool);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(borrower.code, 0);
    ASSERT_EQ(driver.opened, 4);
    ASSERT_EQ(borrower.got_at, hr_ms(20));
    pool_end(pool);
}

static int return_late(void *arg)
{
    struct borrower *b = arg;
    return borrow(b);
}

TEST(close_waits_for_loans_and_refuses_new_ones_22_10)
{
    hr_pool *pool = pool_new(1);
    int order = 0;
    struct borrower lent = {.pool = pool, .keeps = hr_ms(40), .order = &order};
    struct borrower waiting = {.pool = pool, .order = &order};
    hr_task *a = hr_create_task("lent", return_late, &lent);
    hr_task *b = hr_create_task("waiting", borrow, &waiting);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_ERR(hr_pool_close(pool), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(40));
    ASSERT_ERR(waiting.code, HR_ECLOSED);
    void *conn = NULL;
    ASSERT_ERR(hr_pool_acquire(pool, &conn), HR_ECLOSED);
    ASSERT_ERR(hr_pool_close(pool), 0);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_join(b), 0);
    pool_end(pool);
}

static int close_pool(void *pool)
{
    return hr_pool_close(pool);
}

TEST(a_dump_tells_what_of_a_pool_is_waited_for)
{
    hr_pool *pool = pool_new(1);
    struct fake_conn *conn = acquire(pool);
    int order = 0;
    struct borrower waiting = {.pool = pool, .order = &order};
    hr_task *b = hr_create_task("borrower", borrow, &waiting);
    test_passes(2);
    ASSERT_TRUE(test_dump_says("borrower                waits for a free connection"));
    hr_task *a = hr_create_task("closer", close_pool, pool);
    test_passes(2);
    ASSERT_TRUE(test_dump_says("closer                  waits for what is lent to come back"));
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_join(b), 0);
    pool_end(pool);
}

TEST(close_cuts_an_opening_short)
{
    hr_pool *pool = pool_new(1);
    driver.opening_takes = hr_seconds(100);
    int order = 0;
    struct borrower b = {.pool = pool, .order = &order};
    hr_task *task = hr_create_task("borrower", borrow, &b);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_ERR(hr_pool_close(pool), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(1));
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(b.code, HR_ECLOSED);
    pool_end(pool);
}

TEST(a_pool_may_be_freed_with_loans_out_and_openings_under_way)
{
    hr_pool *pool = pool_new(2);
    struct fake_conn *conn = acquire(pool);
    driver.opening_takes = hr_ms(10);
    int order = 0;
    struct borrower b = {.pool = pool, .order = &order};
    hr_task *task = hr_create_task("borrower", borrow, &b);
    test_passes(2);
    hr_pool_free(pool);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(b.code, HR_ECLOSED);
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    test_passes(3);
    ASSERT_EQ(driver.opened, driver.closed);
}

static int give_back_twice(void *arg)
{
    hr_pool *pool = pool_new(1);
    void *conn = acquire(pool);
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    hr_pool_release(pool, conn, HR_POOL_CLEAN);
    return 0;
}

static int run_give_back_twice(void *arg)
{
    return hr_run(give_back_twice, arg);
}

TEST_PLAIN(what_is_given_back_twice_ends_the_program_with_a_sentence)
{
    static const char expected[] = "headrace: hr_pool_release(): this connection was given back";
    char said[sizeof(expected)];
    test_last_words(run_give_back_twice, NULL, said, sizeof(said));
    ASSERT_STR(said, expected);
}
