/* SPDX-License-Identifier: MIT */
/*
 * Runners and the end of a run, semantics 20.
 */
#include "core/runner.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "core/clock.h"
#include "core/executor.h"
#include "core/generator.h"
#include "tests/support/hrtest.h"

static int seven(void *arg)
{
    return 7;
}

static int nap(void *ms)
{
    return hr_sleep(hr_ms((intptr_t)ms));
}

static int spawn_nap(void *handle)
{
    *(hr_task **)handle = hr_create_task("napper", nap, (void *)50);
    return 1;
}

static int join_it(void *handle)
{
    return hr_join(*(hr_task **)handle);
}

TEST_PLAIN(s20_5_a_runner_runs_several_mains_on_one_loop)
{
    hr_runner *runner = hr_runner_new(NULL);
    hr_task *napper = NULL;
    ASSERT_ERR(hr_runner_run(runner, seven, NULL), 7);
    ASSERT_ERR(hr_runner_run(runner, spawn_nap, &napper), 1);
    ASSERT_FALSE(hr_future_done(napper));
    ASSERT_PTR(hr_future_loop(napper), hr_runner_loop(runner));
    ASSERT_ERR(hr_runner_run(runner, join_it, &napper), 0); /* it went on */
    ASSERT_PTR(hr_runner_free(runner), NULL);
    ASSERT_PTR(hr_runner_free(NULL), NULL);
}

static int run_inside(void *runner)
{
    return hr_runner_run(runner, seven, NULL);
}

TEST_PLAIN(s20_2_a_runner_does_not_run_inside_a_run)
{
    hr_runner *runner = hr_runner_new(NULL);
    ASSERT_ERR(hr_runner_run(runner, run_inside, runner), -EBUSY);
    ASSERT_ERR(hr_runner_run(runner, seven, NULL), 7);
    hr_runner_free(runner);
    ASSERT_PTR(hr_runner_new(&(struct hr_loop_options){.backend = "smoke signals"}), NULL);
}

static int never_ends(void *arg)
{
    int r;
    do
        r = hr_sleep(hr_seconds(1));
    while (r <= 0);
    return r;
}

static int leave_stubborn(void *arg)
{
    hr_loop_set_report(hr_running_loop(), test_report_collect, NULL);
    int r = hr_spawn("stubborn", never_ends, NULL);
    if (r == 0)
        r = hr_spawn("polite", nap, (void *)60000);
    return r < 0 ? r : hr_yield();
}

TEST_PLAIN(s20_15_what_is_left_when_the_limit_passes_is_reported_by_name)
{
    struct hr_virtual_clock clock;
    hr_virtual_clock_init(&clock, 0);
    struct hr_loop_options options = {.clock = &clock.clock, .shutdown_limit = hr_ms(2500)};
    ASSERT_ERR(hr_run_with(&options, leave_stubborn, NULL), 0);
    ASSERT_EQ(clock.now, hr_ms(2500));
    ASSERT_STR(test_report(), "stubborn: not over when the loop closed: waits for a moment");
    ASSERT_PTR(test_report(), NULL);
}

TEST_PLAIN(s20_15_a_limit_that_is_kept_changes_nothing)
{
    struct hr_virtual_clock clock;
    hr_virtual_clock_init(&clock, 0);
    struct hr_loop_options options = {.clock = &clock.clock, .shutdown_limit = hr_ms(2500)};
    hr_loop *loop = hr_loop_new(&options);
    struct hr_task_options task = {.loop = loop};
    hr_future_unref(hr_create_task_with(&task, nap, (void *)60000));
    ASSERT_ERR(hr_loop_close(loop), 0);
    ASSERT_EQ(clock.now, 0);
    hr_loop_free(loop);
}

static void cancel_each(hr_task *task, void *cookie)
{
    ASSERT_TRUE(hr_task_cancel(task, "interrupted"));
    ++*(int *)cookie;
}

static void cancel_all(void *cookie)
{
    hr_all_tasks(NULL, cancel_each, cookie);
    hr_loop_stop(hr_running_loop());
}

TEST_PLAIN(s20_11_by_hand_every_task_is_cancelled_and_awaited)
{
    struct hr_virtual_clock clock;
    hr_virtual_clock_init(&clock, 0);
    struct hr_loop_options options = {.clock = &clock.clock};
    hr_loop *loop = hr_loop_new(&options);
    hr_loop_set_report(loop, test_report_collect, NULL);
    struct hr_task_options task = {.loop = loop};
    hr_task *naps[3];
    for (int i = 0; i < 3; i++)
        naps[i] = hr_create_task_with(&task, nap, (void *)60000);
    int cancelled = 0;
    ASSERT_ERR(hr_call_soon_threadsafe(loop, cancel_all, &cancelled), 0);
    ASSERT_ERR(hr_loop_run_forever(loop), 0);
    ASSERT_EQ(cancelled, 3);
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_loop_run_until_complete(loop, naps[i]), -ECANCELED);
    ASSERT_ERR(hr_loop_close(loop), 0);
    ASSERT_EQ(clock.now, 0);
    hr_loop_free(loop); /* and no report, which the end of the test looks for */
}

static size_t entries_of(const char *path)
{
    size_t count = 0;
    DIR *dir = opendir(path);
    ASSERT_TRUE(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* The kernel tells a joined thread's end a moment before it takes it from the list. */
static void expect_threads(size_t count)
{
    for (int i = 0; i < 5000 && entries_of("/proc/self/task") > count; i++)
        usleep(1000);
    ASSERT_EQ(entries_of("/proc/self/task"), count);
}

static char ends[8];

static int work_in_pool(void *letter, void **ret_value)
{
    strcat(ends, letter);
    return 0;
}

/* The cleanup of the task uses the generator, and that of both the pool. */
static int clean_by_pool(hr_generator *self, void *arg)
{
    int r = hr_generator_yield(self, NULL, NULL);
    static char letter[] = "g";
    int cleaned = hr_join(hr_to_thread(work_in_pool, letter, NULL));
    return cleaned < 0 ? cleaned : r;
}

static int use_generator_at_the_end(void *generator)
{
    static char letter[] = "t";
    void *value;
    int r = hr_generator_next(generator, &value);
    if (r == 0)
        r = hr_sleep(hr_seconds(60));
    int cleaned = hr_join(hr_to_thread(work_in_pool, letter, NULL));
    return cleaned < 0 ? cleaned : r;
}

static int leave_both(void *generator)
{
    hr_loop_set_report(hr_running_loop(), test_report_collect, NULL);
    int r = hr_spawn("left", use_generator_at_the_end, generator);
    return r < 0 ? r : hr_yield();
}

TEST_PLAIN(s20_3_tasks_end_before_generators_and_those_before_the_pool)
{
    ends[0] = '\0';
    size_t threads = entries_of("/proc/self/task");
    hr_generator *generator = hr_generator_new(clean_by_pool, NULL);
    ASSERT_ERR(hr_run(leave_both, generator), 0);
    ASSERT_STR(ends, "tg");
    expect_threads(threads); /* a pool made after the end would stay */
    hr_generator_free(generator);
}

static int fail_to_close(hr_generator *self, void *arg)
{
    int r = hr_generator_yield(self, NULL, NULL);
    return r == HR_EEXIT ? hr_fail(-EIO, "the file is gone") : r;
}

static int leave_open(void *generator)
{
    void *value;
    hr_loop_set_report(hr_running_loop(), test_report_collect, NULL);
    return hr_generator_next(generator, &value);
}

TEST_PLAIN(s21_5_a_generator_that_fails_to_close_at_the_end_is_reported)
{
    hr_generator *generator = hr_generator_new(fail_to_close, NULL);
    ASSERT_ERR(hr_run(leave_open, generator), 0);
    ASSERT_STR(test_report(), "a generator that was left open failed to close: the file is gone");
    hr_generator_free(generator);
}

static int job(void *arg, void **ret_value)
{
    return 4;
}

static int use_everything(void *arg)
{
    int r = hr_join(hr_run_in_executor(NULL, job, NULL, NULL));
    ASSERT_TRUE(entries_of("/proc/self/task") > *(size_t *)arg); /* a thread of the pool's */
    hr_spawn(NULL, nap, (void *)60000);
    return r;
}

TEST_PLAIN(s20_16_after_the_run_no_descriptor_and_no_thread_is_left)
{
    size_t threads = entries_of("/proc/self/task"), descriptors = entries_of("/proc/self/fd");
    ASSERT_ERR(hr_run(use_everything, &threads), 4);
    expect_threads(threads);
    ASSERT_EQ(entries_of("/proc/self/fd"), descriptors);
}

static int look_at_interrupts(void *is_default)
{
    struct sigaction present;
    sigaction(SIGINT, NULL, &present);
    *(bool *)is_default = present.sa_handler == SIG_DFL;
    return 0;
}

static void *run_in_thread(void *is_default)
{
    return (void *)(intptr_t)hr_run(look_at_interrupts, is_default);
}

TEST_PLAIN(s20_6_a_run_outside_of_the_main_thread_leaves_interrupts_alone)
{
    pthread_t thread;
    void *r = NULL;
    bool is_default = false;
    ASSERT_EQ(pthread_create(&thread, NULL, run_in_thread, &is_default), 0);
    pthread_join(thread, &r);
    ASSERT_PTR(r, NULL);
    ASSERT_TRUE(is_default);
    ASSERT_ERR(hr_run(look_at_interrupts, &is_default), 0);
    ASSERT_FALSE(is_default);
}

static int leave_stubborn_and_fail(void *arg)
{
    int r = leave_stubborn(arg);
    return r < 0 ? r : hr_fail(-EIO, "main has failed");
}

TEST_PLAIN(s20_4_s20_15_what_fails_while_the_loop_closes_leaves_mains_error)
{
    struct hr_virtual_clock clock;
    hr_virtual_clock_init(&clock, 0);
    struct hr_loop_options options = {.clock = &clock.clock, .shutdown_limit = hr_ms(2500)};
    ASSERT_ERR(hr_run_with(&options, leave_stubborn_and_fail, NULL), -EIO);
    ASSERT_STR(hr_error_message(-EIO), "main has failed");
    ASSERT_TRUE(test_report());
}
