/* SPDX-License-Identifier: MIT */
/*
 * Patched sleeps, on the virtual clock: a plain one would not move it.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/cancel_scope.h"
#include "core/gather.h"
#include "core/timeout.h"
#include "tests/support/hrtest.h"

static char order[32];

static void note(char letter)
{
    size_t length = strlen(order);
    ASSERT_TRUE(length + 1 < sizeof(order));
    order[length] = letter;
    order[length + 1] = '\0';
}

static int spawn_three(hr_task_fn *fn)
{
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    order[0] = '\0';
    for (const char *name = "ABC"; *name; name++)
        hr_futures_add(&tasks, hr_create_task(NULL, fn, (void *)name));
    return hr_gather(&tasks, 0);
}

static int five_sleeps(void *name)
{
    for (int i = 0; i < 5; i++) {
        note(*(char *)name);
        ASSERT_EQ(usleep(500000), 0);
    }
    return 0;
}

TEST(s19_1_s19_14_three_tasks_of_five_sleeps_take_the_time_of_one_in_rounds)
{
    ASSERT_ERR(spawn_three(five_sleeps), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(2500));
    ASSERT_STR(order, "ABCABCABCABCABC");
}

static int twice(void *name)
{
    const struct timespec nothing = {0};
    note(*(char *)name);
    ASSERT_EQ(nanosleep(&nothing, NULL), 0);
    note(*(char *)name);
    return 0;
}

TEST(s19_11_a_sleep_of_nothing_lets_every_ready_task_run_once)
{
    ASSERT_ERR(spawn_three(twice), 0);
    ASSERT_STR(order, "ABCABC");
    ASSERT_EQ(test_clock_now(), 0);
}

static int sleep_for_ever(void *arg)
{
    const struct timespec never = {.tv_sec = INT64_MAX};
    int error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &never, NULL);
    return -error;
}

TEST(a_moment_that_is_further_than_any_span_is_not_now)
{
    hr_task *sleeper = hr_create_task(NULL, sleep_for_ever, NULL);
    ASSERT_ERR(hr_sleep(hr_seconds(1000)), 0);
    ASSERT_FALSE(hr_future_done(sleeper));
    hr_task_cancel(sleeper, NULL);
    ASSERT_ERR(hr_join(sleeper), -ECANCELED);
}

TEST(every_sleep_is_as_long_as_it_says)
{
    ASSERT_EQ(sleep(3), 0);
    ASSERT_EQ(test_clock_now(), hr_seconds(3));
    ASSERT_EQ(nanosleep(&(struct timespec){1, 1500}, NULL), 0); /* rounded up, never early */
    ASSERT_EQ(test_clock_now(), hr_seconds(4) + 2);
    ASSERT_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){2, 0}, NULL), 0);
    ASSERT_EQ(test_clock_now(), hr_seconds(6) + 2);

    struct timespec moment;
    clock_gettime(CLOCK_REALTIME, &moment);
    moment.tv_sec += 100;
    ASSERT_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &moment, NULL), 0);
    hr_usec slept = test_clock_now() - hr_seconds(6);
    ASSERT_TRUE(slept > hr_seconds(40) && slept <= hr_seconds(101)); /* the real clock goes on */
    moment.tv_sec -= 100000;
    ASSERT_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &moment, NULL), 0);
    ASSERT_EQ(test_clock_now() - hr_seconds(6), slept);
}

TEST(what_a_plain_sleep_refuses_is_refused)
{
    errno = 0;
    ASSERT_EQ(nanosleep(&(struct timespec){0, 1000000000}, NULL), -1);
    ASSERT_EQ(errno, EINVAL);
    ASSERT_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){0, -1}, NULL), EINVAL);
    ASSERT_EQ(clock_nanosleep(1000, 0, &(struct timespec){0, 1}, NULL), EINVAL);
}

TEST(s19_12_a_limit_interrupts_a_sleep_which_says_what_is_left)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_seconds(2)), 0);
    errno = 0;
    ASSERT_EQ(sleep(5), 3);
    ASSERT_EQ(errno, ECANCELED);
    ASSERT_ERR(hr_timeout_leave(&limit, -errno), -ETIMEDOUT);
    ASSERT_EQ(test_clock_now(), hr_seconds(2));

    struct timespec left;
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(1)), 0);
    ASSERT_EQ(nanosleep(&(struct timespec){1, 0}, &left), -1);
    ASSERT_EQ(errno, ECANCELED);
    ASSERT_EQ(left.tv_sec, 0);
    ASSERT_EQ(left.tv_nsec, 999000000);
    ASSERT_EQ(usleep(10), 0); /* a limit interrupts once */
    ASSERT_ERR(hr_timeout_leave(&limit, 0), 0);
}

TEST(in_a_cancelled_scope_no_sleep_lasts)
{
    struct hr_cancel_scope scope = {0};
    ASSERT_ERR(hr_cancel_scope_enter(&scope, hr_ms(5)), 0);
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(sleep(60), 60);
    ASSERT_ERR(hr_cancel_scope_leave(&scope, -ECANCELED), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(5));
}

static int sleeps(void *arg)
{
    return sleep(60) ? -errno : 0;
}

TEST(a_cancelled_sleeper_ends_cancelled)
{
    hr_auto(hr_future_unrefp) hr_task *task = hr_create_task(NULL, sleeps, NULL);
    test_passes(1);
    ASSERT_TRUE(hr_task_cancel(task, NULL));
    ASSERT_ERR(hr_await(task), -ECANCELED);
    ASSERT_EQ(hr_task_cancelling(task), 1);
}
