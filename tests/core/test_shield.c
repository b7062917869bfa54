/* SPDX-License-Identifier: MIT */
/*
 * Shields and shielded scopes, semantics 7.
 */
#include "core/future_impl.h"
#include "core/task.h"
#include "core/timeout.h"
#include "tests/support/hrtest.h"

static int three(void *arg)
{
    int r = hr_sleep(hr_ms(10));
    return r < 0 ? r : 3;
}

static int fail_later(void *arg)
{
    int r = hr_sleep(hr_ms(10));
    return r < 0 ? r : hr_fail(-EIO, "too bad");
}

struct shielding {
    hr_future *inner; /* a reference that the shield takes */
    int result;
};

static int shield_it(void *arg)
{
    struct shielding *s = arg;
    s->result = hr_shield(s->inner);
    return s->result;
}

TEST(s7_1_a_shield_gives_the_outcome)
{
    ASSERT_ERR(hr_shield(hr_create_task("three", three, NULL)), 3);
    ASSERT_ERR(hr_shield(hr_create_task("loser", fail_later, NULL)), -EIO);
    ASSERT_STR(hr_error_message(-EIO), "too bad");
    ASSERT_PTR(test_report(), NULL);
}

TEST(s7_2_cancelling_the_waiter_leaves_the_inner_running)
{
    hr_auto(hr_future_unrefp) hr_task *inner = hr_create_task("three", three, NULL);
    struct shielding s = {hr_future_ref(inner)};
    hr_task *waiter = hr_create_task("waiter", shield_it, &s);
    test_passes(1);
    hr_task_cancel(waiter, NULL);
    ASSERT_ERR(hr_join(waiter), -ECANCELED);
    ASSERT_EQ(test_clock_now(), 0);
    ASSERT_FALSE(hr_future_done(inner));
    ASSERT_ERR(hr_await(inner), 3);
}

TEST(s7_3_cancelling_the_inner_cancels_the_shield)
{
    hr_auto(hr_future_unrefp) hr_task *inner = hr_create_task("three", three, NULL);
    struct shielding s = {hr_future_ref(inner)};
    hr_task *waiter = hr_create_task("waiter", shield_it, &s);
    test_passes(1);
    hr_task_cancel(inner, NULL);
    ASSERT_ERR(hr_await(waiter), -ECANCELED);
    ASSERT_EQ(hr_task_cancelling(waiter), 0);
    hr_future_unref(waiter);
}

TEST(s7_4_a_shield_of_something_done_does_not_suspend)
{
    hr_future *future = hr_future_new(NULL);
    hr_future_set_status(future, 5);
    hr_task_cancel(hr_current_task(), NULL); /* would be delivered at a suspension */
    ASSERT_ERR(hr_shield(future), 5);
    hr_task_uncancel(hr_current_task());
}

TEST(s7_5_an_inner_that_fails_after_its_shields_were_cancelled_is_reported_once)
{
    hr_task *inner = hr_create_task("loser", fail_later, NULL);
    struct shielding s[] = {{hr_future_ref(inner)}, {hr_future_ref(inner)}};
    hr_task *a = hr_create_task("a", shield_it, &s[0]);
    hr_task *b = hr_create_task("b", shield_it, &s[1]);
    hr_future_unref(inner);
    test_passes(1);
    hr_task_cancel(a, NULL);
    hr_task_cancel(b, NULL);
    ASSERT_ERR(hr_join(a), -ECANCELED);
    ASSERT_ERR(hr_join(b), -ECANCELED);
    ASSERT_ERR(hr_sleep(hr_ms(20)), 0);
    ASSERT_STR(test_report(), "loser: task failed and nobody read its error: too bad");
    ASSERT_PTR(test_report(), NULL);
}

TEST(s7_7_the_inner_lives_without_any_handle_and_succeeds_in_silence)
{
    struct shielding s = {hr_create_task("three", three, NULL)};
    hr_task *waiter = hr_create_task("waiter", shield_it, &s);
    test_passes(1);
    hr_task_cancel(waiter, NULL);
    ASSERT_ERR(hr_join(waiter), -ECANCELED);
    ASSERT_ERR(hr_sleep(hr_ms(20)), 0);
    ASSERT_PTR(test_report(), NULL);
}

TEST(s6_7_a_timeout_around_a_shield_leaves_the_inner_running)
{
    hr_auto(hr_future_unrefp) hr_task *inner = hr_create_task("three", three, NULL);
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(5)), 0);
    ASSERT_ERR(hr_timeout_leave(&limit, hr_shield(hr_future_ref(inner))), -ETIMEDOUT);
    ASSERT_FALSE(hr_future_done(inner));
    ASSERT_ERR(hr_await(inner), 3);
}

struct ending {
    bool interrupted;
};

static int sleep_long(void *arg)
{
    int r = hr_sleep(hr_seconds(3600));
    ((struct ending *)arg)->interrupted = r == -ECANCELED;
    return r;
}

static int leave_shielded(void *arg)
{
    static struct shielding s; /* outlives this frame */
    s.inner = hr_create_task("shielded", sleep_long, arg);
    int r = hr_spawn("waiter", shield_it, &s);
    return r < 0 ? r : hr_yield() < 0 ? -EPROTO : hr_yield();
}

TEST_PLAIN(s7_9_a_shield_does_not_protect_from_the_end_of_the_program)
{
    struct ending e = {0};
    ASSERT_ERR(hr_run(leave_shielded, &e), 0);
    ASSERT_TRUE(e.interrupted);
}

struct cleaning {
    int inside[2], after;
};

static int clean_up(void *arg)
{
    struct cleaning *c = arg;
    hr_shield_enter();
    hr_shield_enter();
    c->inside[0] = hr_sleep(hr_ms(10));
    hr_shield_leave();
    c->inside[1] = hr_sleep(hr_ms(10));
    hr_shield_leave();
    c->after = hr_sleep(hr_ms(10));
    return c->after;
}

TEST(s7_10_no_cancel_is_delivered_inside_a_shielded_scope_and_it_is_after)
{
    struct cleaning c = {.after = 1};
    hr_task *task = hr_create_task("cleaner", clean_up, &c);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_await(task), -ECANCELED);
    ASSERT_EQ(test_clock_now(), hr_ms(20));
    ASSERT_ERR(c.inside[0], 0);
    ASSERT_ERR(c.inside[1], 0);
    ASSERT_ERR(c.after, -ECANCELED);
    hr_future_unref(task);
}

static int await_in_shield(void *arg)
{
    hr_shield_enter();
    int r = hr_wait_for(hr_create_task("three", three, NULL), hr_ms(*(int *)arg));
    hr_shield_leave();
    return r;
}

TEST(s7_10_what_a_shielded_task_waits_for_is_not_cancelled_but_may_be_limited)
{
    int limit = 20;
    hr_task *task = hr_create_task("shielded", await_in_shield, &limit);
    test_passes(2);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_sleep(hr_ms(9)), 0);
    ASSERT_FALSE(hr_future_done(task));
    ASSERT_ERR(hr_join(task), -ECANCELED); /* at its end: 3.13 */
    ASSERT_EQ(test_clock_now(), hr_ms(10));

    limit = 5;
    ASSERT_ERR(hr_join(hr_create_task("shielded", await_in_shield, &limit)), -ETIMEDOUT);
}

static int shield_this(void *future)
{
    return hr_shield(hr_future_ref(future));
}

TEST(s7_6_shields_leave_nothing_on_the_inner)
{
    hr_future *inner = hr_future_new(NULL);
    for (int i = 0; i < 100; i++) {
        hr_task *shield = hr_create_task(NULL, shield_this, inner);
        test_passes(1);
        hr_task_cancel(shield, NULL);
        ASSERT_ERR(hr_join(shield), -ECANCELED);
    }
    ASSERT_TRUE(hr_list_empty(&inner->watches));
    ASSERT_FALSE(hr_future_done(inner));
    hr_future_unref(inner);
}

static int ignore_cancel(void *future)
{
    int r = hr_shield(hr_future_ref(future));
    if (r == -ECANCELED)
        r = hr_await(future);
    return r < 0 ? r : (int)hr_task_cancelling(hr_current_task());
}

TEST(s7_8_a_cancel_can_be_ignored_and_stays_counted)
{
    hr_future *inner = hr_future_new(NULL);
    hr_task *task = hr_create_task(NULL, ignore_cancel, inner);
    test_passes(1);
    hr_task_cancel(task, NULL);
    test_passes(1);
    ASSERT_FALSE(hr_future_done(inner));
    hr_future_set_status(inner, 0);
    ASSERT_ERR(hr_join(task), 1);
    hr_future_unref(inner);
}
