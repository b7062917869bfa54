/* SPDX-License-Identifier: MIT */
/*
 * Unit tests: a thin layer over cmocka. A test is a sentence that is true.
 *
 *     TEST(a_sleeper_wakes_up_on_time)
 *     {
 *         ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
 *         ASSERT_EQ(test_clock_now(), hr_ms(5));
 *     }
 *
 * The body runs in the main task of a fresh loop and must leave nothing behind: no task, future,
 * timer, watch or descriptor, and no report that it has not looked at. The files of a test program
 * are linked with hrtest.c, which has main(); arguments select tests by part of their name or of
 * their file's, -PART leaves them out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/headrace.h"

enum test_clock {
    TEST_CLOCK_VIRTUAL, /* starts at 0, jumps to the next deadline when nothing is ready */
    TEST_CLOCK_REAL,    /* for tests with descriptors and threads */
    TEST_CLOCK_NONE,    /* no loop at all: the test makes its own */
};

void test_register(const char *name, const char *file, enum test_clock clock, void (*body)(void));

#define TEST_WITH(name, clock)                                                                     \
    static void test_body_##name(void);                                                            \
    __attribute__((constructor)) static void test_add_##name(void)                                 \
    {                                                                                              \
        test_register(#name, __FILE__, clock, test_body_##name);                                   \
    }                                                                                              \
    static void test_body_##name(void)

#define TEST(name)       TEST_WITH(name, TEST_CLOCK_VIRTUAL)
#define TEST_REAL(name)  TEST_WITH(name, TEST_CLOCK_REAL)
#define TEST_PLAIN(name) TEST_WITH(name, TEST_CLOCK_NONE)

/* The functions that worker processes of this test program run; a program without them does not
 * define it. */
extern const struct hr_process_function test_process_functions[] __attribute__((weak));

/* How long the test has run on its loop's clock. */
hr_usec test_clock_now(void);

/* Moves the virtual clock on, as if the running slice had taken that long. */
void test_clock_advance(hr_usec span);

/* A limit on the real clock, so many times longer as HEADRACE_SLOWER in the environment says. */
hr_usec test_patience(hr_usec span);

/* Whether processes are emulated (HEADRACE_EMULATED is set), so that a program that is not there is
 * seen by its exit status only. */
bool test_emulated(void);

/* The oldest report not looked at yet, as "task: message: error's message", or NULL. Valid until
 * the next call. For loops that a test makes itself, test_report_collect is the function to set. */
const char *test_report(void);
void test_report_collect(const struct hr_report *report, void *cookie);

/* Lets every ready task and callback run, n times. */
void test_passes(int n);

/* Whether hr_dump_tasks() says that, of the running loop's tasks. */
bool test_dump_says(const char *text);

/* Ends the running test, from any task or callback of its thread. Tasks left behind stay as they
 * are; the next test has a new loop. */
_Noreturn void test_fail(const char *file, int line, const char *fmt, ...) hr_printf_like(3, 4);

#define ASSERT_TRUE(cond)                                                                          \
    do {                                                                                           \
        if (!(cond))                                                                               \
            test_fail(__FILE__, __LINE__, "not true: %s", #cond);                                  \
    } while (0)

#define ASSERT_FALSE(cond)                                                                         \
    do {                                                                                           \
        if (cond)                                                                                  \
            test_fail(__FILE__, __LINE__, "not false: %s", #cond);                                 \
    } while (0)

#define ASSERT_EQ(is, want)                                                                        \
    do {                                                                                           \
        int64_t test_is_ = (int64_t)(is), test_want_ = (int64_t)(want);                            \
        if (test_is_ != test_want_)                                                                \
            test_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #is, (long long)test_is_,        \
                      (long long)test_want_);                                                      \
    } while (0)

/* Compares codes and shows them by name: ASSERT_ERR(hr_await(f), -ECANCELED). */
#define ASSERT_ERR(is, want)                                                                       \
    do {                                                                                           \
        int test_is_ = (is), test_want_ = (want);                                                  \
        if (test_is_ != test_want_)                                                                \
            test_fail(__FILE__, __LINE__, "%s is %s (%d: %s), not %s", #is,                        \
                      hr_error_name(test_is_), test_is_, hr_error_message(test_is_),               \
                      hr_error_name(test_want_));                                                  \
    } while (0)

#define ASSERT_STR(is, want)                                                                       \
    do {                                                                                           \
        const char *test_is_ = (is), *test_want_ = (want);                                         \
        if (!test_strings_equal(test_is_, test_want_))                                             \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #is,                         \
                      test_is_ ? test_is_ : "(null)", test_want_ ? test_want_ : "(null)");         \
    } while (0)

#define ASSERT_PTR(is, want)                                                                       \
    do {                                                                                           \
        const void *test_is_ = (is), *test_want_ = (want);                                         \
        if (test_is_ != test_want_)                                                                \
            test_fail(__FILE__, __LINE__, "%s is %p, not %p", #is, (void *)test_is_,               \
                      (void *)test_want_);                                                         \
    } while (0)

bool test_strings_equal(const char *a, const char *b);

/* Under torture (tests/support/torture.c) a test is over when something could not be made that it
 * needs. */
void *test_made(const void *made);
#define TEST_MADE(call) ((__typeof__(call))test_made(call))

#define hr_as_completed_new(...)     TEST_MADE(hr_as_completed_new(__VA_ARGS__))
#define hr_call_at(...)              TEST_MADE(hr_call_at(__VA_ARGS__))
#define hr_call_later(...)           TEST_MADE(hr_call_later(__VA_ARGS__))
#define hr_call_soon(...)            TEST_MADE(hr_call_soon(__VA_ARGS__))
#define hr_child_spawn(...)          TEST_MADE(hr_child_spawn(__VA_ARGS__))
#define hr_create_task(...)          TEST_MADE(hr_create_task(__VA_ARGS__))
#define hr_create_task_with(...)     TEST_MADE(hr_create_task_with(__VA_ARGS__))
#define hr_ensure_task(...)          TEST_MADE(hr_ensure_task(__VA_ARGS__))
#define hr_executor_new(...)         TEST_MADE(hr_executor_new(__VA_ARGS__))
#define hr_executor_submit(...)      TEST_MADE(hr_executor_submit(__VA_ARGS__))
#define hr_executor_submit_with(...) TEST_MADE(hr_executor_submit_with(__VA_ARGS__))
#define hr_future_new(...)           TEST_MADE(hr_future_new(__VA_ARGS__))
#define hr_generator_new(...)        TEST_MADE(hr_generator_new(__VA_ARGS__))
#define hr_generator_new_sized(...)  TEST_MADE(hr_generator_new_sized(__VA_ARGS__))
#define hr_greenlet_current(...)     TEST_MADE(hr_greenlet_current(__VA_ARGS__))
#define hr_greenlet_new(...)         TEST_MADE(hr_greenlet_new(__VA_ARGS__))
#define hr_greenlet_new_sized(...)   TEST_MADE(hr_greenlet_new_sized(__VA_ARGS__))
#define hr_key_limiter_new(...)      TEST_MADE(hr_key_limiter_new(__VA_ARGS__))
#define hr_limiter_new(...)          TEST_MADE(hr_limiter_new(__VA_ARGS__))
#define hr_loop_new(...)             TEST_MADE(hr_loop_new(__VA_ARGS__))
#define hr_loop_thread_new(...)      TEST_MADE(hr_loop_thread_new(__VA_ARGS__))
#define hr_process_pool_new(...)     TEST_MADE(hr_process_pool_new(__VA_ARGS__))
#define hr_process_pool_submit(...)  TEST_MADE(hr_process_pool_submit(__VA_ARGS__))
#define hr_queue_new(...)            TEST_MADE(hr_queue_new(__VA_ARGS__))
#define hr_queue_new_with(...)       TEST_MADE(hr_queue_new_with(__VA_ARGS__))
#define hr_run_in_executor(...)      TEST_MADE(hr_run_in_executor(__VA_ARGS__))
#define hr_run_in_executor_with(...) TEST_MADE(hr_run_in_executor_with(__VA_ARGS__))
#define hr_run_in_process(...)       TEST_MADE(hr_run_in_process(__VA_ARGS__))
#define hr_runner_new(...)           TEST_MADE(hr_runner_new(__VA_ARGS__))
#define hr_sim_new(...)              TEST_MADE(hr_sim_new(__VA_ARGS__))
#define hr_sleep_future(...)         TEST_MADE(hr_sleep_future(__VA_ARGS__))
#define hr_start_task(...)           TEST_MADE(hr_start_task(__VA_ARGS__))
#define hr_submit(...)               TEST_MADE(hr_submit(__VA_ARGS__))
#define hr_task_group_spawn(...)     TEST_MADE(hr_task_group_spawn(__VA_ARGS__))
#define hr_to_thread(...)            TEST_MADE(hr_to_thread(__VA_ARGS__))
#define hr_futures_add(futures, future)                                                            \
    (hr_futures_add(futures, future), (void)test_made((futures)->failed ? NULL : (futures)))
