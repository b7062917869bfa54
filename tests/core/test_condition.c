/* SPDX-License-Identifier: MIT */
/*
 * Conditions, semantics 15.5 to 15.10.
 */
#include "core/condition.h"

#include "core/task.h"
#include "core/timeout.h"
#include "tests/support/hrtest.h"

struct desk {
    hr_lock lock;
    hr_condition condition;
    char order[8];
    int served;
};

struct client {
    struct desk *desk;
    char name;
    int result;
    bool held;
};

static void desk_open(struct desk *desk)
{
    *desk = (struct desk){0};
    hr_lock_init(&desk->lock);
    hr_condition_init(&desk->condition, &desk->lock);
}

static void desk_close(struct desk *desk)
{
    ASSERT_FALSE(desk->lock.locked);
    hr_condition_done(&desk->condition);
    hr_lock_done(&desk->lock);
}

static int wait_at(void *arg)
{
    struct client *c = arg;
    int r = hr_lock_acquire(&c->desk->lock);
    if (r < 0)
        return r;
    c->result = hr_condition_wait(&c->desk->condition);
    c->held = c->desk->lock.locked;
    if (c->result == 0)
        c->desk->order[c->desk->served++] = c->name;
    hr_lock_release(&c->desk->lock);
    return c->result;
}

static void notify(struct desk *desk, unsigned n)
{
    ASSERT_ERR(hr_lock_acquire(&desk->lock), 0);
    ASSERT_ERR(hr_condition_notify(&desk->condition, n), 0);
    hr_lock_release(&desk->lock);
}

TEST(s15_5_a_wait_needs_the_lock_gives_it_up_and_takes_it_again)
{
    struct desk desk;
    desk_open(&desk);
    ASSERT_ERR(hr_condition_wait(&desk.condition), -EINVAL);
    struct client c = {&desk, 'c'};
    hr_task *task = hr_create_task("client", wait_at, &c);
    test_passes(1);
    ASSERT_FALSE(desk.lock.locked);
    notify(&desk, 1);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_TRUE(c.held);
    desk_close(&desk);
}

TEST(s15_5_a_cancelled_wait_holds_the_lock_again)
{
    struct desk desk;
    desk_open(&desk);
    struct client c = {&desk, 'c'};
    hr_task *task = hr_create_task("client", wait_at, &c);
    test_passes(1);
    ASSERT_ERR(hr_lock_acquire(&desk.lock), 0);
    hr_task_cancel(task, NULL);
    test_passes(3);
    ASSERT_FALSE(hr_future_done(task)); /* it cannot return without the lock */
    hr_task_cancel(task, NULL);         /* however often it is asked */
    test_passes(3);
    ASSERT_FALSE(hr_future_done(task));
    hr_lock_release(&desk.lock);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_TRUE(c.held);
    desk_close(&desk);
}

TEST(s15_5_a_wait_that_timed_out_holds_the_lock_again)
{
    struct desk desk;
    desk_open(&desk);
    ASSERT_ERR(hr_lock_acquire(&desk.lock), 0);
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(5)), 0);
    int r = hr_condition_wait(&desk.condition);
    ASSERT_ERR(hr_timeout_leave(&limit, r), -ETIMEDOUT);
    ASSERT_TRUE(desk.lock.locked);
    hr_lock_release(&desk.lock);
    desk_close(&desk);
}

TEST(s15_6_notify_wakes_up_to_n_waiters_in_order)
{
    struct desk desk;
    desk_open(&desk);
    struct client c[] = {
        {&desk, 'a'},
        {&desk, 'b'},
        {&desk, 'c'}
    };
    hr_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = hr_create_task(NULL, wait_at, &c[i]);
    test_passes(1);
    ASSERT_ERR(hr_condition_notify(&desk.condition, 1), -EINVAL);
    notify(&desk, 2);
    test_passes(4);
    ASSERT_STR(desk.order, "ab");
    notify(&desk, UINT_MAX);
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    ASSERT_STR(desk.order, "abc");
    desk_close(&desk);
}

TEST(s15_6_a_notified_task_returns_only_with_the_lock)
{
    struct desk desk;
    desk_open(&desk);
    struct client c = {&desk, 'c'};
    hr_task *task = hr_create_task("client", wait_at, &c);
    test_passes(1);
    ASSERT_ERR(hr_lock_acquire(&desk.lock), 0);
    ASSERT_ERR(hr_condition_notify(&desk.condition, 1), 0);
    test_passes(3);
    ASSERT_EQ(desk.served, 0);
    hr_lock_release(&desk.lock);
    ASSERT_ERR(hr_join(task), 0);
    desk_close(&desk);
}

TEST(s15_7_the_notification_of_a_cancelled_task_goes_to_the_next)
{
    struct desk desk;
    desk_open(&desk);
    struct client a = {&desk, 'a'}, b = {&desk, 'b'};
    hr_task *first = hr_create_task("first", wait_at, &a);
    hr_task *second = hr_create_task("second", wait_at, &b);
    test_passes(1);
    notify(&desk, 1);
    hr_task_cancel(first, NULL);
    ASSERT_ERR(hr_join(first), -ECANCELED);
    ASSERT_ERR(hr_join(second), 0);
    ASSERT_STR(desk.order, "b");
    desk_close(&desk);
}

TEST(s15_7_a_task_cancelled_on_its_way_to_the_lock_passes_the_notification_on)
{
    struct desk desk;
    desk_open(&desk);
    struct client a = {&desk, 'a'}, b = {&desk, 'b'};
    hr_task *first = hr_create_task("first", wait_at, &a);
    hr_task *second = hr_create_task("second", wait_at, &b);
    test_passes(1);
    ASSERT_ERR(hr_lock_acquire(&desk.lock), 0);
    ASSERT_ERR(hr_condition_notify(&desk.condition, 1), 0);
    test_passes(2); /* first waits for the lock by now */
    hr_task_cancel(first, NULL);
    test_passes(2);
    hr_lock_release(&desk.lock);
    ASSERT_ERR(hr_join(first), -ECANCELED);
    ASSERT_ERR(hr_join(second), 0);
    desk_close(&desk);
}

TEST(s15_9_a_notify_with_nobody_waiting_has_no_later_effect)
{
    struct desk desk;
    desk_open(&desk);
    notify(&desk, 1);
    struct client c = {&desk, 'c'};
    hr_task *task = hr_create_task("client", wait_at, &c);
    test_passes(4);
    ASSERT_EQ(desk.served, 0);
    notify(&desk, 1);
    ASSERT_ERR(hr_join(task), 0);
    desk_close(&desk);
}

TEST(s15_10_two_conditions_may_share_a_lock)
{
    struct desk desk, other;
    desk_open(&desk);
    desk_open(&other);
    hr_condition_init(&other.condition, &desk.lock);
    struct client c = {&desk, 'c'};
    hr_task *task = hr_create_task("client", wait_at, &c);
    test_passes(1);
    notify(&desk, 0);
    ASSERT_ERR(hr_lock_acquire(&desk.lock), 0);
    ASSERT_ERR(hr_condition_notify(&other.condition, UINT_MAX), 0);
    hr_lock_release(&desk.lock);
    test_passes(3);
    ASSERT_EQ(desk.served, 0);
    notify(&desk, 1);
    ASSERT_ERR(hr_join(task), 0);
    desk_close(&desk);
    desk_close(&other);
}

static bool is_set(void *arg)
{
    return *(bool *)arg;
}

struct predicate {
    hr_condition *condition;
    bool *holds;
};

static int wait_until_set(void *arg)
{
    struct predicate *p = arg;
    int r = hr_lock_acquire(p->condition->lock);
    if (r < 0)
        return r;
    r = hr_condition_wait_until(p->condition, is_set, p->holds);
    hr_lock_release(p->condition->lock);
    return r;
}

TEST(s15_7_s15_8_waiting_for_a_predicate_looks_first_and_after_each_wake_up)
{
    hr_lock lock;
    hr_condition condition;
    bool holds = true;
    hr_lock_init(&lock);
    hr_condition_init(&condition, &lock);
    ASSERT_ERR(hr_condition_wait_until(&condition, is_set, &holds), -EINVAL);
    ASSERT_ERR(hr_lock_acquire(&lock), 0);
    ASSERT_ERR(hr_condition_wait_until(&condition, is_set, &holds), 0); /* does not wait */
    hr_lock_release(&lock);

    holds = false;
    hr_task *task = hr_create_task(NULL, wait_until_set, &(struct predicate){&condition, &holds});
    test_passes(1);
    for (int i = 0; i < 3; i++) {
        ASSERT_ERR(hr_lock_acquire(&lock), 0);
        holds = i == 2;
        ASSERT_ERR(hr_condition_notify(&condition, 1), 0);
        hr_lock_release(&lock);
        test_passes(3);
        ASSERT_EQ(hr_future_done(task), i == 2);
    }
    ASSERT_ERR(hr_join(task), 0);
}

static hr_lock shared_lock;
static hr_condition shared;

static int take_shared(void *arg)
{
    hr_auto(hr_lock_releasep) hr_lock *held = NULL;
    return hr_lock_hold(&shared_lock, &held);
}

static int wait_at_shared(void *arg)
{
    int r = hr_condition_wait(&shared);
    ASSERT_TRUE(shared_lock.locked);
    return r;
}

/* A task of the first loop is in line for the lock when one of the second wants to give it up. */
TEST_PLAIN(s14_15_s15_5_a_wait_that_could_not_get_its_lock_back_is_refused)
{
    hr_lock_init(&shared_lock);
    hr_condition_init(&shared, &shared_lock);
    hr_loop *first = hr_loop_new(NULL), *second = hr_loop_new(NULL);
    struct hr_task_options options = {.loop = first};
    ASSERT_ERR(hr_lock_try(&shared_lock), 0);
    hr_task *in_line = hr_create_task_with(&options, take_shared, NULL);
    hr_loop_stop(first);
    ASSERT_ERR(hr_loop_run_forever(first), 0);
    options.loop = second;
    hr_task *task = hr_create_task_with(&options, wait_at_shared, NULL);
    ASSERT_ERR(hr_loop_run_until_complete(second, task), HR_EWRONGLOOP);
    ASSERT_ERR(hr_lock_release(&shared_lock), 0);
    ASSERT_ERR(hr_loop_run_until_complete(first, in_line), 0);
    ASSERT_FALSE(shared_lock.locked);
    hr_loop_free(first);
    hr_loop_free(second);
}
