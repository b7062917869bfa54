/* SPDX-License-Identifier: MIT */
/*
 * As completed, semantics 8.
 */
#include "core/as_completed.h"

#include <string.h>

#include "core/timeout.h"
#include "tests/support/hrtest.h"

static int nap(void *ms)
{
    int r = hr_sleep(hr_ms((intptr_t)ms));
    return r < 0 ? r : (int)(intptr_t)ms;
}

static int fails(void *arg)
{
    return hr_fail(-EIO, "no luck");
}

static void add_naps(struct hr_futures *futures, const int *ms, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hr_futures_add(futures, hr_create_task(NULL, nap, (void *)(intptr_t)ms[i]));
}

TEST(s8_1_s8_2_s8_3_s8_4_members_come_when_they_are_done)
{
    hr_auto(hr_futures_done) struct hr_futures naps = {0};
    add_naps(&naps, (int[]){4000, 1000, 2000}, 3);
    hr_auto(hr_as_completed_freep) hr_as_completed *done =
        hr_as_completed_new(&naps, HR_FOREVER, 0);
    const size_t order[] = {1, 2, 0};
    hr_future *next;
    for (size_t i = 0; i < 3; i++) {
        ASSERT_ERR(hr_as_completed_next(done, &next), 0);
        ASSERT_PTR(next, naps.items[order[i]]);
        ASSERT_EQ(test_clock_now(), hr_ms(hr_future_status(next)));
    }
    ASSERT_ERR(hr_as_completed_next(done, &next), HR_EEND);
    ASSERT_ERR(hr_as_completed_next(done, &next), HR_EEND);
    ASSERT_EQ(test_clock_now(), hr_ms(4000));
}

TEST(s8_1_members_of_one_slice_come_in_order_of_completion)
{
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 3; i++)
        hr_futures_add(&all, hr_future_new(NULL));
    hr_auto(hr_as_completed_freep) hr_as_completed *done = hr_as_completed_new(&all, HR_FOREVER, 0);
    hr_future_set_status(all.items[2], 0);
    hr_future_set_status(all.items[0], 0);
    hr_future_cancel(all.items[1], NULL);
    hr_future *next[3];
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_as_completed_next(done, &next[i]), 0);
    ASSERT_PTR(next[0], all.items[2]);
    ASSERT_PTR(next[1], all.items[0]);
    ASSERT_PTR(next[2], all.items[1]);
}

TEST(s8_3_a_member_given_twice_comes_once_and_nobody_is_the_end_at_once)
{
    hr_auto(hr_futures_done) struct hr_futures twice = {0}, none = {0};
    hr_futures_add(&twice, hr_future_new(NULL));
    hr_futures_add(&twice, hr_future_ref(twice.items[0]));
    hr_future_set_status(twice.items[0], 3);
    hr_as_completed *done = hr_as_completed_new(&twice, HR_FOREVER, 0);
    hr_future *next;
    ASSERT_ERR(hr_as_completed_next(done, &next), 0);
    ASSERT_ERR(hr_as_completed_next(done, &next), HR_EEND);
    hr_as_completed_free(done);
    done = hr_as_completed_new(&none, hr_ms(1), 0);
    ASSERT_ERR(hr_as_completed_next(done, &next), HR_EEND);
    hr_as_completed_free(done);
}

TEST(s8_5_the_step_that_meets_the_limit_and_later_ones_time_out)
{
    hr_auto(hr_futures_done) struct hr_futures naps = {0};
    add_naps(&naps, (int[]){10, 30, 20}, 3);
    hr_auto(hr_as_completed_freep) hr_as_completed *done = hr_as_completed_new(&naps, hr_ms(25), 0);
    ASSERT_ERR(hr_sleep(hr_ms(15)), 0);
    hr_future *next;
    ASSERT_ERR(hr_as_completed_next(done, &next), 0);
    ASSERT_ERR(hr_as_completed_next(done, &next), 0);
    ASSERT_ERR(hr_as_completed_next(done, &next), -ETIMEDOUT);
    ASSERT_EQ(test_clock_now(), hr_ms(25));
    ASSERT_ERR(hr_as_completed_next(done, &next), -ETIMEDOUT);
    ASSERT_FALSE(hr_future_done(naps.items[1]));
    ASSERT_ERR(hr_await(naps.items[1]), 30); /* not cancelled */
    ASSERT_ERR(hr_as_completed_next(done, &next), -ETIMEDOUT);
}

TEST(s8_5_what_was_done_before_the_limit_is_given_out_first)
{
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    hr_futures_add(&all, hr_future_new(NULL));
    hr_futures_add(&all, hr_future_new(NULL));
    hr_future_set_status(all.items[1], 0);
    hr_auto(hr_as_completed_freep) hr_as_completed *done = hr_as_completed_new(&all, 0, 0);
    hr_future *next;
    ASSERT_ERR(hr_as_completed_next(done, &next), 0);
    ASSERT_PTR(next, all.items[1]);
    hr_future_set_status(all.items[0], 0); /* too late: it was looked at before */
    ASSERT_ERR(hr_as_completed_next(done, &next), -ETIMEDOUT);
}

TEST(s8_6_a_limit_that_was_not_needed_leaves_no_timer)
{
    hr_auto(hr_futures_done) struct hr_futures naps = {0};
    add_naps(&naps, (int[]){1}, 1);
    hr_as_completed *done = hr_as_completed_new(&naps, hr_seconds(9), 0);
    hr_future *next;
    ASSERT_ERR(hr_as_completed_next(done, &next), 0);
    struct hr_loop_stats stats;
    hr_loop_get_stats(hr_running_loop(), &stats);
    ASSERT_EQ(stats.timers, 0);
    hr_as_completed_free(done);
}

TEST(s8_7_it_can_be_left_and_gone_on_with_and_freed_at_any_time)
{
    hr_auto(hr_futures_done) struct hr_futures naps = {0};
    add_naps(&naps, (int[]){1, 2, 3}, 3);
    hr_as_completed *done = hr_as_completed_new(&naps, hr_seconds(9), 0);
    hr_future *next;
    ASSERT_ERR(hr_as_completed_next(done, &next), 0);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_ERR(hr_as_completed_next(done, &next), 0);
    ASSERT_PTR(next, naps.items[1]);
    hr_as_completed_free(done);

    hr_future *plain = hr_future_new(NULL);
    hr_futures_add(&naps, plain);
    done = hr_as_completed_new(&naps, HR_FOREVER, 0);
    hr_as_completed_free(done);
    hr_future_set_status(plain, 0); /* touches nothing that was freed */
}

struct stepper {
    hr_as_completed *done;
    hr_future *got;
};

static int step(void *arg)
{
    struct stepper *stepper = arg;
    return hr_as_completed_next(stepper->done, &stepper->got);
}

TEST(s8_8_a_cancelled_step_takes_no_completion)
{
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    hr_futures_add(&all, hr_future_new(NULL));
    struct stepper first = {hr_as_completed_new(&all, HR_FOREVER, 0), NULL}, second = first;
    hr_task *a = hr_create_task("a", step, &first);
    hr_task *b = hr_create_task("b", step, &second);
    test_passes(1);
    hr_future_set_status(all.items[0], 0); /* a is called */
    hr_task_cancel(a, NULL);
    ASSERT_ERR(hr_join(a), -ECANCELED);
    ASSERT_PTR(first.got, NULL);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_PTR(second.got, all.items[0]);
    hr_as_completed_free(first.done);
}

TEST(s8_9_completions_go_to_several_steppers_in_order_of_asking)
{
    hr_auto(hr_futures_done) struct hr_futures naps = {0};
    add_naps(&naps, (int[]){20, 10}, 2);
    hr_as_completed *done = hr_as_completed_new(&naps, HR_FOREVER, 0);
    struct stepper steppers[3] = {
        {done, NULL},
        {done, NULL},
        {done, NULL}
    };
    hr_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = hr_create_task(NULL, step, &steppers[i]);
    ASSERT_ERR(hr_join(tasks[0]), 0);
    ASSERT_ERR(hr_join(tasks[1]), 0);
    ASSERT_ERR(hr_join(tasks[2]), HR_EEND);
    ASSERT_PTR(steppers[0].got, naps.items[1]);
    ASSERT_PTR(steppers[1].got, naps.items[0]);
    hr_as_completed_free(done);
}

TEST(s8_7_a_step_meanwhile_learns_that_it_was_freed)
{
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    hr_futures_add(&all, hr_future_new(NULL));
    struct stepper stepper = {hr_as_completed_new(&all, HR_FOREVER, 0), NULL};
    hr_task *task = hr_create_task(NULL, step, &stepper);
    test_passes(1);
    hr_as_completed_free(stepper.done);
    ASSERT_ERR(hr_join(task), HR_ECLOSED);
}

TEST(s8_10_freeing_cancels_the_rest_on_request)
{
    hr_auto(hr_futures_done) struct hr_futures naps = {0};
    add_naps(&naps, (int[]){1, 60}, 2);
    hr_as_completed *done = hr_as_completed_new(&naps, HR_FOREVER, HR_CANCEL_REST);
    hr_future *next;
    ASSERT_ERR(hr_as_completed_next(done, &next), 0);
    hr_as_completed_free(done);
    ASSERT_ERR(hr_await(naps.items[1]), -ECANCELED);
    ASSERT_ERR(hr_future_status(naps.items[0]), 1);
}

TEST(s8_4_errors_are_left_for_the_reader)
{
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    hr_futures_add(&all, hr_create_task("luckless", fails, NULL));
    hr_as_completed *done = hr_as_completed_new(&all, HR_FOREVER, 0);
    hr_future *next;
    ASSERT_ERR(hr_as_completed_next(done, &next), 0);
    hr_as_completed_free(done);
    hr_futures_done(&all);
    ASSERT_TRUE(strstr(test_report(), "luckless: task failed and nobody read its error"));
}

static hr_future *foreign;

static int use_foreign(void *arg)
{
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    hr_futures_add(&all, hr_future_ref(foreign));
    ASSERT_PTR(hr_as_completed_new(&all, HR_FOREVER, HR_CANCEL_REST), NULL);
    ASSERT_FALSE(hr_future_done(foreign));
    return hr_last_error()->code;
}

TEST_PLAIN(members_of_another_loop_are_refused)
{
    hr_loop *loop = hr_loop_new(NULL);
    foreign = hr_future_new(loop);
    ASSERT_ERR(hr_run(use_foreign, NULL), HR_EWRONGLOOP);
    hr_auto(hr_futures_done) struct hr_futures none = {0};
    ASSERT_PTR(hr_as_completed_new(&none, HR_FOREVER, 0), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_ENOLOOP);
    hr_future_unref(foreign);
    hr_loop_free(loop);
}
