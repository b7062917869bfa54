/* SPDX-License-Identifier: MIT */
/*
 * wait_for and timeout scopes, semantics 6.
 */
#include "core/timeout.h"

#include "core/cancel_scope.h"
#include "core/event.h"
#include "core/task.h"
#include "tests/support/hrtest.h"

struct nap {
    hr_usec span;    /* sleeps so long */
    hr_usec cleanup; /* and so long again when cancelled */
    int swallow;     /* when cancelled, returns this instead, if it is not 0 */
    bool started, interrupted, finished;
};

static int nap(void *arg)
{
    struct nap *n = arg;
    n->started = true;
    int r = hr_sleep(n->span);
    if (r == -ECANCELED) {
        n->interrupted = true;
        int again = hr_sleep(n->cleanup);
        if (again < 0)
            return again;
        if (n->swallow)
            r = n->swallow < 0 ? hr_fail(n->swallow, "cleanup failed") : n->swallow;
    }
    n->finished = true;
    return r < 0 ? r : n->swallow;
}

static hr_task *napper(struct nap *n)
{
    return hr_create_task("nap", nap, n);
}

TEST(s6_1_wait_for_returns_the_value_of_an_inner_that_ends_in_time)
{
    struct nap n = {.span = hr_ms(5), .swallow = 42};
    ASSERT_ERR(hr_wait_for(napper(&n), hr_ms(50)), 42);
    ASSERT_EQ(test_clock_now(), hr_ms(5));
}

TEST(s6_2_on_timeout_the_inner_is_cancelled_and_awaited)
{
    struct nap n = {.span = hr_seconds(60), .cleanup = hr_ms(5)};
    ASSERT_ERR(hr_wait_for(napper(&n), hr_ms(50)), -ETIMEDOUT);
    ASSERT_TRUE(n.interrupted);
    ASSERT_TRUE(n.finished);
    ASSERT_EQ(test_clock_now(), hr_ms(55));
    ASSERT_STR(hr_error_message(-ETIMEDOUT), "not done after 0.050 s");
}

TEST(s6_3_an_inner_that_ends_with_a_value_or_an_error_all_the_same_wins)
{
    struct nap value = {.span = hr_seconds(60), .swallow = 7};
    ASSERT_ERR(hr_wait_for(napper(&value), hr_ms(50)), 7);
    struct nap error = {.span = hr_seconds(60), .swallow = -EIO};
    ASSERT_ERR(hr_wait_for(napper(&error), hr_ms(50)), -EIO);
    ASSERT_STR(hr_error_message(-EIO), "cleanup failed");
}

static void set_seven(void *future)
{
    hr_future_set_status(future, 7);
}

TEST(s6_4_an_inner_done_when_the_waiter_resumes_is_no_timeout)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    hr_call_later(hr_ms(10), set_seven, future); /* due in the same pass, ahead of the limit */
    test_passes(1);
    ASSERT_ERR(hr_wait_for(hr_future_ref(future), hr_ms(10)), 7);

    hr_auto(hr_future_unrefp) hr_future *done = hr_future_new(NULL);
    hr_future_set_status(done, 8);
    ASSERT_ERR(hr_wait_for(hr_future_ref(done), 0), 8);
    ASSERT_ERR(hr_wait_for(hr_future_ref(done), hr_ms(-5)), 8);
}

struct waiting {
    hr_future *inner;
    hr_usec limit;
    int result;
};

static int wait_for_it(void *arg)
{
    struct waiting *w = arg;
    w->result = hr_wait_for(w->inner, w->limit);
    return w->result;
}

TEST(s6_5_cancelling_the_waiter_cancels_the_inner_and_gives_cancelled)
{
    struct nap n = {.span = hr_seconds(60), .cleanup = hr_ms(100)};
    struct waiting w = {napper(&n), hr_ms(50)};
    hr_task *waiter = hr_create_task("waiter", wait_for_it, &w);
    ASSERT_ERR(hr_sleep(hr_ms(20)), 0);
    hr_task_cancel(waiter, NULL);
    ASSERT_ERR(hr_join(waiter), -ECANCELED); /* although the limit passed during the cleanup */
    ASSERT_TRUE(n.finished);
}

TEST(s6_5_a_cancel_is_not_swallowed_by_an_inner_that_completes)
{
    /* In the same slice, before and after the cancel. */
    for (int first = 0; first < 2; first++) {
        hr_future *future = hr_future_new(NULL);
        struct waiting w = {hr_future_ref(future), hr_ms(50)};
        hr_task *waiter = hr_create_task("waiter", wait_for_it, &w);
        test_passes(1);
        if (first)
            hr_future_set_status(future, 7);
        hr_task_cancel(waiter, NULL);
        hr_future_set_status(future, 7);
        ASSERT_ERR(hr_join(waiter), -ECANCELED);
        hr_future_unref(future);
    }
    /* One that swallows its own cancel. */
    struct nap n = {.span = hr_seconds(60), .swallow = 7};
    struct waiting w = {napper(&n), hr_seconds(1)};
    hr_task *waiter = hr_create_task("waiter", wait_for_it, &w);
    test_passes(2);
    hr_task_cancel(waiter, NULL);
    ASSERT_ERR(hr_join(waiter), -ECANCELED);
    ASSERT_TRUE(n.finished);
}

TEST(s6_6_no_limit_arms_no_timer)
{
    struct nap n = {.span = hr_seconds(3600), .swallow = 3};
    struct waiting w = {napper(&n), HR_FOREVER};
    hr_task *waiter = hr_create_task("waiter", wait_for_it, &w);
    test_passes(2);
    struct hr_loop_stats stats;
    hr_loop_get_stats(hr_running_loop(), &stats);
    ASSERT_EQ(stats.timers, 1); /* the nap's own */
    ASSERT_ERR(hr_join(waiter), 3);
}

TEST(s6_6_a_limit_of_nothing_never_starts_the_inner_and_ends_a_running_one)
{
    struct nap fresh = {.span = hr_seconds(1)};
    ASSERT_ERR(hr_wait_for(napper(&fresh), 0), -ETIMEDOUT);
    ASSERT_FALSE(fresh.started);

    struct nap running = {.span = hr_seconds(1), .cleanup = hr_ms(5)};
    hr_task *task = napper(&running);
    test_passes(1);
    ASSERT_ERR(hr_wait_for(task, hr_ms(-1)), -ETIMEDOUT);
    ASSERT_TRUE(running.finished);
    ASSERT_EQ(test_clock_now(), hr_ms(5));
}

TEST(s6_9_at_the_exit_of_an_expired_scope_cancelled_becomes_timeout)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(10)), 0);
    int r = hr_sleep(hr_seconds(60));
    ASSERT_ERR(r, -ECANCELED);
    ASSERT_STR(hr_error_message(r), "a limit of 0.010 s passed (hr_timeout_enter)");
    ASSERT_TRUE(hr_timeout_expired(&limit));
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 1);
    ASSERT_ERR(hr_timeout_leave(&limit, r), -ETIMEDOUT);
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(10));
    ASSERT_ERR(hr_sleep(hr_ms(10)), 0); /* 6.21 */
}

TEST(s6_10_only_the_scope_whose_deadline_passed_converts)
{
    struct hr_timeout outer = {0}, inner = {0};
    ASSERT_ERR(hr_timeout_enter(&outer, hr_ms(10)), 0);
    ASSERT_ERR(hr_timeout_enter(&inner, hr_ms(20)), 0);
    int r = hr_timeout_leave(&inner, hr_sleep(hr_seconds(1)));
    ASSERT_ERR(r, -ECANCELED);
    ASSERT_FALSE(hr_timeout_expired(&inner));
    ASSERT_ERR(hr_timeout_leave(&outer, r), -ETIMEDOUT);

    ASSERT_ERR(hr_timeout_enter(&outer, hr_ms(20)), 0);
    ASSERT_ERR(hr_timeout_enter(&inner, hr_ms(10)), 0);
    r = hr_timeout_leave(&inner, hr_sleep(hr_seconds(1)));
    ASSERT_ERR(r, -ETIMEDOUT);
    ASSERT_FALSE(hr_timeout_expired(&outer));
    ASSERT_ERR(hr_timeout_leave(&outer, 0), 0);
}

TEST(s6_11_leaving_in_time_disarms_the_timer)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(10)), 0);
    ASSERT_ERR(hr_timeout_leave(&limit, hr_sleep(hr_ms(5))), 0);
    struct hr_loop_stats stats;
    hr_loop_get_stats(hr_running_loop(), &stats);
    ASSERT_EQ(stats.timers, 0);
    ASSERT_ERR(hr_sleep(hr_ms(50)), 0);
}

TEST(s6_12_another_error_passes_with_the_timeout_among_its_causes)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(10)), 0);
    int r = hr_sleep(hr_seconds(1));
    if (r < 0)
        r = hr_fail_because(-EIO, "half written");
    ASSERT_ERR(hr_timeout_leave(&limit, r), -EIO);
    const struct hr_error *error = hr_last_error();
    ASSERT_STR(error->message, "half written");
    while (error->cause)
        error = error->cause;
    ASSERT_ERR(error->code, -ETIMEDOUT);
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 0);
}

struct scoped {
    struct hr_timeout limit;
    hr_usec span, cleanup;
    int inside, result;
    unsigned cancelling;
};

static int in_scope(void *arg)
{
    struct scoped *s = arg;
    int r = hr_timeout_enter(&s->limit, s->span);
    if (r < 0)
        return r;
    s->inside = hr_sleep(hr_seconds(60));
    if (s->inside < 0 && s->cleanup > 0)
        s->inside = hr_sleep(s->cleanup) < 0 ? -ECANCELED : s->inside;
    s->result = hr_timeout_leave(&s->limit, s->inside);
    s->cancelling = hr_task_cancelling(hr_current_task());
    return s->result;
}

TEST(s6_13_a_foreign_cancel_inside_the_scope_stays_cancelled)
{
    struct scoped s = {.span = hr_ms(10)};
    hr_task *task = hr_create_task("scoped", in_scope, &s);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_EQ(s.cancelling, 1); /* 6.20 */
    ASSERT_FALSE(hr_timeout_expired(&s.limit));
}

TEST(s6_14_a_foreign_cancel_between_expiry_and_exit_gives_cancelled)
{
    struct scoped s = {.span = hr_ms(10), .cleanup = hr_ms(10)};
    hr_task *task = hr_create_task("scoped", in_scope, &s);
    ASSERT_ERR(hr_sleep(hr_ms(15)), 0);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_TRUE(hr_timeout_expired(&s.limit));
    ASSERT_EQ(s.cancelling, 1); /* 6.20: the foreign one, and nothing else */
}

TEST(s6_14_a_foreign_cancel_in_the_slice_of_the_expiry_gives_cancelled)
{
    struct scoped s = {.span = hr_ms(10)};
    hr_task *task = hr_create_task("scoped", in_scope, &s);
    ASSERT_ERR(hr_sleep_until(hr_ms(10)), 0); /* armed first, so it resumes first */
    ASSERT_TRUE(hr_timeout_expired(&s.limit));
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_EQ(s.cancelling, 1);
}

TEST(s6_15_reschedule_moves_the_deadline)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(10)), 0);
    ASSERT_EQ(limit.deadline, hr_ms(10));
    ASSERT_ERR(hr_timeout_reschedule(&limit, hr_ms(30)), 0);
    ASSERT_EQ(limit.deadline, hr_ms(30));
    ASSERT_ERR(hr_sleep(hr_ms(20)), 0);
    ASSERT_ERR(hr_timeout_reschedule(&limit, HR_FOREVER), 0);
    ASSERT_ERR(hr_sleep(hr_ms(100)), 0);
    ASSERT_ERR(hr_timeout_reschedule(&limit, hr_ms(-5)), 0);
    ASSERT_ERR(hr_timeout_leave(&limit, hr_sleep(hr_ms(100))), -ETIMEDOUT);
    ASSERT_EQ(test_clock_now(), hr_ms(120));
}

static void enter_outside(void *arg)
{
    struct hr_timeout limit = {0};
    *(int *)arg = hr_timeout_enter(&limit, hr_ms(1));
}

TEST(s6_16_misuse_is_refused)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_reschedule(&limit, hr_ms(5)), HR_EINVALIDSTATE);
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(10)), 0);
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(10)), -EBUSY);
    int r = hr_sleep(hr_ms(50));
    ASSERT_ERR(hr_timeout_reschedule(&limit, hr_ms(5)), HR_EINVALIDSTATE);
    ASSERT_ERR(hr_timeout_leave(&limit, r), -ETIMEDOUT);
    ASSERT_ERR(hr_timeout_reschedule(&limit, hr_ms(5)), HR_EINVALIDSTATE);

    int outside = 0;
    hr_call_soon(enter_outside, &outside);
    test_passes(2);
    ASSERT_ERR(outside, HR_ENOTASK);
}

static int leave_it(void *arg)
{
    return hr_timeout_leave(arg, 0);
}

TEST(s6_16_leaving_from_another_task_is_refused)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(10)), 0);
    ASSERT_ERR(hr_join(hr_create_task("stranger", leave_it, &limit)), -EINVAL);
    ASSERT_ERR(hr_timeout_leave(&limit, hr_sleep(hr_ms(50))), -ETIMEDOUT);
}

TEST(s6_17_a_deadline_in_the_past_fires_at_the_first_suspension)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, 0), 0);
    ASSERT_ERR(hr_timeout_leave(&limit, hr_yield()), -ETIMEDOUT);
    ASSERT_EQ(test_clock_now(), 0);
    ASSERT_ERR(hr_yield(), 0);
}

TEST(s6_18_a_body_that_never_suspends_is_never_timed_out)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(5)), 0);
    test_clock_advance(hr_seconds(1));
    ASSERT_ERR(hr_timeout_leave(&limit, 9), 9);
    ASSERT_ERR(hr_timeout_enter(&limit, 0), 0);
    ASSERT_ERR(hr_timeout_leave(&limit, 9), 9);
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 0);
    ASSERT_ERR(hr_yield(), 0);
}

TEST(s6_19_of_equal_deadlines_the_outermost_wins)
{
    struct hr_timeout limits[3] = {0};
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_timeout_enter(&limits[i], hr_ms(10)), 0);
    int r = hr_sleep(hr_seconds(1));
    r = hr_timeout_leave(&limits[2], r);
    ASSERT_ERR(r, -ECANCELED);
    r = hr_timeout_leave(&limits[1], r);
    ASSERT_ERR(r, -ECANCELED);
    ASSERT_ERR(hr_timeout_leave(&limits[0], r), -ETIMEDOUT);
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 0);
    ASSERT_ERR(hr_yield(), 0);
}

static int limited_cleanup(void *arg)
{
    int r = hr_sleep(hr_seconds(60)); /* interrupted by the test */
    struct hr_timeout limit = {0};
    (void)hr_timeout_enter(&limit, *(hr_usec *)arg);
    int cleanup = hr_timeout_leave(&limit, hr_sleep(hr_ms(100)));
    if (cleanup != -ETIMEDOUT || hr_task_cancelling(hr_current_task()) != 1)
        return hr_fail(-EPROTO, "%s, %u outstanding", hr_error_name(cleanup),
                       hr_task_cancelling(hr_current_task()));
    cleanup = hr_sleep(hr_ms(1));
    return cleanup < 0 ? hr_fail(-EPROTO, "a cancel came too late") : r;
}

TEST(s6_20_a_scope_in_the_cleanup_of_a_cancelled_task_takes_back_its_own_request_only)
{
    for (hr_usec limit = 0; limit <= hr_ms(10); limit += hr_ms(10)) {
        hr_task *task = hr_create_task("cleaner", limited_cleanup, &limit);
        test_passes(1);
        hr_task_cancel(task, NULL);
        ASSERT_ERR(hr_join(task), -ECANCELED);
    }
}

static int idle_scope(void *arg)
{
    int r = hr_sleep(hr_seconds(60)); /* interrupted by the test */
    struct hr_timeout limit = {0};
    (void)hr_timeout_enter(&limit, 0);
    if (hr_timeout_leave(&limit, 0) != 0 || hr_sleep(hr_ms(1)) != 0)
        return hr_fail(-EPROTO, "the scope's request outlived it");
    return r;
}

TEST(s6_20_an_undelivered_request_of_a_scope_goes_away_with_it)
{
    hr_task *task = hr_create_task("cleaner", idle_scope, NULL);
    test_passes(1);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
}

TEST(s6_13_a_cancel_pending_at_entry_is_foreign)
{
    hr_task_cancel(hr_current_task(), NULL);
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, 0), 0);
    ASSERT_ERR(hr_timeout_leave(&limit, hr_sleep(hr_ms(10))), -ECANCELED);
    ASSERT_EQ(hr_task_uncancel(hr_current_task()), 0);
}

static int enter_by_moment(void *scope)
{
    int r = hr_timeout_enter_at(scope, hr_ms(7));
    return r < 0 ? r : hr_timeout_leave(scope, hr_sleep(hr_seconds(1)));
}

TEST(s6_8_a_scope_has_a_span_a_moment_or_no_limit_and_one_task)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_join(hr_create_task(NULL, enter_by_moment, &limit)), -ETIMEDOUT);
    ASSERT_EQ(test_clock_now(), hr_ms(7));
    ASSERT_ERR(hr_timeout_enter(&limit, HR_FOREVER), 0);
    ASSERT_EQ(hr_timeout_when(&limit), HR_FOREVER);
    ASSERT_ERR(hr_sleep(hr_seconds(3600)), 0);
    ASSERT_ERR(hr_timeout_leave(&limit, 4), 4);
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(2)), 0);
    ASSERT_EQ(hr_timeout_when(&limit), test_clock_now() + hr_ms(2));
    ASSERT_ERR(hr_join(hr_create_task("stranger", leave_it, &limit)), -EINVAL);
    ASSERT_ERR(hr_timeout_leave(&limit, 0), 0);
    ASSERT_ERR(hr_join(hr_create_task(NULL, enter_by_moment, &limit)), -ETIMEDOUT); /* long past */
}

TEST(s6_21_code_after_the_scope_feels_nothing_of_it)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(1)), 0);
    ASSERT_ERR(hr_timeout_leave(&limit, hr_sleep(hr_ms(5))), -ETIMEDOUT);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(1)), 0);
    test_clock_advance(hr_ms(5)); /* it expires while nothing is waited for */
    hr_call_soon(enter_outside, &(int){0});
    ASSERT_ERR(hr_timeout_leave(&limit, 0), 0);
    ASSERT_ERR(hr_yield(), 0);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
}

TEST(s6_22_moving_on_is_no_error)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(3)), 0);
    ASSERT_ERR(hr_timeout_move_on(&limit, hr_sleep(hr_seconds(1))), 0);
    ASSERT_TRUE(hr_timeout_expired(&limit));
    ASSERT_EQ(test_clock_now(), hr_ms(3));

    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(3)), 0);
    ASSERT_ERR(hr_timeout_move_on(&limit, 8), 8);
    ASSERT_FALSE(hr_timeout_expired(&limit));

    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(3)), 0);
    ASSERT_ERR(hr_sleep(hr_seconds(1)), -ECANCELED);
    ASSERT_ERR(hr_timeout_move_on(&limit, hr_fail(-EIO, "no luck")), -EIO);

    /* A timeout inside that is not the scope's own, and a foreign cancel, come out. */
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(3)), 0);
    ASSERT_ERR(hr_timeout_move_on(&limit, hr_fail(-ETIMEDOUT, "theirs")), -ETIMEDOUT);
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(3)), 0);
    hr_task_cancel(hr_current_task(), NULL);
    ASSERT_ERR(hr_timeout_move_on(&limit, hr_sleep(hr_seconds(1))), -ECANCELED);
    ASSERT_EQ(hr_task_uncancel(hr_current_task()), 0);
}

static void cancel_scope_now(void *scope)
{
    ASSERT_ERR(hr_timeout_cancel(scope), 0);
}

TEST(s6_23_a_scope_cancelled_by_hand_acts_as_if_its_deadline_had_come)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_cancel(&limit), HR_EINVALIDSTATE);
    ASSERT_ERR(hr_timeout_enter(&limit, HR_FOREVER), 0);
    hr_call_later(hr_ms(4), cancel_scope_now, &limit);
    ASSERT_ERR(hr_timeout_leave(&limit, hr_sleep(hr_seconds(1))), -ETIMEDOUT);
    ASSERT_STR(hr_last_error()->message, "not done after 0.004 s");
    ASSERT_TRUE(hr_timeout_expired(&limit));
    ASSERT_EQ(test_clock_now(), hr_ms(4));
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 0);

    ASSERT_ERR(hr_timeout_enter(&limit, hr_seconds(9)), 0);
    ASSERT_ERR(hr_timeout_cancel(&limit), 0);
    ASSERT_ERR(hr_timeout_cancel(&limit), HR_EINVALIDSTATE);
    ASSERT_ERR(hr_timeout_leave(&limit, 3), 3); /* left before anything was waited for */
    ASSERT_ERR(hr_yield(), 0);
}

static int clean_up_slowly(void *arg)
{
    int r = hr_sleep(hr_seconds(60));
    *(int *)arg = hr_sleep(hr_ms(10)); /* cleaning up */
    return r;
}

struct limited {
    int cleanup;
    hr_usec limit;
};

static int wait_for_slow_one(void *arg)
{
    struct limited *limited = arg;
    return hr_wait_for(hr_create_task("slow", clean_up_slowly, &limited->cleanup), limited->limit);
}

TEST(s6_2_s6_5_a_cancel_of_the_waiter_after_the_limit_is_a_cancel_and_reaches_the_inner)
{
    struct limited limited = {.limit = hr_ms(5)};
    hr_task *waiter = hr_create_task("waiter", wait_for_slow_one, &limited);
    ASSERT_ERR(hr_sleep(hr_ms(8)), 0);
    ASSERT_TRUE(hr_task_cancel(waiter, NULL));
    ASSERT_ERR(hr_join(waiter), -ECANCELED);
    ASSERT_ERR(limited.cleanup, -ECANCELED);
    ASSERT_EQ(test_clock_now(), hr_ms(8));
}

TEST(s6_5_each_cancel_of_the_waiter_goes_on_to_the_inner)
{
    struct limited limited = {.limit = hr_seconds(5)};
    hr_task *waiter = hr_create_task("waiter", wait_for_slow_one, &limited);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_TRUE(hr_task_cancel(waiter, NULL));
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_TRUE(hr_task_cancel(waiter, NULL));
    ASSERT_ERR(hr_join(waiter), -ECANCELED);
    ASSERT_ERR(limited.cleanup, -ECANCELED);
    ASSERT_EQ(test_clock_now(), hr_ms(2));
}

static int end_cancelled(void *arg)
{
    hr_task_cancel(hr_current_task(), "by itself");
    return hr_yield();
}

TEST(s6_4_an_inner_that_is_cancelled_in_time_is_no_timeout)
{
    ASSERT_ERR(hr_wait_for(hr_create_task("inner", end_cancelled, NULL), hr_ms(5)), -ECANCELED);
}

/* Returns out of the middle of a scope, of this kind and with this code. */
static int hurry(int kind, int code)
{
    hr_auto(hr_timeout_done) struct hr_timeout limit = {0};
    hr_auto(hr_cancel_scope_done) struct hr_cancel_scope scope = {0};
    hr_auto(hr_shield_done) bool shielded = false;
    if (kind == 0)
        ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(5)), 0);
    else if (kind == 1)
        ASSERT_ERR(hr_cancel_scope_enter(&scope, hr_ms(5)), 0);
    else
        hr_shield_hold(&shielded);
    return code < 0 ? hr_fail(code, "in a hurry") : code;
}

TEST(s17_16_a_scope_is_left_by_its_cleanup)
{
    for (int kind = 0; kind < 3; kind++) {
        ASSERT_ERR(hurry(kind, 7), 7);
        ASSERT_ERR(hurry(kind, -ENOENT), -ENOENT);
        ASSERT_STR(hr_last_error()->message, "in a hurry");
        ASSERT_ERR(hr_sleep(hr_ms(20)), 0); /* none of them is there to fire */
    }
    hr_task_cancel(hr_current_task(), NULL);
    ASSERT_ERR(hr_yield(), -ECANCELED); /* nor a shield */
    hr_task_uncancel(hr_current_task());
}

TEST(s17_16_a_cleanup_takes_the_request_of_its_limit_back)
{
    {
        hr_auto(hr_timeout_done) struct hr_timeout limit = {0};
        ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(5)), 0);
        ASSERT_ERR(hr_sleep(hr_ms(10)), -ECANCELED);
    }
    ASSERT_EQ(hr_task_cancelling(hr_current_task()), 0);
    {
        hr_auto(hr_timeout_done) struct hr_timeout left = {0};
        ASSERT_ERR(hr_timeout_enter(&left, hr_ms(5)), 0);
        ASSERT_ERR(hr_timeout_leave(&left, hr_sleep(hr_ms(10))), -ETIMEDOUT);
    }
    ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
}
