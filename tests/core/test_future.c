/* SPDX-License-Identifier: MIT */
/*
 * Futures, semantics 1.
 */
#include "core/future.h"

#include <string.h>

#include "tests/support/hrtest.h"

static int destroyed;

static void destroy(void *value)
{
    destroyed++;
}

static char order[64];

static void note(const char *letter)
{
    strncat(order, letter, sizeof(order) - strlen(order) - 1);
}

static void note_done(hr_future *future, void *letter)
{
    ASSERT_TRUE(hr_future_done(future));
    note(letter);
}

static char a[] = "a", b[] = "b", c[] = "c";

TEST(s1_1_a_new_future_is_pending)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    ASSERT_FALSE(hr_future_done(future));
    ASSERT_FALSE(hr_future_cancelled(future));
    ASSERT_ERR(hr_future_status(future), -EAGAIN);
    ASSERT_PTR(hr_future_result(future), NULL);
    ASSERT_PTR(hr_future_take(future), NULL);
    ASSERT_PTR(hr_future_error(future), NULL);
    ASSERT_PTR(hr_future_loop(future), hr_running_loop());
}

TEST(s1_2_a_value_reads_back_and_is_destroyed_once)
{
    int value;
    destroyed = 0;
    hr_future *future = hr_future_new(NULL);
    ASSERT_ERR(hr_future_set_result(future, &value, destroy), 0);
    ASSERT_TRUE(hr_future_done(future));
    ASSERT_ERR(hr_future_status(future), 0);
    ASSERT_PTR(hr_future_result(future), &value);
    ASSERT_PTR(hr_future_result(future), &value);
    ASSERT_PTR(hr_future_error(future), NULL);
    ASSERT_EQ(destroyed, 0);
    hr_future_unref(future);
    ASSERT_EQ(destroyed, 1);
}

TEST(s0_5_a_value_that_was_taken_is_the_takers)
{
    int value;
    destroyed = 0;
    hr_future *future = hr_future_new(NULL);
    ASSERT_ERR(hr_future_set_result(future, &value, destroy), 0);
    ASSERT_PTR(hr_future_take(future), &value);
    ASSERT_PTR(hr_future_take(future), NULL);
    hr_future_unref(future);
    ASSERT_EQ(destroyed, 0);
}

TEST(a_status_reads_back)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    ASSERT_ERR(hr_future_set_status(future, -1), -EINVAL);
    ASSERT_ERR(hr_future_set_status(future, 42), 0);
    ASSERT_ERR(hr_await(future), 42);
}

TEST(s1_3_an_error_reads_back_as_the_same_record)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    ASSERT_ERR(hr_future_set_error(future, -EIO, "disk %d", 3), 0);
    ASSERT_TRUE(hr_future_done(future));
    ASSERT_FALSE(hr_future_cancelled(future));
    ASSERT_ERR(hr_future_status(future), -EIO);
    ASSERT_PTR(hr_future_result(future), NULL);
    ASSERT_STR(hr_future_error(future)->message, "disk 3");
    ASSERT_PTR(hr_future_error(future), hr_future_error(future));
    ASSERT_ERR(hr_await(future), -EIO);
    ASSERT_STR(hr_last_error()->message, "disk 3");
}

TEST(s1_4_a_done_future_takes_nothing_more)
{
    int value;
    destroyed = 0;
    for (int how = 0; how < 3; how++) {
        hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
        if (how == 0)
            ASSERT_ERR(hr_future_set_result(future, NULL, NULL), 0);
        else if (how == 1)
            ASSERT_ERR(hr_future_set_error(future, -EIO, "first"), 0);
        else
            ASSERT_TRUE(hr_future_cancel(future, NULL));
        int before = hr_future_status(future);
        ASSERT_ERR(hr_future_set_result(future, &value, destroy), HR_EINVALIDSTATE);
        ASSERT_ERR(hr_future_set_status(future, 1), HR_EINVALIDSTATE);
        ASSERT_ERR(hr_future_set_error(future, -EPERM, "second"), HR_EINVALIDSTATE);
        ASSERT_ERR(hr_future_status(future), before);
    }
    ASSERT_EQ(destroyed, 0);
}

TEST(s1_5_cancel_is_done_at_once_and_only_once)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    ASSERT_TRUE(hr_future_cancel(future, NULL));
    ASSERT_TRUE(hr_future_done(future));
    ASSERT_TRUE(hr_future_cancelled(future));
    ASSERT_FALSE(hr_future_cancel(future, NULL));

    hr_auto(hr_future_unrefp) hr_future *done = hr_future_new(NULL);
    ASSERT_ERR(hr_future_set_status(done, 5), 0);
    ASSERT_FALSE(hr_future_cancel(done, NULL));
    ASSERT_ERR(hr_future_status(done), 5);
}

TEST(s1_6_a_cancelled_future_says_so_every_time)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    hr_future_cancel(future, NULL);
    for (int i = 0; i < 2; i++) {
        ASSERT_ERR(hr_future_status(future), -ECANCELED);
        ASSERT_ERR(hr_await(future), -ECANCELED);
        ASSERT_PTR(hr_future_error(future), NULL);
    }
}

TEST(s1_7_a_cancel_carries_its_reason)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    char reason[] = "too late";
    hr_future_cancel(future, reason);
    reason[0] = '\0'; /* it was copied */
    ASSERT_STR(hr_future_cancel_reason(future), "too late");
    ASSERT_ERR(hr_await(future), -ECANCELED);
    ASSERT_STR(hr_error_message(-ECANCELED), "too late");
}

TEST(s1_8_callbacks_run_once_in_order_of_adding)
{
    order[0] = '\0';
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    ASSERT_ERR(hr_future_add_done_callback(future, note_done, c), 0);
    ASSERT_ERR(hr_future_add_done_callback(future, note_done, a), 0);
    ASSERT_ERR(hr_future_add_done_callback(future, note_done, b), 0);
    hr_future_set_result(future, NULL, NULL);
    test_passes(3);
    ASSERT_STR(order, "cab");
}

TEST(s1_9_done_callbacks_are_queued_never_run_inside_the_completing_call)
{
    order[0] = '\0';
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    ASSERT_ERR(hr_future_add_done_callback(future, note_done, a), 0);
    hr_future_set_result(future, NULL, NULL);
    ASSERT_STR(order, "");
    test_passes(1);
    ASSERT_STR(order, "a");
}

TEST(s1_10_a_callback_added_to_a_done_future_is_queued_at_once)
{
    order[0] = '\0';
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    hr_future_cancel(future, NULL);
    ASSERT_ERR(hr_future_add_done_callback(future, note_done, a), 0);
    ASSERT_STR(order, "");
    test_passes(1);
    ASSERT_STR(order, "a");
}

TEST(s1_11_remove_takes_all_equal_registrations_and_counts_them)
{
    order[0] = '\0';
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    ASSERT_ERR(hr_future_add_done_callback(future, note_done, a), 0);
    ASSERT_ERR(hr_future_add_done_callback(future, note_done, b), 0);
    ASSERT_ERR(hr_future_add_done_callback(future, note_done, a), 0);
    ASSERT_EQ(hr_future_remove_done_callback(future, note_done, c), 0);
    ASSERT_EQ(hr_future_remove_done_callback(future, note_done, a), 2);
    hr_future_set_result(future, NULL, NULL);
    ASSERT_EQ(hr_future_remove_done_callback(future, note_done, b), 0); /* too late */
    test_passes(1);
    ASSERT_STR(order, "b");
}

TEST(s1_12_a_callback_registered_n_times_runs_n_times)
{
    order[0] = '\0';
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_future_add_done_callback(future, note_done, a), 0);
    hr_future_set_result(future, NULL, NULL);
    test_passes(1);
    ASSERT_STR(order, "aaa");
}

TEST(s1_13_futures_done_in_one_slice_run_their_callbacks_in_order_of_completion)
{
    order[0] = '\0';
    hr_auto(hr_future_unrefp) hr_future *first = hr_future_new(NULL);
    hr_auto(hr_future_unrefp) hr_future *second = hr_future_new(NULL);
    ASSERT_ERR(hr_future_add_done_callback(first, note_done, a), 0);
    ASSERT_ERR(hr_future_add_done_callback(second, note_done, b), 0);
    hr_future_set_result(second, NULL, NULL);
    hr_future_set_result(first, NULL, NULL);
    test_passes(1);
    ASSERT_STR(order, "ba");
}

struct awaiting {
    hr_future *future;
    const char *letter;
};

static int await_and_note(void *arg)
{
    struct awaiting *awaiting = arg;
    int r = hr_await(awaiting->future);
    note(awaiting->letter);
    return r;
}

TEST(s1_14_waiting_tasks_resume_in_the_order_they_began_and_see_the_same)
{
    order[0] = '\0';
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    struct awaiting first = {future, a}, second = {future, b};
    hr_task *tasks[] = {hr_create_task("a", await_and_note, &first),
                        hr_create_task("b", await_and_note, &second)};
    test_passes(1);
    ASSERT_ERR(hr_future_add_done_callback(future, note_done, c), 0);
    ASSERT_ERR(hr_future_set_error(future, -EIO, "both"), 0);
    for (int i = 0; i < 2; i++) {
        ASSERT_ERR(hr_join(tasks[i]), -EIO);
        ASSERT_STR(hr_error_message(-EIO), "both");
    }
    ASSERT_STR(order, "abc");
}

static int bump(void *arg)
{
    ++*(int *)arg;
    return 0;
}

TEST(s1_15_awaiting_a_done_future_keeps_the_slice)
{
    int others = 0;
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    hr_future_set_status(future, 3);
    ASSERT_ERR(hr_spawn("other", bump, &others), 0);
    ASSERT_ERR(hr_await(future), 3);
    ASSERT_EQ(others, 0);
    test_passes(1);
    ASSERT_EQ(others, 1);
}

static int await_anything(void *future)
{
    return hr_await(future);
}

TEST_PLAIN(s1_16_awaiting_a_future_of_another_loop_is_refused)
{
    hr_loop *loop = hr_loop_new(NULL), *other = hr_loop_new(NULL);
    hr_future *future = hr_future_new(other);
    ASSERT_PTR(hr_future_loop(future), other);
    hr_task *task =
        hr_create_task_with(&(struct hr_task_options){.loop = loop}, await_anything, future);
    ASSERT_ERR(hr_loop_run_until_complete(loop, task), HR_EWRONGLOOP);
    hr_future_unref(future);
    hr_loop_free(loop);
    hr_loop_free(other);
}

TEST(s1_17_an_error_nobody_read_is_reported_once_with_the_last_reference)
{
    hr_future *future = hr_future_new(NULL);
    hr_future_set_error(future, -EIO, "lost");
    hr_future_ref(future);
    hr_future_unref(future);
    ASSERT_PTR(test_report(), NULL);
    hr_future_unref(future);
    ASSERT_STR(test_report(), "test: future failed and nobody read its error: lost");
    ASSERT_PTR(test_report(), NULL);
}

TEST(s1_17_a_read_by_anybody_counts)
{
    for (int how = 0; how < 3; how++) {
        hr_future *future = hr_future_new(NULL);
        hr_future_set_error(future, -EIO, "seen");
        if (how == 0)
            ASSERT_ERR(hr_await(future), -EIO);
        else if (how == 1)
            ASSERT_ERR(hr_future_status(future), -EIO);
        else
            ASSERT_TRUE(hr_future_error(future));
        hr_future_unref(future);
        ASSERT_PTR(test_report(), NULL);
    }
}

TEST(s1_18_cancelled_and_successful_futures_are_never_reported)
{
    hr_future *future = hr_future_new(NULL);
    hr_future_cancel(future, "why not");
    hr_future_unref(future);
    future = hr_future_new(NULL);
    hr_future_set_result(future, NULL, NULL);
    hr_future_unref(future);
    hr_future_unref(hr_future_new(NULL));
    ASSERT_PTR(test_report(), NULL);
}

TEST(s1_19_being_late_leaves_the_callers_record_alone)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    hr_future_set_result(future, NULL, NULL);
    hr_fail(-ENOENT, "what matters");
    ASSERT_ERR(hr_future_set_result(future, NULL, NULL), HR_EINVALIDSTATE);
    ASSERT_STR(hr_last_error()->message, "what matters");
}

TEST(s1_20_a_chain_copies_the_outcome)
{
    int value;
    destroyed = 0;
    hr_future *source = hr_future_new(NULL), *destination = hr_future_new(NULL);
    ASSERT_ERR(hr_future_chain(source, destination), 0);
    hr_future_set_result(source, &value, destroy);
    ASSERT_PTR(hr_future_result(destination), &value);
    hr_future_unref(source);
    ASSERT_EQ(destroyed, 0);
    hr_future_unref(destination);
    ASSERT_EQ(destroyed, 1);

    source = hr_future_new(NULL), destination = hr_future_new(NULL);
    ASSERT_ERR(hr_future_chain(source, destination), 0);
    hr_future_set_error(source, -EIO, "down the chain");
    hr_future_unref(source);
    ASSERT_ERR(hr_join(destination), -EIO);
    ASSERT_STR(hr_last_error()->message, "down the chain");

    source = hr_future_new(NULL), destination = hr_future_new(NULL);
    ASSERT_ERR(hr_future_chain(source, destination), 0);
    hr_future_cancel(source, "enough");
    ASSERT_STR(hr_future_cancel_reason(destination), "enough");
    hr_future_unref(source);
    hr_future_unref(destination);
}

TEST(s1_20_cancelling_the_destination_cancels_the_source)
{
    hr_future *source = hr_future_new(NULL), *destination = hr_future_new(NULL);
    ASSERT_ERR(hr_future_chain(source, destination), 0);
    ASSERT_TRUE(hr_future_cancel(destination, NULL));
    ASSERT_TRUE(hr_future_cancelled(source));
    hr_future_unref(source);
    hr_future_unref(destination);

    /* Completed by somebody else: the source goes on alone. */
    source = hr_future_new(NULL), destination = hr_future_new(NULL);
    ASSERT_ERR(hr_future_chain(source, destination), 0);
    ASSERT_ERR(hr_future_set_result(destination, NULL, NULL), 0);
    ASSERT_FALSE(hr_future_done(source));
    ASSERT_ERR(hr_future_set_result(source, NULL, NULL), 0);
    hr_future_unref(source);
    hr_future_unref(destination);
}

TEST(s1_20_a_source_that_nobody_holds_any_more_cancels_the_destination)
{
    hr_future *source = hr_future_new(NULL), *destination = hr_future_new(NULL);
    ASSERT_ERR(hr_future_chain(source, destination), 0);
    hr_future_unref(source);
    ASSERT_TRUE(hr_future_cancelled(destination));
    hr_future_unref(destination);

    source = hr_future_new(NULL), destination = hr_future_new(NULL);
    ASSERT_ERR(hr_future_chain(source, destination), 0);
    hr_future_unref(destination);
    ASSERT_ERR(hr_future_set_status(source, 3), 0); /* it goes nowhere */
    hr_future_unref(source);
}

TEST(s1_20_a_done_source_is_copied_at_once)
{
    hr_future *source = hr_future_new(NULL), *destination = hr_future_new(NULL);
    hr_future_set_status(source, 9);
    ASSERT_ERR(hr_future_chain(source, destination), 0);
    ASSERT_ERR(hr_future_status(destination), 9);
    ASSERT_ERR(hr_future_chain(source, destination), HR_EINVALIDSTATE);
    hr_future_unref(source);
    hr_future_unref(destination);
}

TEST_PLAIN(s1_21_a_future_needs_a_loop_running_or_named)
{
    ASSERT_PTR(hr_future_new(NULL), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_ENOLOOP);

    hr_loop *loop = hr_loop_new(NULL);
    hr_future *future = hr_future_new(loop);
    ASSERT_TRUE(future);
    ASSERT_ERR(hr_future_set_status(future, 4), 0);
    ASSERT_ERR(hr_loop_run_until_complete(loop, future), 4);
    hr_loop_free(loop);
}

TEST_PLAIN(a_future_may_outlive_its_loop)
{
    hr_loop *loop = hr_loop_new(NULL);
    hr_future *future = hr_future_new(loop);
    hr_loop_free(loop);
    ASSERT_ERR(hr_future_set_status(future, 4), 0);
    ASSERT_ERR(hr_future_status(future), 4);
    hr_future_unref(future);
}

TEST(s0_6_a_null_future_stands_for_the_call_that_could_not_make_it)
{
    hr_future *future = hr_future_new(NULL);
    ASSERT_ERR(hr_await(NULL), -EINVAL); /* nothing has failed */
    (void)hr_fail(-EMFILE, "no descriptor for it");
    ASSERT_ERR(hr_await(NULL), -EMFILE);
    ASSERT_ERR(hr_join(NULL), -EMFILE);
    ASSERT_ERR(hr_shield(NULL), -EMFILE);
    ASSERT_ERR(hr_wait_for(NULL, hr_ms(1)), -EMFILE);
    ASSERT_ERR(hr_future_chain(NULL, future), -EMFILE);
    ASSERT_ERR(hr_future_chain(future, NULL), -EMFILE);
    ASSERT_ERR(hr_thread_future_wait(NULL, HR_FOREVER), -EMFILE);
    ASSERT_ERR(hr_as_completed_next(NULL, &future), -EMFILE);
    ASSERT_STR(hr_error_message(-EMFILE), "no descriptor for it");
    hr_future_unref(future);
    hr_future_unref(NULL);
    ASSERT_PTR(hr_future_ref(NULL), NULL);
}

TEST(setting_the_cancelled_code_as_an_error_cancels)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    ASSERT_ERR(hr_future_set_error(future, -ECANCELED, "gone"), 0);
    ASSERT_TRUE(hr_future_cancelled(future));
    hr_auto(hr_future_unrefp) hr_future *wrong = hr_future_new(NULL);
    ASSERT_ERR(hr_future_set_error(wrong, 7, "not negative"), -EINVAL);
}

TEST(s1_22_a_state_has_a_name_for_people)
{
    hr_future *future = hr_future_new(NULL);
    ASSERT_STR(hr_future_state(future), "pending");
    ASSERT_ERR(hr_future_set_result(future, NULL, NULL), 0);
    ASSERT_STR(hr_future_state(future), "finished");
    hr_future_unref(future);
    future = hr_future_new(NULL);
    ASSERT_ERR(hr_future_set_error(future, -EIO, "no"), 0);
    ASSERT_STR(hr_future_state(future), "failed");
    ASSERT_ERR(hr_future_status(future), -EIO);
    hr_future_unref(future);
    future = hr_future_new(NULL);
    hr_future_cancel(future, NULL);
    ASSERT_STR(hr_future_state(future), "cancelled");
    hr_future_unref(future);
}

static int wait_for_nobody(void *future)
{
    return hr_await(future);
}

TEST(s1_23_a_future_that_nobody_completes_costs_nothing_and_shows_in_the_dump)
{
    hr_future *never = hr_future_new(NULL);
    hr_task *task = hr_create_task("waiter", wait_for_nobody, never);
    test_passes(1);
    struct hr_loop_stats before, after;
    hr_loop_get_stats(hr_running_loop(), &before);
    ASSERT_ERR(hr_sleep(hr_seconds(3600)), 0);
    hr_loop_get_stats(hr_running_loop(), &after);
    ASSERT_EQ(after.slices - before.slices, 1); /* this task's own */

    ASSERT_TRUE(test_dump_says("waiter                  waits for a future, since 3600.000 s"));
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    hr_future_unref(never);
}
