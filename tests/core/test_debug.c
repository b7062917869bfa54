/* SPDX-License-Identifier: MIT */
/*
 * What a loop tells those who look for a fault, semantics 11.20, 12.15 and 2.19.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/dump.h"
#include "core/event.h"
#include "core/group.h"
#include "core/lock.h"
#include "core/loop.h"
#include "core/loop_thread.h"
#include "core/place.h"
#include "core/submit.h"
#include "tests/support/hrtest.h"

static int hold_up(void *arg)
{
    hr_usec start = hr_clock_monotonic()->now(NULL);
    while (hr_clock_monotonic()->now(NULL) - start < hr_ms(5))
        continue;
    return 0;
}

TEST_PLAIN(s11_20_a_slow_slice_is_reported_by_name)
{
    struct hr_loop_options options = {.slow_slice = hr_ms(3)};
    hr_loop *loop = hr_loop_new(&options);
    hr_loop_set_report(loop, test_report_collect, NULL);
    struct hr_task_options task = {.name = "hog", .loop = loop};
    ASSERT_ERR(hr_loop_run_until_complete(loop, hr_create_task_with(&task, hold_up, NULL)), 0);
    const char *report = test_report();
    ASSERT_TRUE(report && strncmp(report, "hog: held the loop up for ", 26) == 0);
    struct hr_loop_stats stats;
    hr_loop_get_stats(loop, &stats);
    ASSERT_EQ(stats.slow_slices, 1);
    ASSERT_TRUE(stats.longest >= hr_ms(5));
    hr_loop_get_stats(loop, &stats);
    ASSERT_EQ(stats.longest, 0);
    hr_loop_free(loop);
}

static void hold_up_by_callback(void *arg)
{
    hold_up(arg);
}

static void hold_up_when_done(hr_future *future, void *arg)
{
    hold_up(arg);
}

/* Has a callback hold the loop up and returns the name under which it is reported. */
static const char *name_of_slow(hr_loop *loop, bool when_done)
{
    static char name[100];
    hr_future *future = hr_future_new(loop);
    if (when_done)
        ASSERT_ERR(hr_future_add_done_callback(future, hold_up_when_done, NULL), 0);
    else
        ASSERT_ERR(hr_call_soon_threadsafe(loop, hold_up_by_callback, NULL), 0);
    hr_future_set_status(future, 0);
    ASSERT_ERR(hr_loop_run_until_complete(loop, future), 0);
    const char *report = test_report(), *end = report ? strstr(report, ": held the loop up") : NULL;
    ASSERT_TRUE(end);
    snprintf(name, sizeof(name), "%.*s", (int)(end - report), report);
    return name;
}

TEST_PLAIN(s11_20_a_slow_callback_is_reported_by_its_place)
{
    struct hr_loop_options options = {.slow_slice = hr_ms(3)};
    hr_loop *loop = hr_loop_new(&options);
    char place[HR__PLACE_MAX], expected[100];
    hr_loop_set_report(loop, test_report_collect, NULL);
    hr__place_text((const void *)hold_up_by_callback, place, sizeof(place));
    snprintf(expected, sizeof(expected), "callback %s", place);
    ASSERT_TRUE(strncmp(place, "test-core+0x", 12) == 0);
    ASSERT_STR(name_of_slow(loop, false), expected);
    hr__place_text((const void *)hold_up_when_done, place, sizeof(place));
    snprintf(expected, sizeof(expected), "callback %s", place);
    ASSERT_STR(name_of_slow(loop, true), expected);
    hr_loop_free(loop);
}

static int nap(void *arg)
{
    return hr_sleep(hr_ms(1));
}

/* The place at which the task of that name was made, out of a dump. */
static void place_of(const char *name, char *place, size_t size)
{
    char *text = NULL;
    size_t length;
    FILE *file = open_memstream(&text, &length);
    hr_dump_tasks(NULL, file);
    fclose(file);
    const char *line = strstr(text, name);
    const char *from = line ? strstr(line, ", made at ") : NULL;
    ASSERT_TRUE(from);
    snprintf(place, size, "%.*s", (int)strcspn(from + 10, ",\n"), from + 10);
    free(text);
}

static int made;

/* The calls are not the last thing that is done here: those would return to where this does. */
__attribute__((noinline)) static hr_task *make(int way, const char *name,
                                               struct hr_task_group *group)
{
    hr_task *task = NULL;
    if (way == 0)
        task = hr_create_task(name, nap, NULL);
    else if (way == 1)
        task = hr_create_task_with(&(struct hr_task_options){.name = name}, nap, NULL);
    else if (way == 2)
        task = hr_start_task(name, nap, NULL);
    else if (way == 3)
        task = hr_ensure_task(NULL, name, nap, NULL);
    else if (way == 4)
        task = hr_future_ref(hr_task_group_spawn(group, name, nap, NULL));
    else if (way == 5)
        hr_thread_future_unref(hr_submit(hr_running_loop(), name, nap, NULL));
    else
        ASSERT_ERR(hr_spawn(name, nap, NULL), 0);
    made++;
    return task;
}

/* Each way of making a task is called from a line of its own above, so the places are different
 * ones, of this file, and the same each time. */
TEST_REAL(s2_19_s11_20_a_dump_tells_where_a_task_was_made)
{
    enum { WAYS = 7 };
    char places[WAYS][HR__PLACE_MAX], again[HR__PLACE_MAX];
    made = 0;
    struct hr_task_group group = {0};
    ASSERT_ERR(hr_task_group_enter(&group), 0);
    for (int way = 0; way < WAYS; way++) {
        for (int round = 0; round < 2; round++) {
            char name[] = {'w', (char)('0' + way), (char)('a' + round), '\0'};
            hr_task *task = make(way, name, &group);
            test_passes(1);
            place_of(name, round ? again : places[way], HR__PLACE_MAX);
            hr_future_unref(task);
        }
        ASSERT_STR(again, places[way]);
        ASSERT_TRUE(strncmp(again, "test-core+0x", 12) == 0);
        for (int other = 0; other < way; other++)
            ASSERT_FALSE(strcmp(places[way], places[other]) == 0);
    }
    ASSERT_ERR(hr_task_group_leave(&group, 0), 0);
    struct hr_loop_stats stats;
    do {
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
        hr_loop_get_stats(hr_running_loop(), &stats);
    } while (stats.tasks > 1 || stats.ready > 0);
    ASSERT_EQ(made, 2 * WAYS);
}

/* Hands of another thread on what has no code to refuse them. */

static hr_event bell;
static hr_lock door;
static hr_handle *later;

static void never(void *arg)
{
    abort();
}

static int wait_for_bell(void *arg)
{
    later = hr_call_later(hr_seconds(3600), never, NULL);
    return hr_event_wait(&bell);
}

static int wait_at_door(void *arg)
{
    return hr_lock_acquire(&door);
}

/* Does one of these things with a loop that another thread runs, and reads what is said then. */
static int lay_hands_on(int what, char *said, size_t size)
{
    int ends[2], status = 0;
    ASSERT_EQ(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL); /* cmocka has a handler of its own */
        struct hr_loop_options options = {.debug = true};
        hr_loop_thread *thread = hr_loop_thread_new("loop", &options);
        hr_loop *loop = hr_loop_thread_loop(thread);
        hr_event_init(&bell);
        hr_lock_init(&door);
        (void)hr_lock_try(&door);
        hr_submit(loop, NULL, wait_for_bell, NULL);
        hr_submit(loop, NULL, wait_at_door, NULL);
        (void)hr_thread_future_wait(hr_submit(loop, NULL, nap, NULL), HR_FOREVER);
        if (what == 0)
            hr_event_set(&bell);
        else if (what == 1)
            hr_lock_release(&door);
        else if (what == 2)
            hr_handle_cancel(later);
        else
            hr_loop_stop(loop);
        _exit(7);
    }
    close(ends[1]);
    ssize_t length = read(ends[0], said, size - 1);
    said[length > 0 ? length : 0] = '\0';
    close(ends[0]);
    ASSERT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST_PLAIN(s11_20_s12_15_in_debug_mode_another_threads_hands_end_the_program)
{
    static const char *const messages[] = {
        "headrace: waiting tasks are called by a thread that does not run the loop",
        "headrace: waiting tasks are called by a thread that does not run the loop",
        "headrace: a callback is cancelled by a thread that does not run the loop",
        "headrace: a loop is stopped by a thread that does not run the loop",
    };
    char said[2000];
    for (int what = 0; what < 4; what++) {
        ASSERT_EQ(lay_hands_on(what, said, sizeof(said)), -SIGABRT);
        ASSERT_TRUE(strncmp(said, messages[what], strlen(messages[what])) == 0);
    }
}
