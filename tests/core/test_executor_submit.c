/* SPDX-License-Identifier: MIT */
/*
 * Jobs of an executor for threads without a loop; semantics 13.
 */
#include "core/executor.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/local.h"
#include "tests/support/hrtest.h"

/* Threads wait in it until it is opened. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int inside;
    bool open;
};

static struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false};

static void gate_move(bool open, int inside)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    gate.inside = inside;
    pthread_cond_broadcast(&gate.moved);
    pthread_mutex_unlock(&gate.lock);
}

static void gate_await(int n)
{
    pthread_mutex_lock(&gate.lock);
    while (gate.inside < n)
        pthread_cond_wait(&gate.moved, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
}

static int stay(void *arg, void **ret_value)
{
    pthread_mutex_lock(&gate.lock);
    gate.inside++;
    pthread_cond_broadcast(&gate.moved);
    while (!gate.open)
        pthread_cond_wait(&gate.moved, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    *ret_value = arg;
    return 7;
}

static int fail(void *arg, void **ret_value)
{
    return hr_fail(-EIO, "disk %d is gone", 7);
}

static atomic_int freed;

static void count_free(void *value)
{
    freed++;
}

static int word;

static hr_executor *executor_of(unsigned threads)
{
    hr_executor *executor = hr_executor_new("test", threads);
    ASSERT_TRUE(executor);
    return executor;
}

static hr_thread_future *submit(const struct hr_job_options *options, hr_job_fn *fn, void *arg)
{
    hr_thread_future *job = hr_executor_submit_with(options, fn, arg);
    ASSERT_TRUE(job);
    return job;
}

TEST_PLAIN(s13_2_a_thread_without_a_loop_gets_status_value_and_state_of_a_job)
{
    gate_move(false, 0);
    freed = 0;
    hr_executor *executor = executor_of(5);
    struct hr_job_options options = {.executor = executor, .free_value = count_free};
    hr_thread_future *jobs[10];
    for (int i = 0; i < 10; i++)
        jobs[i] = submit(&options, stay, &word);
    gate_await(5);
    for (int i = 0; i < 10; i++)
        ASSERT_STR(hr_thread_future_state(jobs[i]), i < 5 ? "running" : "pending");
    ASSERT_ERR(hr_thread_future_wait(jobs[0], hr_ms(1)), -ETIMEDOUT);
    ASSERT_FALSE(hr_thread_future_done(jobs[0]));
    ASSERT_PTR(hr_thread_future_result(jobs[0]), NULL);
    gate_move(true, 5);
    for (int i = 0; i < 10; i++) {
        ASSERT_ERR(hr_thread_future_wait(jobs[i], HR_FOREVER), 7);
        ASSERT_PTR(hr_thread_future_result(jobs[i]), &word);
        ASSERT_STR(hr_thread_future_state(jobs[i]), "finished");
    }
    ASSERT_PTR(hr_thread_future_take(jobs[0]), &word);
    for (int i = 0; i < 10; i++)
        hr_thread_future_unref(jobs[i]);
    hr_executor_free(executor, false); /* until then a thread may have a reference */
    ASSERT_EQ(freed, 9);
}

TEST_PLAIN(s13_4_a_job_that_waits_is_taken_back_and_one_that_runs_is_not)
{
    gate_move(false, 0);
    freed = 0;
    hr_executor *executor = executor_of(1);
    struct hr_job_options options = {.executor = executor, .free_arg = count_free};
    hr_thread_future *runs = submit(&options, stay, NULL);
    gate_await(1);
    hr_thread_future *waits = submit(&options, stay, NULL);
    ASSERT_FALSE(hr_thread_future_cancel(runs));
    ASSERT_TRUE(hr_thread_future_cancel(waits));
    ASSERT_FALSE(hr_thread_future_cancel(waits));
    ASSERT_ERR(hr_thread_future_wait(waits, HR_FOREVER), -ECANCELED);
    ASSERT_STR(hr_thread_future_state(waits), "cancelled");
    hr_thread_future_unref(waits);
    ASSERT_EQ(freed, 1); /* the argument of one that never ran */
    gate_move(true, 1);
    ASSERT_ERR(hr_thread_future_wait(runs, HR_FOREVER), 7);
    hr_thread_future_unref(runs);
    ASSERT_EQ(freed, 1);
    hr_executor_free(executor, false);
}

TEST_PLAIN(an_error_comes_with_its_record_and_may_be_nobodys)
{
    hr_executor *executor = executor_of(1);
    hr_thread_future *job = hr_executor_submit(executor, fail, NULL, NULL);
    ASSERT_TRUE(job);
    ASSERT_ERR(hr_thread_future_wait(job, HR_FOREVER), -EIO);
    ASSERT_STR(hr_last_error()->message, "disk 7 is gone");
    ASSERT_STR(hr_thread_future_state(job), "failed");
    hr_thread_future_unref(job);
    hr_thread_future_unref(hr_executor_submit(executor, fail, NULL, NULL));
    hr_executor_free(executor, false);
}

TEST_PLAIN(s13_11_s13_12_a_shutdown_ends_what_waits_and_refuses_more)
{
    gate_move(false, 0);
    hr_executor *executor = executor_of(1);
    hr_thread_future *runs = hr_executor_submit(executor, stay, NULL, NULL);
    ASSERT_TRUE(runs);
    gate_await(1);
    hr_thread_future *waits = hr_executor_submit(executor, stay, NULL, NULL);
    ASSERT_TRUE(waits);
    hr_executor_shutdown(executor, HR_SHUTDOWN_CANCEL);
    ASSERT_ERR(hr_thread_future_wait(waits, HR_FOREVER), HR_ESHUTDOWN);
    ASSERT_PTR(hr_executor_submit(executor, stay, NULL, NULL), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_ESHUTDOWN);
    ASSERT_PTR(hr_executor_submit(NULL, stay, NULL, NULL), NULL);
    ASSERT_ERR(hr_last_error()->code, -EINVAL);
    gate_move(true, 1);
    ASSERT_ERR(hr_thread_future_wait(runs, HR_FOREVER), 7);
    hr_thread_future_unref(runs);
    hr_thread_future_unref(waits);
    hr_executor_free(executor, false);
}

static void note(hr_thread_future *future, void *cookie)
{
    *(int *)cookie = hr_thread_future_wait(future, 0);
}

TEST_PLAIN(a_callback_of_a_job_runs_when_it_is_done)
{
    gate_move(false, 0);
    hr_executor *executor = executor_of(1);
    hr_thread_future *job = hr_executor_submit(executor, stay, NULL, NULL);
    ASSERT_TRUE(job);
    int before = 0, after = 0;
    ASSERT_ERR(hr_thread_future_add_done_callback(job, note, &before), 0);
    gate_move(true, 0);
    hr_executor_free(executor, false);
    ASSERT_EQ(before, 7);
    ASSERT_ERR(hr_thread_future_add_done_callback(job, note, &after), 0);
    ASSERT_EQ(after, 7);
    hr_thread_future_unref(job);
}

static const hr_local request;

static int read_local(void *arg, void **ret_value)
{
    *ret_value = hr_local_get(&request);
    return 0;
}

TEST_REAL(a_job_may_have_the_values_of_the_task_that_submits_it)
{
    ASSERT_ERR(hr_local_set(&request, &word), 0);
    hr_executor *executor = executor_of(1);
    struct hr_job_options options = {.executor = executor, .with_locals = true};
    hr_thread_future *job = submit(&options, read_local, NULL);
    ASSERT_ERR(hr_thread_future_wait(job, HR_FOREVER), 0);
    ASSERT_PTR(hr_thread_future_result(job), &word);
    hr_thread_future_unref(job);
    hr_executor_free(executor, false);
}
