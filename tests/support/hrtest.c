/* SPDX-License-Identifier: MIT */
/*
 * How it works: constructors collect the tests, main() hands them to cmocka. cmocka fails by
 * longjmp(), which must not cross stacks: a failure inside a task is noted, the loop is stopped and
 * the task parked for good; cmocka is told once the loop's own stack runs again.
 */
#include "tests/support/hrtest.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/dump.h"
#include "core/park.h"
#include "tests/support/hrtest_impl.h"

#define TESTS_MAX   2000
#define REPORTS_MAX 16
#define TEXT_MAX    400

static struct test tests[TESTS_MAX];
static size_t test_count;

void (*test_failed)(const char *failure);
bool (*test_starved)(void);

static struct {
    hr_loop *loop;
    struct hr_virtual_clock clock;
    bool (*jump)(struct hr_clock *clock, hr_usec until);
    hr_usec start;
    char failure[TEXT_MAX];
    char reports[REPORTS_MAX][TEXT_MAX];
    size_t report_count, reports_read;
} run;

void test_register(const char *name, const char *file, enum test_clock clock, void (*body)(void))
{
    if (test_count == TESTS_MAX) {
        fprintf(stderr, "%s: too many tests\n", file);
        exit(1);
    }
    tests[test_count++] = (struct test){name, file, clock, body};
}

hr_usec test_clock_now(void)
{
    return hr__clock_now(run.loop) - run.start;
}

void test_clock_advance(hr_usec span)
{
    run.clock.now += span;
}

hr_usec test_patience(hr_usec span)
{
    const char *times = getenv("HEADRACE_SLOWER");
    return times && atoi(times) > 1 ? span * atoi(times) : span;
}

bool test_emulated(void)
{
    return getenv("HEADRACE_EMULATED");
}

void test_passes(int n)
{
    while (n-- > 0) {
        if (hr_yield() < 0)
            test_fail(__FILE__, __LINE__, "cancelled while it waited for other tasks");
    }
}

bool test_dump_says(const char *text)
{
    char *dump = NULL;
    size_t size;
    FILE *file = open_memstream(&dump, &size);
    hr_dump_tasks(NULL, file);
    fclose(file);
    bool says = strstr(dump, text);
    free(dump);
    return says;
}

bool test_strings_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

void test_report_collect(const struct hr_report *report, void *cookie)
{
    size_t slot = run.report_count++ % REPORTS_MAX;
    const struct hr_error *error = report->error;
    snprintf(run.reports[slot], TEXT_MAX, "%s%s%s%s%s", report->task, report->task[0] ? ": " : "",
             report->message, error ? ": " : "", error ? error->message : "");
}

const char *test_report(void)
{
    if (run.reports_read == run.report_count)
        return NULL;
    return run.reports[run.reports_read++ % REPORTS_MAX];
}

static _Noreturn void tell_failure(void)
{
    if (test_failed)
        test_failed(run.failure);
    fail_msg("%s", run.failure);
    abort();
}

_Noreturn void test_fail(const char *file, int line, const char *fmt, ...)
{
    size_t length = (size_t)snprintf(run.failure, TEXT_MAX, "%s:%d: ", file, line);
    va_list args;
    va_start(args, fmt);
    vsnprintf(run.failure + length, TEXT_MAX - length, fmt, args);
    va_end(args);

    if (!hr_current_task())
        tell_failure(); /* the loop's stack is cmocka's own */

    if (test_failed && hr_running_loop() != run.loop)
        tell_failure(); /* the test's own loop would wait for this task */
    struct hr__waiter forever;
    hr_loop_stop(hr_running_loop());
    hr__task_hold_cancels(hr_current_task(), true);
    for (;;) {
        if (hr__waiter_init(&forever) < 0 || hr__park(&forever, "nothing: its test failed") < 0)
            abort();
    }
}

void *test_made(const void *made)
{
    if (!made && test_starved && test_starved())
        test_fail(__FILE__, __LINE__, "it could not be made");
    return (void *)made;
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static int run_body(void *arg)
{
    const struct test *test = arg;
    test->body();

    struct hr_loop_stats stats;
    hr_loop_get_stats(run.loop, &stats);
    ASSERT_EQ(stats.tasks, 1); /* this one */
    ASSERT_EQ(stats.timers, 0);
    ASSERT_EQ(stats.watches, 0);
    if (stats.ready > 0) { /* what is cancelled when it was due already goes with the pass */
        ASSERT_ERR(hr_yield(), 0);
        hr_loop_get_stats(run.loop, &stats);
    }
    ASSERT_EQ(stats.ready, 0);
    ASSERT_EQ(run.loop->futures, 1);
    return 0;
}

/* On the virtual clock nothing comes from outside: a loop that would sleep for ever is stuck. */
static bool jump_or_fail(struct hr_clock *clock, hr_usec until)
{
    if (until == HR_FOREVER) {
        hr_dump_tasks(run.loop, stderr);
        snprintf(run.failure, TEXT_MAX, "stuck: every task waits, and nothing will come");
        hr_loop_stop(run.loop);
        return true;
    }
    return run.jump(clock, until);
}

static void run_on_loop(const struct test *test)
{
    struct hr_loop_options options = {0};
    if (test->clock == TEST_CLOCK_VIRTUAL) {
        hr_virtual_clock_init(&run.clock, 0);
        run.jump = run.clock.clock.jump;
        run.clock.clock.jump = jump_or_fail;
        options.clock = &run.clock.clock;
    }
    run.loop = hr_loop_new(&options);
    ASSERT_TRUE(run.loop);
    run.start = hr__clock_now(run.loop);
    hr_loop_set_report(run.loop, test_report_collect, NULL);

    hr_task *main_task = hr_create_task_with(
        &(struct hr_task_options){.name = "test", .loop = run.loop}, run_body, (void *)test);
    int r = hr_loop_run_until_complete(run.loop, main_task);
    if (run.failure[0])
        tell_failure();
    if (r < 0)
        test_fail(__FILE__, __LINE__, "the test ended with %s: %s", hr_error_name(r),
                  hr_error_message(r));
    run.loop = hr_loop_free(run.loop);
}

void test_close_loop(void)
{
    if (!run.loop || hr__loop_running)
        return;
    run.clock.clock.jump = run.jump;
    run.loop->shutdown_limit = hr_ms(20); /* whoever failed stays where he is */
    hr_loop_close(run.loop);
}

void test_run(const struct test *test)
{
    size_t descriptors = open_descriptors();
    run.failure[0] = '\0';
    run.report_count = run.reports_read = 0;
    run.loop = NULL;
    hr__loop_running = NULL; /* a test that failed in a callback left its loop running */

    if (test->clock == TEST_CLOCK_NONE)
        test->body();
    else
        run_on_loop(test);
    if (run.failure[0]) /* in a task of a loop that the test made itself */
        tell_failure();

    const char *report = test_report();
    if (report)
        test_fail(__FILE__, __LINE__, "a report that nobody looked at: %s", report);
    if (open_descriptors() != descriptors)
        test_fail(__FILE__, __LINE__, "%zu descriptors are open, before the test %zu were",
                  open_descriptors(), descriptors);
}

static void run_case(void **state)
{
    test_run(*state);
}

static bool matches(const struct test *test, int argc, char **argv)
{
    bool asked = false, wanted = false;
    for (int i = 0; i < argc; i++) {
        bool out = argv[i][0] == '-';
        bool here = strstr(test->name, argv[i] + out) || strstr(test->file, argv[i] + out);
        if (out && here)
            return false;
        asked |= !out;
        wanted |= here && !out;
    }
    return wanted || !asked;
}

const struct test *test_selected(size_t index, int argc, char **argv)
{
    for (size_t i = 0; i < test_count; i++) {
        if (matches(&tests[i], argc, argv) && index-- == 0)
            return &tests[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (test_process_functions)
        hr_process_pool_main(argc, argv, test_process_functions);
    signal(SIGINT, SIG_DFL); /* a shell ignores it for what it runs in the background */
    static struct CMUnitTest units[TESTS_MAX];
    if (test_torture && argc > 1 && strcmp(argv[1], "--torture") == 0)
        return test_torture(argc - 2, argv + 2);
    size_t count = 0;
    for (const struct test *test; (test = test_selected(count, argc - 1, argv + 1)); count++)
        units[count] = (struct CMUnitTest){test->name, run_case, NULL, NULL, (void *)test};
    return _cmocka_run_group_tests("headrace", units, count, NULL, NULL);
}
