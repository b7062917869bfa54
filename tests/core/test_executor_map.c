/* SPDX-License-Identifier: MIT */
/*
 * Many calls as few jobs, semantics 13.9. Threads meet at gates, never by the clock.
 */
#include "core/executor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "tests/support/hrtest.h"
#include "tests/support/starve.h"

enum { MANY = 5000 };

static atomic_int calls, freed;

static void count_free(void *value)
{
    freed++;
}

/* Odd numbers give themselves, hundreds fail. */
static int judge(void *arg, void **ret_value)
{
    intptr_t n = (intptr_t)arg;
    calls++;
    if (n % 100 == 0)
        return hr_fail(-EDOM, "%d is a hundred", (int)n);
    *ret_value = n % 2 ? arg : NULL;
    return (int)n;
}

static void **numbers(void)
{
    static void *all[MANY];
    for (intptr_t i = 0; i < MANY; i++)
        all[i] = (void *)i;
    return all;
}

TEST_REAL(s13_9_calls_in_chunks_give_their_outcomes_in_order)
{
    static const size_t chunks[] = {0, 1, 7, MANY - 1, 100000};
    hr_executor *executor = hr_executor_new("map", 3);
    for (size_t k = 0; k < HR_ARRAY_LEN(chunks); k++) {
        calls = freed = 0;
        hr_future *all =
            hr_executor_map_chunks(executor, judge, numbers(), MANY, chunks[k], count_free);
        ASSERT_ERR(hr_await(all), 0);
        ASSERT_EQ(calls, MANY);
        struct hr_outcomes *outcomes = hr_future_result(all);
        ASSERT_EQ(outcomes->count, MANY);
        for (int i = 0; i < MANY; i++) {
            ASSERT_ERR(outcomes->items[i].status, i % 100 == 0 ? -EDOM : i);
            ASSERT_PTR(outcomes->items[i].value, i % 2 ? (void *)(intptr_t)i : NULL);
        }
        outcomes->items[1].value = NULL; /* somebody has taken it */
        ASSERT_EQ(freed, 0);
        hr_future_unref(all);
        ASSERT_EQ(freed, MANY / 2 - 1);
    }
    hr_executor_free(executor, false);
}

TEST_REAL(s13_9_mapping_nothing_gives_nothing_and_the_default_pool_serves_too)
{
    hr_future *none = hr_executor_map_chunks(NULL, judge, NULL, 0, 0, NULL);
    ASSERT_ERR(hr_await(none), 0);
    ASSERT_EQ(((struct hr_outcomes *)hr_future_result(none))->count, 0);
    hr_future_unref(none);
    calls = 0;
    ASSERT_ERR(hr_join(hr_executor_map_chunks(NULL, judge, numbers(), MANY, 0, NULL)), 0);
    ASSERT_EQ(calls, MANY);
}

/* Jobs that stay until they are let go. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int inside;
static bool is_open;

static int stay(void *arg, void **ret_value)
{
    pthread_mutex_lock(&lock);
    inside++;
    pthread_cond_broadcast(&changed);
    while (!is_open)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    *ret_value = arg;
    return 0;
}

static void open_gate(bool open)
{
    pthread_mutex_lock(&lock);
    is_open = open;
    inside = 0;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void await_inside(int n)
{
    pthread_mutex_lock(&lock);
    while (inside < n)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

TEST_REAL(s13_4_s13_6_a_cancelled_map_begins_no_more_and_what_ran_is_destroyed)
{
    hr_executor *executor = hr_executor_new("map", 2);
    open_gate(false);
    freed = 0;
    hr_future *all = hr_executor_map_chunks(executor, stay, numbers() + 1, 100, 3, count_free);
    await_inside(2); /* two chunks of three are under way */
    ASSERT_TRUE(hr_future_cancel(all, NULL));
    ASSERT_ERR(hr_await(all), -ECANCELED);
    hr_future_unref(all);
    open_gate(true);
    hr_executor_free(executor, false);
    ASSERT_EQ(freed, 6);
}

TEST_REAL(s13_11_s13_12_a_shutdown_ends_maps_whose_threads_never_came)
{
    hr_executor *executor = hr_executor_new("map", 1);
    open_gate(false);
    hr_future *first = hr_executor_map_chunks(executor, stay, numbers(), 3, 0, NULL);
    hr_future *second = hr_executor_map_chunks(executor, stay, numbers(), 3, 0, NULL);
    await_inside(1);
    hr_executor_shutdown(executor, HR_SHUTDOWN_CANCEL);
    ASSERT_ERR(hr_join(second), HR_ESHUTDOWN);
    ASSERT_PTR(hr_executor_map_chunks(executor, stay, numbers(), 3, 0, NULL), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_ESHUTDOWN);
    open_gate(true);
    ASSERT_ERR(hr_join(first), 0);
    hr_executor_free(executor, false);
}

static int leave_a_map(void *executor)
{
    hr_future_unref(hr_executor_map_chunks(executor, stay, numbers() + 1, 9, 1, count_free));
    await_inside(2);
    return 0;
}

TEST_PLAIN(s13_14_a_map_for_a_closed_loop_is_dropped_in_silence)
{
    hr_executor *executor = hr_executor_new("map", 2);
    open_gate(false);
    freed = 0;
    ASSERT_ERR(hr_run(leave_a_map, executor), 0);
    open_gate(true);
    hr_executor_free(executor, false);
    ASSERT_TRUE(freed >= 2);
}

TEST_PLAIN(outside_of_a_loop_there_is_no_map)
{
    hr_executor *executor = hr_executor_new("map", 1);
    ASSERT_PTR(hr_executor_map_chunks(executor, judge, numbers(), 3, 0, NULL), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_ENOLOOP);
    hr_executor_free(executor, false);
}

/* With some of the jobs that were to be, a map is as whole as with all. */
TEST_REAL(s21_7_a_map_without_memory_is_not_begun_or_runs_to_its_end)
{
    hr_executor *executor = hr_executor_new("map", 3);
    for (int once = 0; once < 2; once++) {
        long n = 0;
        for (bool failed = true; failed; n++) {
            calls = 0;
            starve_after(n, once);
            hr_future *all = hr_executor_map_chunks(executor, judge, numbers(), 100, 1, NULL);
            failed = starve_end();
            ASSERT_ERR(hr_await(all), all ? 0 : -ENOMEM);
            ASSERT_EQ(calls, all ? 100 : 0);
            hr_future_unref(all);
        }
        ASSERT_TRUE(n > 3);
    }
    hr_executor_free(executor, false);
}

static int fail_every_other(void *arg, void **ret_value)
{
    if (hr_last_error()->code != 0)
        return -EBADMSG; /* of the call before */
    return *(int *)arg % 2 ? 0 : hr_fail(-EIO, "no");
}

TEST_REAL(s13_9_a_call_of_a_chunk_does_not_inherit_the_error_of_the_one_before)
{
    int values[] = {0, 1, 2, 3, 4};
    void *args[] = {&values[0], &values[1], &values[2], &values[3], &values[4]};
    hr_executor *executor = hr_executor_new("test", 1);
    hr_future *all = hr_executor_map_chunks(executor, fail_every_other, args, 5, 10, NULL);
    ASSERT_ERR(hr_await(all), 0);
    struct hr_outcomes *outcomes = hr_future_result(all);
    ASSERT_EQ(outcomes->count, 5); /* fewer than a chunk, and all of them called */
    for (int i = 0; i < 5; i++)
        ASSERT_ERR(outcomes->items[i].status, i % 2 ? 0 : -EIO);
    hr_future_unref(all);
    hr_executor_free(executor, false);
}

/* The first call of each chunk waits for that of the other. */
static int meet(void *arg, void **ret_value)
{
    if (!arg)
        return 0;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    int r = 0;
    pthread_mutex_lock(&lock);
    inside++;
    pthread_cond_broadcast(&changed);
    while (inside < 2 && r == 0)
        r = pthread_cond_timedwait(&changed, &lock, &until);
    pthread_mutex_unlock(&lock);
    return -r;
}

TEST_REAL(s13_9_a_chunk_has_1024_calls_at_most)
{
    static void *args[2 * 1024];
    args[0] = args[1024] = args;
    inside = 0;
    hr_executor *executor = hr_executor_new("test", 2);
    hr_future *all = hr_executor_map_chunks(executor, meet, args, 2 * 1024, SIZE_MAX, NULL);
    ASSERT_ERR(hr_await(all), 0);
    struct hr_outcomes *outcomes = hr_future_result(all);
    ASSERT_ERR(outcomes->items[0].status, 0);
    ASSERT_ERR(outcomes->items[1024].status, 0);
    hr_future_unref(all);
    hr_executor_free(executor, false);
}
