/* SPDX-License-Identifier: MIT */
/*
 * Locks, semantics 14.
 */
#include "core/lock.h"

#include "core/task.h"
#include "core/timeout.h"
#include "tests/support/hrtest.h"

struct room {
    hr_lock lock;
    char order[16];
    int entered;
};

struct visitor {
    struct room *room;
    char name;
    int result;
};

static int visit(void *arg)
{
    struct visitor *v = arg;
    v->result = hr_lock_acquire(&v->room->lock);
    if (v->result < 0)
        return v->result;
    v->room->order[v->room->entered++] = v->name;
    int r = hr_sleep(hr_ms(10));
    hr_lock_release(&v->room->lock);
    return r;
}

TEST(s14_1_a_free_lock_is_taken_without_giving_up_the_slice)
{
    hr_lock lock;
    hr_lock_init(&lock);
    struct hr_loop_stats before, after;
    hr_loop_get_stats(hr_running_loop(), &before);
    ASSERT_ERR(hr_lock_acquire(&lock), 0);
    hr_loop_get_stats(hr_running_loop(), &after);
    ASSERT_EQ(after.passes, before.passes);
    ASSERT_ERR(hr_lock_try(&lock), -EBUSY);
    ASSERT_ERR(hr_lock_release(&lock), 0);
    ASSERT_ERR(hr_lock_try(&lock), 0);
    ASSERT_ERR(hr_lock_release(&lock), 0);
    hr_lock_done(&lock);
}

TEST(s14_2_waiters_get_the_lock_in_the_order_of_asking)
{
    struct room room = {0};
    hr_lock_init(&room.lock);
    struct visitor v[] = {
        {&room, 'a'},
        {&room, 'b'},
        {&room, 'c'}
    };
    hr_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = hr_create_task(NULL, visit, &v[i]);
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    ASSERT_STR(room.order, "abc");
    ASSERT_EQ(test_clock_now(), hr_ms(30));
    hr_lock_done(&room.lock);
}

TEST(s14_3_a_newcomer_does_not_overtake_a_waiter_that_was_woken)
{
    struct room room = {0};
    hr_lock_init(&room.lock);
    ASSERT_ERR(hr_lock_acquire(&room.lock), 0);
    struct visitor v = {&room, 'w'};
    hr_task *waiter = hr_create_task("waiter", visit, &v);
    test_passes(1);
    ASSERT_ERR(hr_lock_release(&room.lock), 0);
    ASSERT_ERR(hr_lock_try(&room.lock), -EBUSY); /* 14.8 */
    ASSERT_ERR(hr_lock_acquire(&room.lock), 0);
    ASSERT_STR(room.order, "w");
    ASSERT_ERR(hr_lock_release(&room.lock), 0);
    ASSERT_ERR(hr_join(waiter), 0);
    hr_lock_done(&room.lock);
}

TEST(s14_4_releasing_a_free_lock_is_misuse)
{
    hr_lock lock;
    hr_lock_init(&lock);
    ASSERT_ERR(hr_lock_release(&lock), -EINVAL);
    ASSERT_ERR(hr_lock_try(&lock), 0);
    ASSERT_ERR(hr_lock_release(&lock), 0);
    hr_lock_done(&lock);
}

TEST(s14_5_a_cancelled_waiter_leaves_the_queue)
{
    struct room room = {0};
    hr_lock_init(&room.lock);
    ASSERT_ERR(hr_lock_acquire(&room.lock), 0);
    struct visitor a = {&room, 'a'}, b = {&room, 'b'};
    hr_task *first = hr_create_task("first", visit, &a);
    hr_task *second = hr_create_task("second", visit, &b);
    test_passes(1);
    hr_task_cancel(first, NULL);
    ASSERT_ERR(hr_join(first), -ECANCELED);
    hr_lock_release(&room.lock);
    ASSERT_ERR(hr_join(second), 0);
    ASSERT_STR(room.order, "b");
    hr_lock_done(&room.lock);
}

TEST(s14_5_a_waiter_cancelled_in_the_instant_it_was_woken_passes_the_lock_on)
{
    struct room room = {0};
    hr_lock_init(&room.lock);
    ASSERT_ERR(hr_lock_acquire(&room.lock), 0);
    struct visitor a = {&room, 'a'}, b = {&room, 'b'};
    hr_task *first = hr_create_task("first", visit, &a);
    hr_task *second = hr_create_task("second", visit, &b);
    test_passes(1);
    hr_lock_release(&room.lock);
    hr_task_cancel(first, NULL);
    ASSERT_ERR(hr_join(first), -ECANCELED);
    ASSERT_ERR(a.result, -ECANCELED);
    ASSERT_ERR(hr_join(second), 0);
    ASSERT_STR(room.order, "b");
    ASSERT_FALSE(room.lock.locked);
    hr_lock_done(&room.lock);
}

TEST(s14_5_the_last_waiter_cancelled_in_that_instant_leaves_the_lock_free)
{
    struct room room = {0};
    hr_lock_init(&room.lock);
    ASSERT_ERR(hr_lock_acquire(&room.lock), 0);
    struct visitor v = {&room, 'v'};
    hr_task *waiter = hr_create_task("waiter", visit, &v);
    test_passes(1);
    hr_lock_release(&room.lock);
    hr_task_cancel(waiter, NULL);
    ASSERT_ERR(hr_join(waiter), -ECANCELED);
    ASSERT_ERR(hr_lock_try(&room.lock), 0);
    hr_lock_release(&room.lock);
    hr_lock_done(&room.lock);
}

static int release_only(void *arg)
{
    return hr_lock_release(arg);
}

TEST(s14_6_a_lock_is_not_tied_to_a_task)
{
    hr_lock lock;
    hr_lock_init(&lock);
    ASSERT_ERR(hr_lock_acquire(&lock), 0);
    ASSERT_ERR(hr_join(hr_create_task("other", release_only, &lock)), 0);
    ASSERT_ERR(hr_lock_try(&lock), 0);
    hr_lock_release(&lock);
    hr_lock_done(&lock);
}

TEST(a_lock_given_up_by_timeout_is_not_held)
{
    hr_lock lock;
    hr_lock_init(&lock);
    ASSERT_ERR(hr_lock_acquire(&lock), 0);
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(5)), 0);
    int r = hr_lock_acquire(&lock);
    ASSERT_ERR(hr_timeout_leave(&limit, r), -ETIMEDOUT);
    hr_lock_release(&lock);
    ASSERT_FALSE(lock.locked);
    hr_lock_done(&lock);
}

static int hold_and_fail(void *lock)
{
    hr_auto(hr_lock_releasep) hr_lock *held = NULL;
    int r = hr_lock_hold(lock, &held);
    if (r < 0)
        return r;
    r = hr_sleep(hr_ms(1));
    return r < 0 ? r : -EIO;
}

TEST(s14_7_the_scope_form_releases_on_every_way_out)
{
    hr_lock lock;
    hr_lock_init(&lock);
    ASSERT_ERR(hr_join(hr_create_task(NULL, hold_and_fail, &lock)), -EIO);
    ASSERT_FALSE(lock.locked);
    hr_task *task = hr_create_task(NULL, hold_and_fail, &lock);
    test_passes(1);
    ASSERT_TRUE(lock.locked);
    hr_task *waiting = hr_create_task(NULL, hold_and_fail, &lock);
    test_passes(1);
    hr_task_cancel(waiting, NULL); /* it does not hold it, and must not release it */
    ASSERT_ERR(hr_join(waiting), -ECANCELED);
    ASSERT_TRUE(lock.locked);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_FALSE(lock.locked);
}

TEST(s14_8_a_try_overtakes_nobody)
{
    hr_lock lock;
    hr_lock_init(&lock);
    ASSERT_ERR(hr_lock_try(&lock), 0);
    hr_task *task = hr_create_task(NULL, hold_and_fail, &lock);
    test_passes(1);
    ASSERT_ERR(hr_lock_release(&lock), 0); /* the waiter is called, and has not run yet */
    ASSERT_ERR(hr_lock_try(&lock), -EBUSY);
    ASSERT_ERR(hr_join(task), -EIO);
    ASSERT_ERR(hr_lock_try(&lock), 0);
}

static hr_lock shared;

static int wait_briefly(void *arg)
{
    return hr_wait_for(hr_create_task(NULL, hold_and_fail, &shared), hr_ms(1));
}

TEST_PLAIN(s14_15_a_primitive_belongs_to_the_loop_that_first_waits_at_it)
{
    hr_lock_init(&shared);
    ASSERT_ERR(hr_lock_try(&shared), 0);
    hr_loop *first = hr_loop_new(NULL), *second = hr_loop_new(NULL);
    struct hr_task_options options = {.loop = first};
    hr_task *task = hr_create_task_with(&options, wait_briefly, NULL);
    ASSERT_ERR(hr_loop_run_until_complete(first, task), -ETIMEDOUT);
    options.loop = second;
    task = hr_create_task_with(&options, wait_briefly, NULL);
    ASSERT_ERR(hr_loop_run_until_complete(second, task), HR_EWRONGLOOP);
    hr_loop_free(first);
    hr_loop_free(second);
    ASSERT_ERR(hr_lock_release(&shared), 0);
}
