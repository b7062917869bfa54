/* SPDX-License-Identifier: MIT */
/*
 * The default pool, mapping, and shutting down in steps; semantics 13.
 */
#include "core/executor.h"

#include <malloc.h>
#include <pthread.h>
#include <sched.h>

#include "core/local.h"
#include "tests/support/hrtest.h"

static const hr_local request;

static int read_local(void *arg, void **ret_value)
{
    *ret_value = hr_local_get(&request);
    return 0;
}

TEST_REAL(s13_8_a_job_of_to_thread_has_the_callers_values)
{
    static char mine[] = "mine";
    ASSERT_ERR(hr_local_set(&request, mine), 0);
    hr_future *with = hr_to_thread(read_local, NULL, NULL);
    hr_future *without = hr_run_in_executor(NULL, read_local, NULL, NULL);
    ASSERT_ERR(hr_local_set(&request, NULL), 0); /* those of then, not of now */
    ASSERT_ERR(hr_await(with), 0);
    ASSERT_ERR(hr_await(without), 0);
    ASSERT_STR(hr_future_result(with), "mine");
    ASSERT_PTR(hr_future_result(without), NULL);
    hr_future_unref(with);
    hr_future_unref(without);
}

static int note(void *arg, void **ret_value)
{
    int **place = arg; /* one thread: nobody else is here */
    *ret_value = (*place)++;
    return 0;
}

/* Never, as it is by default, and far longer than a job takes. */
TEST_REAL(s13_1_s13_3_jobs_are_done_in_order_however_a_thread_waits_for_them)
{
    static const hr_usec spans[] = {-1, 0, 1000};
    for (size_t k = 0; k < HR_ARRAY_LEN(spans); k++) {
        static int order[500];
        int *next = order;
        hr_executor *one = hr_executor_new("one", 1);
        hr_executor_set_spin(one, spans[k]);
        for (int round = 0; round < 2; round++) {
            hr_auto(hr_futures_done) struct hr_futures all = {0};
            next = order;
            for (size_t i = 0; i < HR_ARRAY_LEN(order); i++)
                hr_futures_add(&all, hr_run_in_executor(one, note, &next, NULL));
            ASSERT_ERR(hr_gather(&all, 0), 0);
            for (size_t i = 0; i < all.count; i++)
                ASSERT_PTR(hr_future_result(all.items[i]), &order[i]);
        }
        hr_executor_free(one, false);
    }
}

/* Jobs that stay until they are let go. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int inside;
    bool open;
};

static int stay(void *arg, void **ret_value)
{
    struct gate *gate = arg;
    pthread_mutex_lock(&gate->lock);
    gate->inside++;
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return 0;
}

static int inside(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    int n = gate->inside;
    pthread_mutex_unlock(&gate->lock);
    return n;
}

static void let_go(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

TEST_REAL(s13_7_the_default_pool_has_four_threads_more_than_cores)
{
    cpu_set_t cores;
    ASSERT_EQ(sched_getaffinity(0, sizeof(cores), &cores), 0);
    int threads = CPU_COUNT(&cores) + 4 < 32 ? CPU_COUNT(&cores) + 4 : 32;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false};
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < threads + 3; i++)
        hr_futures_add(&all, hr_run_in_executor(NULL, stay, &gate, NULL));
    while (inside(&gate) < threads)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_EQ(inside(&gate), threads);
    let_go(&gate);
    ASSERT_ERR(hr_gather(&all, 0), 0);
}

static int square(void *arg, void **ret_value)
{
    intptr_t n = (intptr_t)arg;
    return n == 3 ? hr_fail(-EDOM, "not three") : (int)(n * n);
}

TEST_REAL(s13_9_mapping_gives_values_in_order_and_errors_at_their_places)
{
    hr_executor *executor = hr_executor_new("map", 2);
    hr_auto(hr_futures_done) struct hr_futures squares = {0};
    void *const numbers[] = {(void *)1, (void *)2, (void *)3, (void *)4};
    hr_executor_map(executor, square, numbers, 4, NULL, &squares);
    ASSERT_EQ(squares.count, 4);
    const int expected[] = {1, 4, -EDOM, 16};
    for (size_t i = 0; i < 4; i++)
        ASSERT_ERR(hr_await(squares.items[i]), expected[i]);
    hr_executor_free(executor, false);
}

TEST_REAL(s13_9_one_limit_holds_for_the_whole_map)
{
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false};
    hr_executor *executor = hr_executor_new("map", 1);
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    void *const gates[] = {&gate, &gate, &gate};
    hr_executor_map(executor, stay, gates, 3, NULL, &all);
    ASSERT_ERR(hr_wait(&all, HR_ALL_COMPLETED, hr_ms(5)), 0);
    let_go(&gate);
    ASSERT_ERR(hr_gather(&all, 0), 0);
    hr_executor_free(executor, false);
}

TEST_REAL(s13_11_s13_12_after_a_shutdown_jobs_are_refused_and_what_is_queued_ends)
{
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false};
    hr_executor *executor = hr_executor_new("down", 1);
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 3; i++)
        hr_futures_add(&all, hr_run_in_executor(executor, stay, &gate, NULL));
    while (inside(&gate) < 1)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_executor_shutdown(executor, 0); /* at once */
    ASSERT_PTR(hr_run_in_executor(executor, stay, &gate, NULL), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_ESHUTDOWN);
    hr_executor_shutdown(executor, HR_SHUTDOWN_CANCEL); /* and now without those that wait */
    ASSERT_ERR(hr_await(all.items[1]), HR_ESHUTDOWN);
    ASSERT_ERR(hr_await(all.items[2]), HR_ESHUTDOWN);
    let_go(&gate);
    hr_executor_shutdown(executor, HR_SHUTDOWN_WAIT);
    hr_executor_shutdown(executor, HR_SHUTDOWN_WAIT);
    ASSERT_ERR(hr_await(all.items[0]), 0);
    hr_executor_free(executor, false);
}

/* All of them wait behind the first, so that as many are out at once. */
static void burst(hr_executor *executor, int jobs)
{
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false};
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < jobs; i++)
        hr_futures_add(&all, hr_run_in_executor(executor, stay, &gate, NULL));
    ASSERT_EQ(all.count, jobs);
    let_go(&gate);
    ASSERT_ERR(hr_gather(&all, 0), 0);
}

TEST_REAL(a_burst_of_jobs_leaves_little_memory_behind)
{
    enum { JOBS = 20000 };
    hr_executor *executor = hr_executor_new("burst", 1);
    burst(executor, 1);
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 2; i++) { /* the second with what the first has left */
        burst(executor, JOBS);
        ASSERT_TRUE(mallinfo2().uordblks < before + JOBS * sizeof(void *) * 4);
    }
    hr_executor_free(executor, false);
}
