/* SPDX-License-Identifier: MIT */
/*
 * wait, semantics 5.
 */
#include "core/future_impl.h"
#include "core/gather.h"
#include "core/task.h"
#include "tests/support/hrtest.h"

struct job {
    hr_usec span;
    int outcome;
};

static int job(void *arg)
{
    struct job *j = arg;
    int r = hr_sleep(j->span);
    if (r == 0 && j->outcome < 0)
        return hr_fail(j->outcome, "job failed");
    return r < 0 ? r : j->outcome;
}

static void spawn(struct hr_futures *all, struct job *jobs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hr_futures_add(all, hr_create_task("job", job, &jobs[i]));
}

static unsigned done(const struct hr_futures *all)
{
    unsigned mask = 0;
    for (size_t i = 0; i < all->count; i++)
        mask |= (unsigned)hr_future_done(all->items[i]) << i;
    return mask;
}

TEST(s5_1_s5_2_wait_returns_how_many_are_done)
{
    struct job jobs[] = {{hr_ms(30)}, {hr_ms(10)}, {hr_ms(20)}};
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    spawn(&all, jobs, 3);
    ASSERT_ERR(hr_wait(&all, HR_FIRST_COMPLETED, HR_FOREVER), 1);
    ASSERT_EQ(test_clock_now(), hr_ms(10));
    ASSERT_EQ(done(&all), 2);
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, HR_FOREVER), 3);
    ASSERT_EQ(test_clock_now(), hr_ms(30));
}

TEST(s5_1_the_done_and_the_pending_are_divided_each_once_and_in_order)
{
    struct job jobs[20];
    hr_auto(hr_futures_done) struct hr_futures all = {0}, done = {0}, pending = {0};
    for (int i = 0; i < 20; i++)
        jobs[i] = (struct job){hr_ms(i % 2 ? 10 : 30)};
    spawn(&all, jobs, 20);
    hr_futures_add(&all, hr_future_ref(all.items[0]));
    hr_futures_add(&all, hr_future_ref(all.items[1]));
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, hr_ms(20)), 11);
    for (int round = 0; round < 2; round++) { /* and no mark stays behind */
        ASSERT_ERR(hr_futures_split(&all, &done, &pending), 0);
        ASSERT_EQ(done.count, 10 * (round + 1));
        ASSERT_EQ(pending.count, 10 * (round + 1));
        for (int i = 0; i < 10; i++) {
            ASSERT_PTR(pending.items[10 * round + i], all.items[2 * i]);
            ASSERT_PTR(done.items[10 * round + i], all.items[2 * i + 1]);
        }
    }
    hr_futures_done(&done);
    ASSERT_ERR(hr_wait(&pending, HR_ALL_COMPLETED, HR_FOREVER), 20);
    ASSERT_ERR(hr_futures_split(&pending, &done, NULL), 0);
    ASSERT_EQ(done.count, 10);
    ASSERT_ERR(hr_futures_split(&pending, NULL, &done), 0);
    ASSERT_EQ(done.count, 10);
}

TEST(s5_3_first_error_waits_for_all_when_nobody_fails_and_a_cancel_is_no_failure)
{
    struct job jobs[] = {{hr_ms(10)}, {hr_ms(20)}, {hr_ms(30)}};
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    spawn(&all, jobs, 3);
    test_passes(1);
    hr_task_cancel(all.items[0], NULL);
    ASSERT_ERR(hr_wait(&all, HR_FIRST_ERROR, HR_FOREVER), 3);
    ASSERT_EQ(test_clock_now(), hr_ms(30));
}

TEST(s5_2_first_error_ends_with_the_first_that_fails)
{
    struct job jobs[] = {
        {hr_ms(10)},
        {hr_ms(20), -EIO},
        {hr_ms(30)        }
    };
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    spawn(&all, jobs, 3);
    ASSERT_ERR(hr_wait(&all, HR_FIRST_ERROR, HR_FOREVER), 2);
    ASSERT_EQ(test_clock_now(), hr_ms(20));
    ASSERT_ERR(hr_future_status(all.items[1]), -EIO);
    hr_task_cancel(all.items[2], NULL);
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, HR_FOREVER), 3);
}

TEST(s5_4_a_timeout_returns_what_is_done_and_cancels_nobody)
{
    struct job jobs[10];
    for (int i = 0; i < 10; i++)
        jobs[i] = (struct job){hr_ms(100 * (i + 1))};
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    spawn(&all, jobs, 10);
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, hr_ms(450)), 4);
    ASSERT_EQ(done(&all), 0xf);
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, HR_FOREVER), 10); /* 5.13 */
    for (int i = 0; i < 10; i++)
        ASSERT_ERR(hr_future_status(all.items[i]), 0);
}

TEST(s5_5_a_timeout_of_zero_returns_what_is_done_now)
{
    struct job jobs[] = {{hr_ms(10)}, {hr_ms(20)}};
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    spawn(&all, jobs, 2);
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, 0), 0);
    ASSERT_ERR(hr_sleep(hr_ms(15)), 0);
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, 0), 1);
    ASSERT_EQ(test_clock_now(), hr_ms(15));
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, HR_FOREVER), 2);
}

TEST(s5_6_wait_reads_no_error)
{
    struct job jobs[] = {
        {hr_ms(10), -EIO}
    };
    struct hr_futures all = {0};
    spawn(&all, jobs, 1);
    ASSERT_ERR(hr_wait(&all, HR_FIRST_ERROR, HR_FOREVER), 1);
    hr_futures_done(&all);
    ASSERT_STR(test_report(), "job: task failed and nobody read its error: job failed");
}

struct waiting {
    struct hr_futures *all;
    int result;
};

static int wait_for_all(void *arg)
{
    struct waiting *w = arg;
    w->result = hr_wait(w->all, HR_ALL_COMPLETED, hr_seconds(9));
    return w->result;
}

TEST(s5_7_s5_8_a_cancelled_wait_leaves_its_members_alone)
{
    struct job jobs[] = {
        {hr_ms(10), 1},
        {hr_ms(20), 2}
    };
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    spawn(&all, jobs, 2);
    struct waiting w = {&all};
    hr_task *waiter = hr_create_task("waiter", wait_for_all, &w);
    test_passes(2);
    hr_task_cancel(waiter, NULL);
    ASSERT_ERR(hr_join(waiter), -ECANCELED); /* its frame is gone: a watch left behind would show */
    ASSERT_EQ(done(&all), 0);
    ASSERT_ERR(hr_gather(&all, 0), 0);
    ASSERT_ERR(hr_future_status(all.items[1]), 2);
}

TEST(s5_9_an_empty_list_and_an_unknown_mode_are_misuse)
{
    struct job jobs[] = {{0}};
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, HR_FOREVER), -EINVAL);
    spawn(&all, jobs, 1);
    ASSERT_ERR(hr_wait(&all, (enum hr_wait_until)(HR_FIRST_ERROR + 1), HR_FOREVER), -EINVAL);
    ASSERT_ERR(hr_wait(&all, (enum hr_wait_until)7, HR_FOREVER), -EINVAL);
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, HR_FOREVER), 1);
    (void)hr_fail(-EMFILE, "no descriptor for it");
    hr_futures_add(&all, NULL);
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, HR_FOREVER), -EMFILE);
    ASSERT_STR(hr_error_message(-EMFILE), "no descriptor for it");
}

TEST(s5_10_s5_11_a_condition_that_holds_already_returns_promptly)
{
    struct job jobs[] = {{hr_ms(10)}, {hr_ms(10)}, {hr_ms(90)}};
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    spawn(&all, jobs, 3);
    ASSERT_ERR(hr_wait(&all, HR_FIRST_COMPLETED, HR_FOREVER), 2);
    ASSERT_ERR(hr_wait(&all, HR_FIRST_COMPLETED, HR_FOREVER), 2);
    ASSERT_EQ(test_clock_now(), hr_ms(10));
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, HR_FOREVER), 3);
}

TEST(s5_12_a_member_due_with_the_timeout_and_armed_later_is_pending)
{
    struct job jobs[] = {{hr_ms(10)}};
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    spawn(&all, jobs, 1); /* it goes to sleep once wait suspends */
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, hr_ms(10)), 0);
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, hr_ms(10)), 1);
}

static bool unwatched(const struct hr_futures *all)
{
    for (size_t i = 0; i < all->count; i++) {
        if (!hr_list_empty(&all->items[i]->watches))
            return false;
    }
    return true;
}

TEST(s5_7_nothing_of_a_wait_stays_on_its_members_however_it_ends)
{
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 40; i++) /* more than a wait has room for on its stack */
        hr_futures_add(&all, hr_future_new(NULL));
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, hr_ms(5)), 0);
    ASSERT_TRUE(unwatched(&all));

    struct waiting w = {&all};
    hr_task *waiter = hr_create_task("waiter", wait_for_all, &w);
    test_passes(1);
    ASSERT_FALSE(unwatched(&all));
    hr_task_cancel(waiter, NULL);
    ASSERT_ERR(hr_join(waiter), -ECANCELED);
    ASSERT_TRUE(unwatched(&all));

    hr_future_set_error(all.items[3], -EIO, "no luck");
    ASSERT_ERR(hr_wait(&all, HR_FIRST_ERROR, HR_FOREVER), 1);
    ASSERT_TRUE(unwatched(&all));
    ASSERT_ERR(hr_future_status(all.items[3]), -EIO);
}

TEST(s5_14_a_sleep_that_is_a_future_is_a_member)
{
    struct job jobs[] = {{hr_seconds(1)}, {hr_seconds(2)}};
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    spawn(&all, jobs, 1);
    hr_futures_add(&all, hr_sleep_future(hr_seconds(5), NULL, NULL));
    spawn(&all, &jobs[1], 1);
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, HR_FOREVER), 3);
    ASSERT_EQ(test_clock_now(), hr_seconds(5));
}

TEST(s5_14_sleeps_are_members_like_others)
{
    struct job jobs[] = {{hr_seconds(1)}, {hr_seconds(5)}, {hr_seconds(2)}};
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    spawn(&all, jobs, 3);
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, HR_FOREVER), 3);
    ASSERT_EQ(test_clock_now(), hr_seconds(5));
}

struct started {
    int *order, *count, number;
};

static int start(void *arg)
{
    struct started *s = arg;
    s->order[(*s->count)++] = s->number;
    return 0;
}

TEST(s5_15_members_start_in_spawn_order)
{
    int order[3], count = 0;
    struct started s[3];
    hr_future *tasks[3];
    for (int i = 0; i < 3; i++) {
        s[i] = (struct started){order, &count, i};
        tasks[i] = hr_create_task(NULL, start, &s[i]);
    }
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 2; i >= 0; i--)
        hr_futures_add(&all, tasks[i]);
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, HR_FOREVER), 3);
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(order[i], i);
}

TEST(s5_13_what_is_pending_can_be_waited_for_again)
{
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 3; i++)
        hr_futures_add(&all, hr_future_new(NULL));
    for (int i = 0; i < 3; i++) {
        ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, hr_ms(5)), i);
        hr_future_set_status(all.items[i], 0);
    }
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, hr_ms(5)), 3);
    ASSERT_EQ(test_clock_now(), hr_ms(15));
}
