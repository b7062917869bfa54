/* SPDX-License-Identifier: MIT */
/*
 * gather, semantics 4.
 */
#include "core/gather.h"

#include "core/task.h"
#include "tests/support/hrtest.h"
#include "tests/support/starve.h"

struct job {
    hr_usec span;
    int outcome;     /* what it ends with after the span */
    hr_usec cleanup; /* how long it takes to end when cancelled */
    bool ran, cancelled, finished;
};

static int job(void *arg)
{
    struct job *j = arg;
    j->ran = true;
    int r = hr_sleep(j->span);
    if (r < 0) {
        j->cancelled = true;
        if (hr_sleep(j->cleanup) < 0)
            return r;
    }
    j->finished = true;
    if (r == 0 && j->outcome < 0)
        return hr_fail(j->outcome, "job failed");
    return r < 0 ? r : j->outcome;
}

static void add(struct hr_futures *all, struct job *j)
{
    hr_futures_add(all, hr_create_task("job", job, j));
}

TEST(s4_2_results_stand_in_argument_order)
{
    struct job j[] = {
        {hr_ms(30), 1},
        {hr_ms(10), 2},
        {hr_ms(20), 3}
    };
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 3; i++)
        add(&all, &j[i]);
    ASSERT_ERR(hr_gather(&all, 0), 0);
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(hr_future_status(all.items[i]), i + 1);
    ASSERT_EQ(test_clock_now(), hr_ms(30));
}

TEST(s4_3_a_gather_takes_as_long_as_its_slowest_member)
{
    struct job j[] = {{hr_seconds(5)}, {hr_seconds(2)}};
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    add(&all, &j[0]);
    add(&all, &j[1]);
    ASSERT_ERR(hr_gather(&all, 0), 0);
    ASSERT_EQ(test_clock_now(), hr_seconds(5));
}

TEST(s4_4_a_gather_of_nobody_is_done_at_once)
{
    struct hr_futures none = {0};
    ASSERT_ERR(hr_gather(&none, 0), 0);
    ASSERT_ERR(hr_gather(&none, HR_RETURN_ERRORS | HR_CANCEL_REST), 0);
}

TEST(s4_5_the_first_error_completes_the_gather_and_the_others_go_on)
{
    struct job j[] = {
        {hr_ms(30), 1     },
        {hr_ms(10), -EIO  },
        {hr_ms(20), -EPIPE}
    };
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 3; i++)
        add(&all, &j[i]);
    ASSERT_ERR(hr_gather(&all, 0), -EIO);
    ASSERT_STR(hr_error_message(-EIO), "job failed");
    ASSERT_EQ(test_clock_now(), hr_ms(10));
    ASSERT_ERR(hr_await(all.items[0]), 1);
    ASSERT_FALSE(j[0].cancelled);
}

TEST(s4_6_later_errors_are_dropped_in_silence)
{
    struct job j[] = {
        {hr_ms(10), -EIO  },
        {hr_ms(10), -EPIPE},
        {hr_ms(20), -EBADF}
    };
    struct hr_futures all = {0};
    for (int i = 0; i < 3; i++)
        add(&all, &j[i]);
    ASSERT_ERR(hr_gather(&all, 0), -EIO);
    hr_futures_done(&all);
    ASSERT_ERR(hr_sleep(hr_ms(50)), 0);
    ASSERT_TRUE(j[2].finished);
    ASSERT_PTR(test_report(), NULL);
}

TEST(s4_7_s4_12_collecting_waits_for_all_and_keeps_errors_and_cancels_in_their_places)
{
    struct job j[] = {
        {hr_ms(10), -EIO},
        {hr_ms(20), 2   },
        {hr_ms(30), 3   }
    };
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 3; i++)
        add(&all, &j[i]);
    test_passes(1);
    hr_task_cancel(all.items[2], NULL);
    ASSERT_ERR(hr_gather(&all, HR_RETURN_ERRORS), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(20));
    ASSERT_ERR(hr_future_status(all.items[0]), -EIO);
    ASSERT_ERR(hr_future_status(all.items[1]), 2);
    ASSERT_ERR(hr_future_status(all.items[2]), -ECANCELED);
}

TEST(s4_7_errors_that_were_collected_and_not_looked_at_are_reported)
{
    struct job j = {hr_ms(10), -EIO};
    struct hr_futures all = {0};
    add(&all, &j);
    ASSERT_ERR(hr_gather(&all, HR_RETURN_ERRORS), 0);
    hr_futures_done(&all);
    ASSERT_STR(test_report(), "job: task failed and nobody read its error: job failed");
}

TEST(s4_8_a_member_given_twice_runs_once)
{
    struct job j = {hr_ms(10), 7};
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    add(&all, &j);
    hr_futures_add(&all, hr_future_ref(all.items[0]));
    ASSERT_ERR(hr_gather(&all, 0), 0);
    ASSERT_EQ(all.count, 2);
    ASSERT_ERR(hr_future_status(all.items[1]), 7);
}

struct gathering {
    struct hr_futures all;
    int flags, result;
};

static int gather_all(void *arg)
{
    struct gathering *g = arg;
    g->result = hr_gather(&g->all, g->flags);
    return g->result;
}

/* Cancels a gather of two jobs, one of which takes its time to end. */
static void cancel_gather(int flags)
{
    struct job j[] = {
        {hr_seconds(60), 1, hr_ms(30)},
        {hr_seconds(60),              2 },
        {0,              3             }
    };
    struct gathering g = {.flags = flags};
    for (int i = 0; i < 3; i++)
        add(&g.all, &j[i]);
    hr_usec start = test_clock_now();
    hr_task *gatherer = hr_create_task("gatherer", gather_all, &g);
    ASSERT_ERR(hr_sleep(hr_ms(10)), 0);
    hr_task_cancel(gatherer, NULL);
    test_passes(5);
    ASSERT_FALSE(hr_future_done(gatherer));
    ASSERT_ERR(hr_join(gatherer), -ECANCELED);
    ASSERT_EQ(test_clock_now() - start, hr_ms(40));
    ASSERT_TRUE(j[0].cancelled && j[0].finished);
    ASSERT_TRUE(j[1].cancelled && j[1].finished);
    ASSERT_FALSE(j[2].cancelled);
    hr_futures_done(&g.all);
}

TEST(s4_9_cancelling_the_gather_cancels_all_members_and_waits_for_them)
{
    cancel_gather(0);
    cancel_gather(HR_CANCEL_REST);
}

TEST(s4_10_so_it_does_when_collecting)
{
    cancel_gather(HR_RETURN_ERRORS);
}

TEST(s4_9_a_cancel_in_the_slice_of_the_last_completion_still_comes_out)
{
    hr_future *future = hr_future_new(NULL);
    struct gathering g = {0};
    hr_futures_add(&g.all, hr_future_ref(future));
    hr_task *gatherer = hr_create_task("gatherer", gather_all, &g);
    test_passes(1);
    hr_future_set_status(future, 1);
    hr_task_cancel(gatherer, NULL);
    ASSERT_ERR(hr_join(gatherer), -ECANCELED);
    ASSERT_ERR(hr_future_status(future), 1);
    hr_future_unref(future);
    hr_futures_done(&g.all);
}

TEST(s4_9_a_second_cancel_interrupts_the_cleanup_of_the_members)
{
    struct job j = {hr_seconds(60), 1, hr_seconds(60)};
    struct gathering g = {0};
    add(&g.all, &j);
    hr_task *gatherer = hr_create_task("gatherer", gather_all, &g);
    test_passes(2);
    hr_task_cancel(gatherer, NULL);
    test_passes(3);
    hr_task_cancel(gatherer, NULL);
    ASSERT_ERR(hr_join(gatherer), -ECANCELED);
    ASSERT_EQ(test_clock_now(), 0);
    hr_futures_done(&g.all);
}

TEST(s4_11_a_cancelled_member_is_an_error_to_the_gather_and_nothing_to_its_siblings)
{
    struct job j[] = {
        {hr_ms(20), 1},
        {hr_ms(20), 2}
    };
    struct gathering g = {0};
    add(&g.all, &j[0]);
    add(&g.all, &j[1]);
    hr_task *gatherer = hr_create_task("gatherer", gather_all, &g);
    test_passes(2);
    hr_task_cancel(g.all.items[0], NULL);
    ASSERT_ERR(hr_await(gatherer), -ECANCELED);
    ASSERT_EQ(hr_task_cancelling(gatherer), 0);
    hr_future_unref(gatherer);
    ASSERT_ERR(hr_await(g.all.items[1]), 2);
    hr_futures_done(&g.all);
}

TEST(s4_15_the_rest_is_cancelled_and_awaited_on_request)
{
    struct job j[] = {
        {hr_seconds(60), 1, hr_ms(5)},
        {hr_ms(10),              -EIO      },
        {hr_seconds(9),              3}
    };
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 3; i++)
        add(&all, &j[i]);
    ASSERT_ERR(hr_gather(&all, HR_CANCEL_REST), -EIO);
    ASSERT_EQ(test_clock_now(), hr_ms(15));
    ASSERT_TRUE(j[0].cancelled && j[0].finished);
    ASSERT_TRUE(j[2].cancelled && j[2].finished);
}

TEST(s4_16_a_future_that_could_not_be_made_fails_the_gather)
{
    struct job j[] = {
        {hr_ms(10), 1, hr_ms(5)},
        {hr_ms(10),         1 }
    };
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    add(&all, &j[0]);
    (void)hr_fail(HR_EBROKEN, "the pool is broken");
    hr_futures_add(&all, NULL);
    (void)hr_fail(-EMFILE, "no descriptor for it");
    hr_futures_add(&all, NULL);
    ASSERT_ERR(hr_gather(&all, 0), HR_EBROKEN); /* the first that could not be made */
    ASSERT_EQ(test_clock_now(), 0);
    ASSERT_PTR(hr_as_completed_new(&all, HR_FOREVER, 0), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_EBROKEN);
    test_passes(1);
    ASSERT_ERR(hr_gather(&all, HR_CANCEL_REST), HR_EBROKEN);
    ASSERT_TRUE(j[0].cancelled && j[0].finished);

    hr_auto(hr_futures_done) struct hr_futures collected = {0};
    add(&collected, &j[1]);
    (void)hr_fail(-EMFILE, "no descriptor for it");
    hr_futures_add(&collected, NULL);
    ASSERT_ERR(hr_gather(&collected, HR_RETURN_ERRORS), -EMFILE);
    ASSERT_STR(hr_error_message(-EMFILE), "no descriptor for it");
    ASSERT_ERR(hr_future_status(collected.items[0]), 1);
}

TEST(s4_17_a_gather_of_done_members_does_not_suspend)
{
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 3; i++) {
        hr_futures_add(&all, hr_future_new(NULL));
        hr_future_set_status(all.items[i], i);
    }
    hr_task_cancel(hr_current_task(), NULL); /* would be delivered at a suspension */
    ASSERT_ERR(hr_gather(&all, 0), 0);
    ASSERT_ERR(hr_gather(&all, HR_RETURN_ERRORS), 0);
    hr_task_uncancel(hr_current_task());
}

TEST(a_gather_of_many_members_needs_no_luck_with_its_stack)
{
    enum { MANY = 1000 };
    static struct job jobs[MANY];
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < MANY; i++) {
        jobs[i] = (struct job){hr_ms(MANY - i), i};
        add(&all, &jobs[i]);
    }
    ASSERT_ERR(hr_gather(&all, 0), 0);
    for (int i = 0; i < MANY; i++)
        ASSERT_ERR(hr_future_status(all.items[i]), i);
}

static int gather_foreign(void *future)
{
    struct hr_futures all = {0};
    hr_futures_add(&all, future);
    int gathered = hr_gather(&all, 0);
    int waited = hr_wait(&all, HR_ALL_COMPLETED, HR_FOREVER);
    hr_futures_done(&all);
    return gathered == waited ? gathered : -EPROTO;
}

TEST_PLAIN(s4_14_members_of_another_loop_are_refused)
{
    hr_loop *other = hr_loop_new(NULL);
    ASSERT_TRUE(other);
    ASSERT_ERR(hr_run(gather_foreign, hr_future_new(other)), HR_EWRONGLOOP);
    hr_loop_free(other);
}

static int note_start(void *arg)
{
    static int started;
    *(int *)arg = ++started;
    return hr_yield();
}

TEST(s4_1_a_gather_takes_tasks_and_futures_and_tasks_start_in_argument_order)
{
    hr_auto(hr_futures_done) struct hr_futures mixed = {0};
    int began[2] = {0};
    hr_futures_add(&mixed, hr_create_task(NULL, note_start, &began[0]));
    hr_futures_add(&mixed, hr_future_new(NULL));
    hr_futures_add(&mixed, hr_create_task(NULL, note_start, &began[1]));
    hr_future_set_status(mixed.items[1], 5);
    ASSERT_ERR(hr_gather(&mixed, 0), 0);
    ASSERT_EQ(began[1] - began[0], 1);
    ASSERT_ERR(hr_future_status(mixed.items[1]), 5);
}

static int gather_these(void *futures)
{
    return hr_gather(futures, 0);
}

TEST(s4_13_a_gather_that_is_over_touches_its_members_no_more)
{
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    hr_futures_add(&all, hr_future_new(NULL));
    hr_futures_add(&all, hr_future_new(NULL));
    hr_task *gather = hr_create_task(NULL, gather_these, &all);
    test_passes(1);
    hr_future_set_error(all.items[0], -EIO, "no luck");
    test_passes(1);
    ASSERT_TRUE(hr_future_done(gather));
    ASSERT_FALSE(hr_task_cancel(gather, NULL));
    ASSERT_FALSE(hr_future_done(all.items[1]));
    ASSERT_ERR(hr_join(gather), -EIO);
}

TEST(s4_5_of_members_that_had_failed_before_the_first_in_order_counts)
{
    static const int codes[] = {-EPERM, -EIO, -ENOENT};
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 3; i++)
        hr_futures_add(&all, hr_future_new(NULL));
    for (int i = 2; i >= 0; i--)
        ASSERT_ERR(hr_future_set_error(all.items[i], codes[i], "no"), 0);
    ASSERT_ERR(hr_gather(&all, 0), -EPERM);
}

/* Up to 16 are waited for without memory. */
TEST(s4_2_a_few_members_and_more_than_a_few_are_waited_for)
{
    for (int n = 15; n <= 18; n++) {
        struct job j[18] = {0};
        hr_auto(hr_futures_done) struct hr_futures all = {0};
        for (int i = 0; i < n; i++) {
            j[i] = (struct job){hr_ms(1 + i), i};
            add(&all, &j[i]);
        }
        ASSERT_ERR(hr_gather(&all, 0), 0);
        for (int i = 0; i < n; i++)
            ASSERT_EQ(hr_future_status(all.items[i]), i);
    }
}

TEST(s21_7_a_task_that_there_is_no_memory_to_wait_for_is_cancelled)
{
    struct job j = {hr_seconds(60)};
    hr_auto(hr_future_unrefp) hr_task *task = hr_create_task("job", job, &j);
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    test_passes(1);
    starve_after(0, true);
    hr_futures_add(&all, hr_future_ref(task));
    ASSERT_TRUE(starve_end());
    ASSERT_ERR(hr_gather(&all, 0), -ENOMEM);
    ASSERT_ERR(hr_await(task), -ECANCELED);
    ASSERT_TRUE(j.cancelled);
    ASSERT_EQ(test_clock_now(), 0);
}
