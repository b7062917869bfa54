/* SPDX-License-Identifier: MIT */
/*
 * Reports, semantics 21 and 11.21.
 */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/loop.h"
#include "tests/support/hrtest.h"

static int line_of_fail;

static int fail(void *arg)
{
    line_of_fail = __LINE__ + 1;
    return hr_fail_because(hr_fail(-EIO, "no luck") == -EIO ? -EPIPE : 0, "so it broke");
}

static int nap(void *ms)
{
    return hr_sleep(hr_ms((intptr_t)ms));
}

static struct {
    int count;
    char message[96], error[96], cause[96], task[32];
} seen;

static void see(const struct hr_report *report, void *cookie)
{
    const struct hr_error *error = report->error;
    seen.count++;
    snprintf(seen.message, sizeof(seen.message), "%s", report->message);
    snprintf(seen.task, sizeof(seen.task), "%s", report->task);
    snprintf(seen.error, sizeof(seen.error), "%.90s", error ? error->message : "");
    snprintf(seen.cause, sizeof(seen.cause), "%.90s",
             error && error->cause ? error->cause->message : "");
    ++*(int *)cookie;
}

TEST(s11_21_s21_3_a_report_tells_what_happened_why_and_to_whom)
{
    int cookie = 0;
    seen.count = 0;
    hr_loop_set_report(hr_running_loop(), see, &cookie);
    ASSERT_ERR(hr_spawn("luckless", fail, NULL), 0);
    test_passes(2);
    hr_loop_set_report(hr_running_loop(), test_report_collect, NULL);
    ASSERT_EQ(seen.count, 1);
    ASSERT_EQ(cookie, 1);
    ASSERT_STR(seen.message, "task failed and nobody read its error");
    ASSERT_STR(seen.task, "luckless");
    ASSERT_STR(seen.error, "so it broke");
    ASSERT_STR(seen.cause, "no luck");
}

static int spawn_luckless(void *arg)
{
    ASSERT_ERR(hr_spawn("luckless", fail, NULL), 0);
    return hr_sleep(hr_ms(1));
}

TEST_PLAIN(s11_21_s21_1_by_default_reports_go_to_standard_error_with_the_places)
{
    int ends[2], before = dup(STDERR_FILENO);
    char said[300] = "";
    ASSERT_EQ(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    int r = hr_run(spawn_luckless, NULL);
    dup2(before, STDERR_FILENO);
    close(before);
    close(ends[1]);
    ASSERT_TRUE(read(ends[0], said, sizeof(said) - 1) > 0);
    close(ends[0]);
    ASSERT_ERR(r, 0);
    char expected[300];
    snprintf(expected, sizeof(expected),
             "headrace: luckless: task failed and nobody read its error: so it broke (EPIPE at "
             "test_report.c:%d), because no luck (EIO at test_report.c:%d)\n",
             line_of_fail, line_of_fail);
    ASSERT_STR(said, expected);
}

TEST(s21_4_a_lost_error_is_reported_once)
{
    hr_future *future = hr_future_new(NULL);
    hr_future_ref(future);
    ASSERT_ERR(hr_future_set_error(future, -EIO, "no luck"), 0);
    hr_future_unref(future);
    ASSERT_PTR(test_report(), NULL); /* somebody holds it yet */
    hr_future_unref(future);
    ASSERT_TRUE(strstr(test_report(), "no luck"));
    ASSERT_PTR(test_report(), NULL);

    hr_task *task = hr_create_task("read", fail, NULL);
    ASSERT_ERR(hr_await(task), -EPIPE);
    hr_future_unref(task);
    ASSERT_PTR(test_report(), NULL);
}

static int fail_at_the_end(void *arg)
{
    int r = hr_sleep(hr_seconds(60));
    return r < 0 ? hr_fail(-EIO, "cleaning up failed") : 0;
}

static int hold_up(void *arg)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    return 0;
}

static int leave_and_hold_up(void *arg)
{
    hr_loop_set_report(hr_running_loop(), test_report_collect, NULL);
    hr_future *unread = hr_future_new(NULL);
    hr_future_set_error(unread, -EIO, "unread");
    hr_future_unref(unread);
    ASSERT_ERR(hr_spawn("left", fail_at_the_end, NULL), 0);
    return hr_join(hr_create_task("slow", hold_up, NULL));
}

TEST_PLAIN(s21_5_what_nobody_would_learn_is_reported)
{
    struct hr_loop_options options = {.slow_slice = hr_ms(5)};
    ASSERT_ERR(hr_run_with(&options, leave_and_hold_up, NULL), 0);
    ASSERT_STR(test_report(), "main: future failed and nobody read its error: unread");
    ASSERT_TRUE(strstr(test_report(), "slow: held the loop up for "));
    ASSERT_STR(test_report(), "left: task failed during shutdown: cleaning up failed");
    ASSERT_PTR(test_report(), NULL);
}

TEST(s21_6_a_cancel_is_never_reported)
{
    hr_task *task = hr_create_task(NULL, nap, (void *)60000);
    test_passes(1);
    hr_task_cancel(task, "enough");
    hr_future_unref(task);
    test_passes(2);
    hr_future *future = hr_future_new(NULL);
    hr_future_cancel(future, "enough");
    hr_future_unref(future);
    ASSERT_PTR(test_report(), NULL);
}

static void fail_in_callback(void *arg)
{
    hr_fail(-EIO, "a callback's own affair");
}

static void note_call(void *arg)
{
    *(bool *)arg = true;
}

TEST(s11_22_a_callback_cannot_fail_its_pass)
{
    bool called = false;
    ASSERT_TRUE(hr_call_soon(fail_in_callback, NULL));
    ASSERT_TRUE(hr_call_soon(note_call, &called));
    test_passes(1);
    ASSERT_TRUE(called);
    ASSERT_PTR(test_report(), NULL);
}
