/* SPDX-License-Identifier: MIT */
/*
 * Scopes whose cancel stands, semantics 3.12.
 */
#include "core/cancel_scope.h"

#include "core/condition.h"
#include "core/gather.h"
#include "core/group.h"
#include "core/lock.h"
#include "core/timeout.h"

#include "tests/support/hrtest.h"

static int nap(void *arg)
{
    return hr_sleep(hr_ms((intptr_t)arg));
}

static void cancel_now(void *scope)
{
    hr_cancel_scope_cancel(scope, "enough");
}

TEST(s3_12_in_a_cancelled_scope_every_suspension_is_cancelled)
{
    struct hr_cancel_scope scope = {0};
    ASSERT_ERR(hr_cancel_scope_enter(&scope, HR_FOREVER), 0);
    hr_call_later(hr_ms(5), cancel_now, &scope);
    ASSERT_ERR(hr_sleep(hr_seconds(60)), -ECANCELED);
    ASSERT_STR(hr_last_error()->message, "enough");
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_sleep(hr_seconds(60)), -ECANCELED);
    ASSERT_ERR(hr_yield(), -ECANCELED);
    ASSERT_EQ(test_clock_now(), hr_ms(5));
    ASSERT_ERR(hr_cancel_scope_leave(&scope, -ECANCELED), 0);
    ASSERT_TRUE(hr_cancel_scope_cancelled(&scope));
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 0);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0); /* over */
}

TEST(s3_12_a_scope_has_a_limit_if_it_wants)
{
    struct hr_cancel_scope scope = {0};
    ASSERT_ERR(hr_cancel_scope_enter(&scope, hr_ms(5)), 0);
    ASSERT_ERR(hr_sleep(hr_ms(4)), 0);
    ASSERT_ERR(hr_sleep(hr_ms(4)), -ECANCELED);
    ASSERT_ERR(hr_sleep(hr_ms(4)), -ECANCELED);
    ASSERT_ERR(hr_cancel_scope_leave(&scope, -ECANCELED), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(5));

    ASSERT_ERR(hr_cancel_scope_enter(&scope, hr_ms(5)), 0);
    ASSERT_FALSE(hr_cancel_scope_cancelled(&scope));
    ASSERT_ERR(hr_cancel_scope_leave(&scope, 7), 7); /* in time: its timer is gone */
    ASSERT_ERR(hr_cancel_scope_enter(&scope, 0), 0);
    ASSERT_ERR(hr_yield(), -ECANCELED);
    ASSERT_ERR(hr_cancel_scope_leave(&scope, -EIO), -EIO); /* another code passes */
}

TEST(s3_12_nested_scopes_each_stand_for_themselves)
{
    struct hr_cancel_scope outer = {0}, inner = {0};
    ASSERT_ERR(hr_cancel_scope_enter(&outer, HR_FOREVER), 0);
    ASSERT_ERR(hr_cancel_scope_enter(&inner, HR_FOREVER), 0);
    hr_cancel_scope_cancel(&inner, NULL);
    ASSERT_ERR(hr_yield(), -ECANCELED);
    ASSERT_ERR(hr_cancel_scope_leave(&inner, -ECANCELED), 0);
    ASSERT_ERR(hr_yield(), 0);

    ASSERT_ERR(hr_cancel_scope_enter(&inner, HR_FOREVER), 0);
    hr_cancel_scope_cancel(&outer, NULL);
    ASSERT_ERR(hr_yield(), -ECANCELED);
    ASSERT_ERR(hr_cancel_scope_leave(&inner, -ECANCELED), -ECANCELED); /* not its own */
    ASSERT_ERR(hr_yield(), -ECANCELED);
    ASSERT_ERR(hr_cancel_scope_leave(&outer, -ECANCELED), 0);
    ASSERT_ERR(hr_yield(), 0);
}

TEST(s3_12_of_two_cancelled_scopes_the_outer_one_stands_after_the_inner)
{
    struct hr_cancel_scope outer = {0}, inner = {0};
    ASSERT_ERR(hr_cancel_scope_enter(&outer, HR_FOREVER), 0);
    ASSERT_ERR(hr_cancel_scope_enter(&inner, HR_FOREVER), 0);
    hr_cancel_scope_cancel(&inner, NULL);
    hr_cancel_scope_cancel(&outer, NULL);
    ASSERT_ERR(hr_yield(), -ECANCELED);
    (void)hr_cancel_scope_leave(&inner, -ECANCELED);
    for (int i = 0; i < 2; i++)
        ASSERT_ERR(hr_yield(), -ECANCELED);
    ASSERT_ERR(hr_cancel_scope_leave(&outer, -ECANCELED), 0);
    ASSERT_ERR(hr_yield(), 0);
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 0);
}

TEST(s3_12_a_foreign_cancel_comes_out_of_the_scope)
{
    struct hr_cancel_scope scope = {0};
    ASSERT_ERR(hr_cancel_scope_enter(&scope, hr_ms(1)), 0);
    ASSERT_ERR(hr_sleep(hr_seconds(1)), -ECANCELED);
    hr_task_cancel(hr_current_task(), "somebody else");
    ASSERT_ERR(hr_yield(), -ECANCELED);
    ASSERT_ERR(hr_cancel_scope_leave(&scope, -ECANCELED), -ECANCELED);
    ASSERT_EQ(hr_task_uncancel(hr_current_task()), 0);
    ASSERT_ERR(hr_yield(), 0);
}

TEST(s3_12_waits_for_what_they_cancel_go_on_to_its_end)
{
    struct hr_cancel_scope scope = {0};
    ASSERT_ERR(hr_cancel_scope_enter(&scope, 0), 0);
    ASSERT_ERR(hr_wait_for(hr_create_task("nap", nap, (void *)60), hr_seconds(9)), -ECANCELED);
    ASSERT_ERR(hr_join(hr_create_task("nap", nap, (void *)60)), -ECANCELED);

    struct hr_task_group group = {0};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    ASSERT_TRUE(hr_task_group_spawn(&group, "nap", nap, (void *)60));
    ASSERT_ERR(hr_task_group_leave(&group, 0), -ECANCELED);

    hr_auto(hr_futures_done) struct hr_futures naps = {0};
    hr_futures_add(&naps, hr_create_task("nap", nap, (void *)60));
    hr_futures_add(&naps, hr_create_task("nap", nap, (void *)60));
    ASSERT_ERR(hr_gather(&naps, 0), -ECANCELED);
    ASSERT_TRUE(hr_future_cancelled(naps.items[1]));
    ASSERT_ERR(hr_cancel_scope_leave(&scope, -ECANCELED), 0);
    ASSERT_EQ(test_clock_now(), 0);
}

static int slow_to_end(void *arg)
{
    hr_cancel_scope_cancel(arg, NULL);
    int r = hr_sleep(hr_seconds(60));
    return hr_sleep(hr_ms(3)) < 0 ? r : 9;
}

TEST(s3_12_a_child_that_swallows_the_cancel_still_gives_its_value)
{
    struct hr_cancel_scope scope = {0};
    ASSERT_ERR(hr_cancel_scope_enter(&scope, HR_FOREVER), 0);
    ASSERT_ERR(hr_join(hr_create_task("slow", slow_to_end, &scope)), 9);
    ASSERT_EQ(test_clock_now(), hr_ms(3));
    ASSERT_ERR(hr_yield(), -ECANCELED); /* but the cancel stands */
    ASSERT_ERR(hr_cancel_scope_leave(&scope, 9), 9);
}

TEST(s3_12_cleanup_waits_in_a_shielded_scope)
{
    struct hr_cancel_scope scope = {0};
    ASSERT_ERR(hr_cancel_scope_enter(&scope, 0), 0);
    ASSERT_ERR(hr_yield(), -ECANCELED);
    hr_shield_enter();
    ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    hr_shield_leave();
    ASSERT_ERR(hr_yield(), -ECANCELED);
    ASSERT_ERR(hr_cancel_scope_leave(&scope, -ECANCELED), 0);
}

static int hold_for_a_while(void *lock)
{
    ASSERT_ERR(hr_lock_acquire(lock), 0);
    ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    return hr_lock_release(lock);
}

TEST(s3_12_s15_5_a_conditions_wait_in_a_cancelled_scope_still_comes_back_with_the_lock)
{
    struct hr_cancel_scope scope = {0};
    hr_lock lock;
    hr_condition condition;
    hr_lock_init(&lock);
    hr_condition_init(&condition, &lock);
    ASSERT_ERR(hr_lock_acquire(&lock), 0);
    hr_task *holder = hr_create_task("holder", hold_for_a_while, &lock);
    ASSERT_ERR(hr_cancel_scope_enter(&scope, hr_ms(5)), 0);
    ASSERT_ERR(hr_condition_wait(&condition), -ECANCELED);
    ASSERT_EQ(test_clock_now(), hr_ms(10));
    ASSERT_ERR(hr_lock_try(&lock), -EBUSY);
    ASSERT_ERR(hr_yield(), -ECANCELED);
    ASSERT_ERR(hr_cancel_scope_leave(&scope, -ECANCELED), 0);
    ASSERT_ERR(hr_lock_release(&lock), 0);
    ASSERT_ERR(hr_join(holder), 0);
    hr_condition_done(&condition);
    hr_lock_done(&lock);
}

static int leave_it(void *scope)
{
    return hr_cancel_scope_leave(scope, 0);
}

TEST(s3_12_misuse_is_refused)
{
    struct hr_cancel_scope scope = {0};
    ASSERT_ERR(hr_cancel_scope_leave(&scope, 0), -EINVAL);
    hr_cancel_scope_cancel(&scope, NULL);
    ASSERT_FALSE(hr_cancel_scope_cancelled(&scope));
    ASSERT_ERR(hr_cancel_scope_enter(&scope, HR_FOREVER), 0);
    ASSERT_ERR(hr_cancel_scope_enter(&scope, HR_FOREVER), -EBUSY);
    ASSERT_ERR(hr_join(hr_create_task("other", leave_it, &scope)), -EINVAL);
    ASSERT_ERR(hr_cancel_scope_leave(&scope, 0), 0);
}
