/* SPDX-License-Identifier: MIT */
/*
 * Requests that are counted and taken back, semantics 3.16 to 3.18 and 3.26.
 */
#include "core/group.h"
#include "core/lock.h"
#include "core/task.h"
#include "core/timeout.h"
#include "tests/support/hrtest.h"

static int yields(void *result)
{
    *(int *)result = hr_yield();
    return 0;
}

TEST(s3_16_uncancel_counts_down_and_withdraws_what_was_not_delivered)
{
    int result = 99;
    hr_task *task = hr_create_task(NULL, yields, &result);
    ASSERT_EQ(hr_task_uncancel(task), 0);
    hr_task_cancel(task, NULL);
    hr_task_cancel(task, NULL);
    ASSERT_EQ(hr_task_uncancel(task), 1);
    ASSERT_EQ(hr_task_uncancel(task), 0);
    ASSERT_EQ(hr_task_uncancel(task), 0);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(result, 0);
}

static int sleep_long(void *arg)
{
    return hr_sleep(hr_seconds(60));
}

static int take_held_lock(void *lock)
{
    return hr_lock_acquire(lock);
}

TEST(s3_16_s3_17_a_suspension_that_was_interrupted_stays_so)
{
    hr_lock lock;
    hr_lock_init(&lock);
    ASSERT_ERR(hr_lock_try(&lock), 0);
    hr_task *sleeper = hr_create_task(NULL, sleep_long, NULL);
    hr_task *waiter = hr_create_task(NULL, take_held_lock, &lock);
    test_passes(1);
    hr_task_cancel(sleeper, "changed my mind");
    hr_task_cancel(waiter, NULL);
    ASSERT_EQ(hr_task_uncancel(sleeper), 0);
    ASSERT_EQ(hr_task_uncancel(waiter), 0);
    ASSERT_ERR(hr_join(sleeper), -ECANCELED); /* neither slept out nor, below, in the lock */
    ASSERT_ERR(hr_join(waiter), -ECANCELED);
    ASSERT_ERR(hr_lock_release(&lock), 0);
    ASSERT_FALSE(lock.locked);
}

static int clean_up(void *result)
{
    int r = hr_sleep(hr_seconds(60));
    *(int *)result = hr_sleep(hr_ms(5));
    return r;
}

TEST(s3_17_uncancel_does_not_undo_what_was_delivered)
{
    int cleanup = 99;
    hr_task *task = hr_create_task(NULL, clean_up, &cleanup);
    test_passes(1);
    hr_task_cancel(task, NULL);
    test_passes(2);
    ASSERT_EQ(hr_task_uncancel(task), 0);
    ASSERT_ERR(hr_await(task), -ECANCELED);
    ASSERT_EQ(hr_task_uncancel(task), 0);
    ASSERT_TRUE(hr_future_cancelled(task));
    ASSERT_ERR(cleanup, 0);
    hr_future_unref(task);
}

static int in_a_scope(void *arg)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(1)), 0);
    int r = hr_timeout_leave(&limit, hr_sleep(hr_seconds(1)));
    ASSERT_ERR(r, -ETIMEDOUT);

    struct hr_task_group group = {0};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    hr_task_group_cancel(&group);
    ASSERT_ERR(hr_task_group_leave(&group, hr_sleep(hr_seconds(1))), 0);
    return (int)hr_task_cancelling(hr_current_task());
}

TEST(s3_18_scopes_and_groups_take_their_requests_back)
{
    ASSERT_ERR(hr_join(hr_create_task(NULL, in_a_scope, NULL)), 0);

    /* Also under a request of somebody else, which they leave where it is. */
    hr_task_cancel(hr_current_task(), NULL);
    ASSERT_ERR(hr_yield(), -ECANCELED);
    ASSERT_EQ(in_a_scope(NULL), 1);
    ASSERT_EQ(hr_task_uncancel(hr_current_task()), 0);
}

struct who {
    hr_future *awaits;
    bool me;
};

static int whose_cancel(void *arg)
{
    struct who *who = arg;
    ASSERT_ERR(hr_await(who->awaits), -ECANCELED);
    who->me = hr_task_cancelling(hr_current_task()) > 0;
    return 0;
}

TEST(s3_26_a_body_can_tell_its_own_cancel_from_that_of_what_it_awaited)
{
    struct who mine = {hr_future_new(NULL), false}, other = {hr_future_new(NULL), true};
    hr_task *a = hr_create_task(NULL, whose_cancel, &mine);
    hr_task *b = hr_create_task(NULL, whose_cancel, &other);
    test_passes(1);
    hr_task_cancel(a, NULL);
    hr_future_cancel(other.awaits, NULL);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_TRUE(mine.me);
    ASSERT_FALSE(other.me);
    hr_future_unref(mine.awaits);
    hr_future_unref(other.awaits);
}
