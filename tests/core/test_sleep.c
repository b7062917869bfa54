/* SPDX-License-Identifier: MIT */
/*
 * Sleeping and timers, semantics 10.
 */
#include "core/loop.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/hrtest.h"

static char order[128];

static void note(void *letter)
{
    strncat(order, letter, sizeof(order) - strlen(order) - 1);
}

static int note_task(void *letter)
{
    note(letter);
    return 0;
}

static char a[] = "a", b[] = "b", c[] = "c", d[] = "d";

TEST(s10_1_a_sleeper_resumes_when_its_time_has_passed_and_not_before)
{
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(5));
    ASSERT_ERR(hr_sleep(1), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(5) + 1);
    ASSERT_ERR(hr_sleep(hr_seconds(100000)), 0);
    ASSERT_EQ(test_clock_now(), hr_seconds(100000) + hr_ms(5) + 1);
    ASSERT_ERR(hr_sleep_until(hr_seconds(200000)), 0);
    ASSERT_EQ(hr_now(), hr_seconds(200000));
}

TEST_REAL(s10_1_on_the_real_clock_too)
{
    for (hr_usec span = 1; span < 5000; span = span * 3 + 1) {
        hr_usec start = test_clock_now();
        ASSERT_ERR(hr_sleep(span), 0);
        ASSERT_TRUE(test_clock_now() - start >= span);
    }
}

static int sleep_and_tell(void *span)
{
    int r = hr_sleep(*(hr_usec *)span);
    *(hr_usec *)span = test_clock_now();
    return r;
}

TEST(s10_1_of_sleepers_close_to_each_other_none_is_early)
{
    hr_usec spans[] = {1000, 1001, 1500, 1999};
    hr_task *tasks[4];
    for (int i = 0; i < 4; i++)
        tasks[i] = hr_create_task(NULL, sleep_and_tell, &spans[i]);
    for (int i = 0; i < 4; i++)
        ASSERT_ERR(hr_join(tasks[i]), 0);
    ASSERT_EQ(spans[0], 1000);
    ASSERT_EQ(spans[1], 1001);
    ASSERT_EQ(spans[2], 1500);
    ASSERT_EQ(spans[3], 1999);
}

TEST_REAL(s10_1_nor_is_one_in_a_busy_loop)
{
    hr_usec span = hr_ms(3), start = test_clock_now();
    hr_task *task = hr_create_task(NULL, sleep_and_tell, &span);
    while (!hr_future_done(task))
        ASSERT_ERR(hr_yield(), 0);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_TRUE(span - start >= hr_ms(3));
}

TEST_REAL(s10_1_a_sleep_counts_from_its_call_not_from_the_start_of_the_pass)
{
    hr_usec start = test_clock_now();
    while (test_clock_now() - start < hr_ms(3))
        continue;
    hr_usec before = test_clock_now();
    ASSERT_ERR(hr_sleep(hr_ms(3)), 0);
    ASSERT_TRUE(test_clock_now() - before >= hr_ms(3));
}

TEST(s10_2_a_sleep_of_nothing_gives_up_one_pass)
{
    order[0] = '\0';
    ASSERT_ERR(hr_spawn("a", note_task, a), 0);
    ASSERT_ERR(hr_spawn("b", note_task, b), 0);
    ASSERT_ERR(hr_sleep(0), 0);
    ASSERT_STR(order, "ab");
    ASSERT_ERR(hr_spawn("c", note_task, c), 0);
    ASSERT_ERR(hr_sleep(-5), 0);
    ASSERT_STR(order, "abc");
    ASSERT_EQ(test_clock_now(), 0);
}

static int sleep_forever(void *arg)
{
    return hr_sleep(HR_FOREVER);
}

TEST(s10_4_a_cancelled_sleep_takes_its_timer_back)
{
    struct hr_loop_stats stats;
    hr_task *task = hr_create_task(NULL, sleep_forever, NULL);
    test_passes(1);
    hr_loop_get_stats(hr_running_loop(), &stats);
    ASSERT_EQ(stats.timers, 1);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    hr_loop_get_stats(hr_running_loop(), &stats);
    ASSERT_EQ(stats.timers, 0);
}

TEST_PLAIN(s10_5_spans_of_any_size_saturate)
{
    ASSERT_EQ(hr_ms(-3), -3000);
    ASSERT_EQ(hr_ms(INT64_MAX / 1000), INT64_MAX / 1000 * 1000);
    ASSERT_EQ(hr_ms(INT64_MAX / 1000 + 1), HR_FOREVER);
    ASSERT_EQ(hr_ms(INT64_MIN), INT64_MIN);
    ASSERT_EQ(hr_seconds(INT64_MAX), HR_FOREVER);
    ASSERT_EQ(hr_seconds(INT64_MIN / 1000), INT64_MIN);
    ASSERT_EQ(hr_later(1, HR_FOREVER), HR_FOREVER);
    ASSERT_EQ(hr_later(5, -7), -2);
    ASSERT_EQ(hr_later(-2, INT64_MIN), INT64_MIN);
}

TEST_PLAIN(spans_for_people_are_seconds)
{
    ASSERT_TRUE(hr_in_seconds(hr_ms(1500)) == 1.5);
    ASSERT_TRUE(hr_in_seconds(hr_seconds(-2)) == -2);
}

TEST(s10_5_very_long_spans_do_not_overflow)
{
    hr_task *forever = hr_create_task(NULL, sleep_forever, NULL);
    hr_handle *late = hr_call_later(HR_FOREVER - 1, note, a);
    ASSERT_ERR(hr_sleep(hr_seconds(3600)), 0);
    ASSERT_EQ(test_clock_now(), hr_seconds(3600));
    ASSERT_FALSE(hr_future_done(forever));
    hr_handle_cancel(late);
    hr_task_cancel(forever, NULL);
    ASSERT_ERR(hr_join(forever), -ECANCELED);
}

TEST(s10_7_a_callback_runs_once_at_its_time_unless_cancelled)
{
    order[0] = '\0';
    ASSERT_TRUE(hr_call_later(hr_ms(2), note, b));
    ASSERT_TRUE(hr_call_at(hr_now() + hr_ms(1), note, a));
    hr_handle_cancel(hr_call_later(hr_ms(1), note, d));
    hr_handle_cancel(NULL);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_STR(order, "a");
    ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    ASSERT_STR(order, "ab");
}

TEST(s10_8_timers_run_by_deadline_equal_ones_in_arming_order)
{
    order[0] = '\0';
    ASSERT_TRUE(hr_call_at(hr_seconds(100), note, b)); /* from the upper levels of the wheel */
    ASSERT_TRUE(hr_call_at(hr_seconds(200), note, d));
    ASSERT_ERR(hr_sleep_until(hr_seconds(100) - hr_ms(30)), 0);
    ASSERT_TRUE(hr_call_at(hr_seconds(100), note, c)); /* straight into the lowest */
    ASSERT_TRUE(hr_call_at(hr_seconds(100) - 1, note, a));
    ASSERT_ERR(hr_sleep_until(hr_seconds(100) - 1), 0);
    ASSERT_TRUE(hr_call_at(hr_seconds(100), note, a)); /* in the tick of the deadline */
    ASSERT_ERR(hr_sleep_until(hr_seconds(300)), 0);
    ASSERT_STR(order, "abcad");
}

TEST(s10_9_overdue_timers_run_in_deadline_order_after_what_was_ready)
{
    order[0] = '\0';
    ASSERT_TRUE(hr_call_later(hr_ms(3), note, c));
    ASSERT_TRUE(hr_call_later(hr_ms(2), note, b));
    ASSERT_TRUE(hr_call_soon(note, a));
    test_clock_advance(hr_seconds(10));
    ASSERT_TRUE(hr_call_at(hr_ms(1), note, d)); /* long past */
    test_passes(1);
    ASSERT_STR(order, "a");
    test_passes(1);
    ASSERT_STR(order, "adbc");
}

TEST(s10_10_a_span_of_nothing_runs_in_the_next_pass_after_what_was_queued)
{
    order[0] = '\0';
    ASSERT_TRUE(hr_call_later(0, note, b));
    ASSERT_TRUE(hr_call_soon(note, a));
    ASSERT_TRUE(hr_call_later(-hr_seconds(5), note, c));
    test_passes(2); /* this task stands in the queue before them, too */
    ASSERT_STR(order, "abc");
}

static void cancel_handle(void *handle)
{
    note(a);
    hr_handle_cancel(*(hr_handle **)handle);
}

TEST(s10_11_a_timer_cancelled_by_a_callback_of_its_batch_does_not_run)
{
    order[0] = '\0';
    hr_handle *second;
    ASSERT_TRUE(hr_call_later(hr_ms(5), cancel_handle, &second));
    second = hr_call_later(hr_ms(5), note, b);
    ASSERT_TRUE(hr_call_later(hr_ms(5), note, c));
    ASSERT_ERR(hr_sleep(hr_ms(6)), 0);
    ASSERT_STR(order, "ac");
}

/* What a handle says about a callback that waits, one that ran, one that was cancelled before and
 * one cancelled while it stood in the queue. */
TEST(s10_12_a_handle_tells_its_deadline_and_whether_it_was_cancelled)
{
    order[0] = '\0';
    hr_handle *runs = hr_handle_ref(hr_call_later(hr_ms(2), note, a));
    hr_handle *early = hr_handle_ref(hr_call_at(hr_ms(7), note, b));
    hr_handle *queued = hr_handle_ref(hr_call_soon(note, c));
    ASSERT_EQ(hr_handle_when(runs), hr_ms(2));
    ASSERT_EQ(hr_handle_when(early), hr_ms(7));
    ASSERT_EQ(hr_handle_when(queued), 0);
    ASSERT_FALSE(hr_handle_cancelled(early));
    for (int i = 0; i < 2; i++) {
        hr_handle_cancel(early);
        hr_handle_cancel(queued);
        ASSERT_TRUE(hr_handle_cancelled(early));
        ASSERT_TRUE(hr_handle_cancelled(queued));
        ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    }
    ASSERT_STR(order, "a");
    hr_handle_cancel(runs); /* too late */
    ASSERT_FALSE(hr_handle_cancelled(runs));
    ASSERT_EQ(hr_handle_when(runs), hr_ms(2));
    hr_handle_unref(runs);
    hr_handle_unref(early);
    ASSERT_PTR(hr_handle_unref(queued), NULL);
    ASSERT_PTR(hr_handle_unref(hr_handle_ref(NULL)), NULL);
}

TEST(s10_13_cancelled_timers_do_not_pile_up)
{
    struct hr_loop_stats stats;
    for (int i = 0; i < 100000; i++)
        hr_handle_cancel(hr_call_later(hr_seconds(i), note, a));
    hr_loop_get_stats(hr_running_loop(), &stats);
    ASSERT_EQ(stats.timers, 0);
}

static int sleep_and_note(void *number)
{
    char digit[] = {(char)('0' + (intptr_t)number), '\0'};
    int r = hr_sleep(hr_ms(100) * (intptr_t)number);
    note(digit);
    return r;
}

TEST(s10_14_ten_sleepers_finish_in_order)
{
    order[0] = '\0';
    for (intptr_t i = 9; i >= 0; i--)
        ASSERT_ERR(hr_spawn(NULL, sleep_and_note, (void *)i), 0);
    ASSERT_ERR(hr_sleep(hr_ms(900)), 0);
    ASSERT_ERR(hr_yield(), 0);
    ASSERT_STR(order, "0123456789");
    ASSERT_EQ(test_clock_now(), hr_ms(900));
}

static int freed;

static void count_free(void *value)
{
    freed++;
}

TEST(s10_3_a_sleep_that_is_a_future_carries_a_value)
{
    freed = 0;
    hr_future *sleep = hr_sleep_future(hr_ms(5), a, count_free);
    ASSERT_ERR(hr_await(sleep), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(5));
    ASSERT_STR(hr_future_result(sleep), "a");
    hr_future_unref(sleep);
    ASSERT_EQ(freed, 1);
}

TEST(s10_3_s10_4_cancelling_it_takes_its_timer_back)
{
    freed = 0;
    hr_future *sleep = hr_sleep_future(hr_seconds(60), a, count_free);
    hr_future_cancel(sleep, NULL);
    struct hr_loop_stats stats;
    hr_loop_get_stats(hr_running_loop(), &stats);
    ASSERT_EQ(stats.timers, 0);
    ASSERT_EQ(freed, 1);
    ASSERT_ERR(hr_await(sleep), -ECANCELED);
    hr_future_unref(sleep);

    hr_future_unref(hr_sleep_future(hr_ms(1), a, count_free)); /* nobody waits for it */
    ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    ASSERT_EQ(freed, 2);
}

TEST_REAL(s10_6_the_clock_is_the_monotonic_one)
{
    struct timespec now;
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_usec cached = hr_now();
    clock_gettime(CLOCK_MONOTONIC, &now);
    hr_usec there = (hr_usec)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    ASSERT_TRUE(cached <= there && there - cached < hr_seconds(5));
}

static int block_the_thread(void *arg)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    return 0;
}

TEST_REAL(s10_15_a_task_that_blocks_blocks_the_whole_loop)
{
    hr_usec start = test_clock_now();
    hr_task *blocker = hr_create_task("blocker", block_the_thread, NULL);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_TRUE(test_clock_now() - start >= hr_ms(20));
    ASSERT_ERR(hr_join(blocker), 0);
}
