/* SPDX-License-Identifier: MIT */
/*
 * What gevent's users look for, under our names: semantics 19.9, 19.10 and 19.16.
 */
#include <string.h>

#include "core/as_completed.h"
#include "core/semaphore.h"
#include "core/timeout.h"
#include "tests/support/hrtest.h"

static int runs, running, most;

static int doubles(void *number)
{
    runs++;
    int r = hr_sleep(hr_ms((intptr_t)number));
    return r < 0 ? r : 2 * (int)(intptr_t)number;
}

static hr_task *spawn(int number)
{
    return hr_create_task(NULL, doubles, (void *)(intptr_t)number);
}

TEST(s19_9_spawn_join_ready_successful_and_value)
{
    hr_auto(hr_future_unrefp) hr_task *task = spawn(5);
    ASSERT_FALSE(hr_future_done(task));
    ASSERT_ERR(hr_future_status(task), -EAGAIN); /* ready() is false, value is None */
    ASSERT_ERR(hr_await(task), 10);
    ASSERT_TRUE(hr_future_done(task));
    ASSERT_PTR(hr_future_error(task), NULL); /* successful() */
    ASSERT_ERR(hr_future_status(task), 10);
}

TEST(s19_9_joinall_has_a_limit_and_a_count)
{
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int number = 3; number > 0; number--)
        hr_futures_add(&all, spawn(number));
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, hr_ms(2) + 1), 2);
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, HR_FOREVER), 3);

    hr_auto(hr_futures_done) struct hr_futures more = {0};
    for (int number = 3; number > 0; number--)
        hr_futures_add(&more, spawn(number));
    hr_auto(hr_as_completed_freep) hr_as_completed *steps =
        hr_as_completed_new(&more, HR_FOREVER, 0);
    hr_future *done;
    for (int count = 1; count <= 2; count++) { /* joinall(count=2) */
        ASSERT_ERR(hr_as_completed_next(steps, &done), 0);
        ASSERT_ERR(hr_future_status(done), 2 * count);
    }
    ASSERT_FALSE(hr_future_done(more.items[0]));
    ASSERT_ERR(hr_await(more.items[0]), 6);
}

TEST(s19_9_kill_before_the_start_means_never_run)
{
    runs = 0;
    hr_auto(hr_future_unrefp) hr_task *task = spawn(1);
    ASSERT_TRUE(hr_task_cancel(task, NULL));
    ASSERT_ERR(hr_await(task), -ECANCELED);
    ASSERT_EQ(runs, 0);
}

/* The marker is -ECANCELED, which is never reported: the harness would see a report. */
TEST(s19_9_who_was_killed_is_over_and_has_not_failed)
{
    hr_auto(hr_future_unrefp) hr_task *waited_for = spawn(10);
    hr_task *left = spawn(10);
    test_passes(1);
    ASSERT_TRUE(hr_task_cancel(waited_for, NULL));
    ASSERT_FALSE(hr_future_done(waited_for)); /* kill(block=False) only asks */
    ASSERT_ERR(hr_await(waited_for), -ECANCELED);
    ASSERT_TRUE(hr_future_cancelled(waited_for));
    ASSERT_TRUE(hr_task_cancel(left, NULL));
    hr_future_unref(left);
    test_passes(2);
    ASSERT_EQ(test_clock_now(), 0);
}

TEST(s19_9_kill_of_a_dead_one_does_nothing)
{
    hr_auto(hr_future_unrefp) hr_task *task = spawn(1);
    ASSERT_ERR(hr_await(task), 2);
    ASSERT_FALSE(hr_task_cancel(task, NULL));
    ASSERT_ERR(hr_future_status(task), 2);
    ASSERT_EQ(hr_task_cancelling(task), 0);
}

static char order[8];

static void link_called(hr_future *future, void *letter)
{
    ASSERT_TRUE(hr_future_done(future));
    strncat(order, letter, 1);
}

TEST(s19_10_links_run_in_the_order_of_adding)
{
    static char letters[] = "abc";
    order[0] = '\0';
    hr_auto(hr_future_unrefp) hr_task *task = spawn(1);
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_future_add_done_callback(task, link_called, &letters[i]), 0);
    ASSERT_ERR(hr_await(task), 2);
    test_passes(1);
    ASSERT_STR(order, "abc");
}

/* A pool is a semaphore around what tasks do. */
static hr_semaphore pool;

static int doubles_in_pool(void *number)
{
    int r = hr_semaphore_acquire(&pool);
    if (r < 0)
        return r;
    most = ++running > most ? running : most;
    r = doubles(number);
    running--;
    hr_semaphore_release(&pool);
    return r;
}

static void map(struct hr_futures *all, int first, int last)
{
    for (int number = first; number >= last; number--)
        hr_futures_add(all, hr_create_task(NULL, doubles_in_pool, (void *)(intptr_t)number));
}

TEST(s19_16_a_pool_maps_in_order_or_as_they_come)
{
    hr_semaphore_init(&pool, 2, true);
    running = most = 0;
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    map(&all, 6, 1);
    for (int i = 0; i < 6; i++) /* imap: in order, each as soon as it is there */
        ASSERT_ERR(hr_await(all.items[i]), 2 * (6 - i));
    ASSERT_EQ(most, 2);

    hr_auto(hr_futures_done) struct hr_futures any = {0};
    map(&any, 6, 5);
    map(&any, 1, 1);
    hr_auto(hr_as_completed_freep) hr_as_completed *steps =
        hr_as_completed_new(&any, HR_FOREVER, 0);
    static const int as_they_come[] = {10, 12, 2}; /* 5 ms, 6 ms, and 1 ms after a turn was free */
    hr_future *done;
    for (int i = 0; i < 3; i++) {
        ASSERT_ERR(hr_as_completed_next(steps, &done), 0);
        ASSERT_ERR(hr_future_status(done), as_they_come[i]);
    }
    hr_semaphore_done(&pool);
}
