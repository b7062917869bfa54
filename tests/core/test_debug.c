/* SPDX-License-Identifier: MIT */
/*
 * What a loop tells those who look for a fault, semantics 11.20, 12.15 and 2.19.
 */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/dump.h"
#include "core/event.h"
#include "core/group.h"
#include "core/lock.h"
#include "core/loop.h"
#include "core/loop_thread.h"
#include "core/place.h"
#include "core/queue.h"
#include "core/semaphore.h"
#include "core/submit.h"
#include "tests/support/hrtest.h"
#include "tests/support/last_words.h"

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

static int nap_long(void *arg)
{
    return hr_sleep(hr_seconds(3600));
}

static int wait_at_door(void *arg)
{
    return hr_lock_acquire(&door);
}

static hr_semaphore turns;
static hr_queue *items;
static hr_task *sleeper;
static hr_future *promise;

static int make_things(void *arg)
{
    hr_event_init(&bell);
    hr_lock_init(&door);
    hr_semaphore_init(&turns, 1, true);
    items = hr_queue_new(0, NULL);
    sleeper = hr_create_task("sleeper", nap_long, NULL);
    promise = hr_future_new(NULL);
    return items && sleeper && promise ? hr_lock_try(&door) : -ENOMEM;
}

/* Some of them have been waited for, some have only been made in the loop. */
static void touch(size_t what, hr_loop *loop)
{
    if (what == 0)
        hr_event_set(&bell);
    else if (what == 1)
        hr_event_clear(&bell);
    else if (what == 2)
        hr_lock_release(&door);
    else if (what == 3)
        hr_semaphore_release(&turns);
    else if (what == 4)
        hr_queue_shutdown(items, false);
    else if (what == 5)
        hr_handle_cancel(later);
    else if (what == 6)
        hr_loop_stop(loop);
    else if (what == 7)
        hr_task_cancel(sleeper, NULL);
    else if (what == 8)
        hr_future_cancel(sleeper, NULL);
    else
        hr_future_cancel(promise, NULL);
}

TEST_PLAIN(s11_20_s12_15_in_debug_mode_another_threads_calls_get_a_code)
{
    struct hr_loop_options options = {.debug = true};
    hr_loop_thread *thread = hr_loop_thread_new("loop", &options);
    hr_loop *loop = hr_loop_thread_loop(thread);
    hr_auto(hr_thread_future_unrefp) hr_thread_future *ready =
        hr_submit(loop, NULL, make_things, NULL);
    void *item = NULL;
    ASSERT_ERR(hr_thread_future_wait(ready, HR_FOREVER), 0);
    ASSERT_ERR(hr_queue_put_nowait(items, NULL), HR_EWRONGTHREAD);
    ASSERT_TRUE(strstr(hr_last_error()->message, "hr_queue_put_nowait() of 0x"));
    ASSERT_ERR(hr_queue_get_nowait(items, &item), HR_EWRONGTHREAD);
    ASSERT_ERR(hr_queue_task_done(items), HR_EWRONGTHREAD);
    ASSERT_ERR(hr_lock_try(&door), HR_EWRONGTHREAD);
    ASSERT_ERR(hr_semaphore_try(&turns), HR_EWRONGTHREAD);
    hr_loop_thread_free(thread);
    ASSERT_ERR(hr_queue_put_nowait(items, NULL), 0); /* nobody runs it any more */
    items = hr_queue_free(items);
    hr_future_unref(sleeper);
    hr_future_unref(promise);
}

#ifndef HR_NO_SPARES /* a sanitizer says so by itself, and ends the program */
static int number(void *arg)
{
    return (int)(intptr_t)arg;
}

static int join_twice(void *arg)
{
    hr_task *first = hr_create_task("first", number, (void *)1);
    ASSERT_ERR(hr_join(first), 1);
    for (int i = 0; i < 100; i++)
        ASSERT_ERR(hr_join(hr_create_task("other", number, (void *)2)), 2);
    hr_task *last = hr_create_task("last", number, (void *)3);
    for (int i = 0; i < 3; i++) {
        ASSERT_ERR(hr_join(first), HR_EINVALIDSTATE);
        ASSERT_ERR(hr_await(first), HR_EINVALIDSTATE);
        ASSERT_ERR(hr_future_status(first), HR_EINVALIDSTATE);
        ASSERT_FALSE(hr_task_cancel(first, NULL));
    }
    ASSERT_ERR(hr_join(last), 3);
    if (arg)
        hr_future_unref(first);
    return 0;
}

static int run_join_twice(void *arg)
{
    return hr_run_with(&(struct hr_loop_options){.debug = true}, join_twice, arg);
}

TEST_PLAIN(s11_20_in_debug_mode_a_handle_that_was_given_back_is_known)
{
    const char *preloaded = getenv("LD_PRELOAD");
    if (preloaded && strstr(preloaded, "vgpreload"))
        return; /* which says so by itself, too */
    ASSERT_ERR(run_join_twice(NULL), 0);

    char said[2000];
    test_last_words(run_join_twice, said, said, sizeof(said));
    ASSERT_TRUE(strstr(said, "headrace: task main: a handle was given back once more than taken"));
}
#endif

/* Does one of these things with a loop that another thread runs. */
static int lay_hands_on(void *what)
{
    struct hr_loop_options options = {.debug = true};
    hr_loop_thread *thread = hr_loop_thread_new("loop", &options);
    hr_loop *loop = hr_loop_thread_loop(thread);
    (void)hr_thread_future_wait(hr_submit(loop, NULL, make_things, NULL), HR_FOREVER);
    hr_submit(loop, NULL, wait_for_bell, NULL);
    hr_submit(loop, NULL, wait_at_door, NULL);
    (void)hr_thread_future_wait(hr_submit(loop, NULL, nap, NULL), HR_FOREVER);
    touch(*(size_t *)what, loop);
    return 0;
}

TEST_PLAIN(s11_20_s12_15_in_debug_mode_another_threads_hands_end_the_program)
{
    static const char *const calls[] = {
        "hr_event_set() of 0x",
        "hr_event_clear() of 0x",
        "hr_lock_release() of 0x",
        "hr_semaphore_release() of 0x",
        "hr_queue_shutdown() of 0x",
        "hr_handle_cancel() of 0x",
        "hr_loop_stop() of 0x",
        "hr_task_cancel() of task sleeper by a thread",
        "hr_task_cancel() of task sleeper by a thread",
        "hr_future_cancel() of 0x",
    };
    char said[2000];
    for (size_t what = 0; what < HR_ARRAY_LEN(calls); what++) {
        test_last_words(lay_hands_on, &what, said, sizeof(said));
        ASSERT_TRUE(strncmp(said, "headrace: ", 10) == 0);
        ASSERT_TRUE(strncmp(said + 10, calls[what], strlen(calls[what])) == 0);
        ASSERT_TRUE(strstr(said, "a thread that does not run its loop"));
    }
}

static void do_nothing(void *arg) {}

static int hold_up_later(void *arg)
{
    int r = hr_sleep(hr_ms(1));
    return r < 0 ? r : hold_up(arg);
}

TEST_PLAIN(s11_20_a_slow_task_is_not_taken_for_the_callback_before_it)
{
    struct hr_loop_options options = {.slow_slice = hr_ms(3)};
    hr_loop *loop = hr_loop_new(&options);
    hr_loop_set_report(loop, test_report_collect, NULL);
    struct hr_task_options task = {.name = "hog", .loop = loop};
    hr_task *hog = hr_create_task_with(&task, hold_up_later, NULL);
    ASSERT_ERR(hr_call_soon_threadsafe(loop, do_nothing, NULL), 0);
    ASSERT_ERR(hr_loop_run_until_complete(loop, hog), 0);
    const char *report = test_report();
    ASSERT_TRUE(report && strncmp(report, "hog: ", 5) == 0);
    hr_loop_free(loop);
}
