/* SPDX-License-Identifier: MIT */
/*
 * What is to be called later and is NULL is refused at once, where the caller can be seen: later
 * the program would end in a place that does not know who asked.
 */
#include <signal.h>
#include <string.h>

#include "tests/support/hrtest.h"

#define REFUSED(call) refused(__LINE__, (call) == NULL ? hr_last_error()->code : 0)

static void refused(int line, int code)
{
    if (code != -EINVAL || !strstr(hr_last_error()->message, "without a function"))
        test_fail(__FILE__, line, "%s: %s", hr_error_name(code), hr_last_error()->message);
    hr_error_raise(&(struct hr_error){0});
}

TEST(s0_4_a_callback_that_is_null_is_refused)
{
    struct hr_exits exits = {0};
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    REFUSED(hr_call_soon(NULL, NULL));
    REFUSED(hr_call_later(1, NULL, NULL));
    REFUSED(hr_call_at(1, NULL, NULL));
    refused(__LINE__, hr_call_soon_threadsafe(hr_running_loop(), NULL, NULL));
    refused(__LINE__, hr_future_add_done_callback(future, NULL, NULL));
    refused(__LINE__, hr_add_signal_handler(SIGUSR1, NULL, NULL));
    refused(__LINE__, hr_watch_add(0, HR_READ, NULL, NULL));
    refused(__LINE__, hr_exits_add(&exits, NULL, NULL));
    ASSERT_ERR(hr_future_set_result(future, NULL, NULL), 0);
    test_passes(2);
}

TEST(s0_4_a_body_that_is_null_is_refused)
{
    REFUSED(hr_create_task("nobody", NULL, NULL));
    REFUSED(hr_start_task("nobody", NULL, NULL));
    refused(__LINE__, hr_spawn("nobody", NULL, NULL));
    REFUSED(hr_submit(hr_running_loop(), "nobody", NULL, NULL));
    REFUSED(hr_generator_new(NULL, NULL));
    REFUSED(hr_greenlet_new(NULL, NULL, NULL));
}

static int nothing(void *arg, void **ret_value)
{
    return 0;
}

static void count(hr_thread_future *future, void *calls)
{
    ++*(int *)calls;
}

TEST_REAL(s0_4_a_job_that_is_null_is_refused)
{
    hr_auto(hr_executor_freep) hr_executor *executor = hr_executor_new(NULL, 1);
    void *const args[] = {NULL};
    hr_auto(hr_futures_done) struct hr_futures futures = {0};
    REFUSED(hr_to_thread(NULL, NULL, NULL));
    REFUSED(hr_run_in_executor(executor, NULL, NULL, NULL));
    REFUSED(hr_executor_submit(executor, NULL, NULL, NULL));
    REFUSED(hr_executor_map_chunks(executor, NULL, args, 1, 0, NULL));
    hr_executor_map(executor, NULL, args, 1, NULL, &futures);
    refused(__LINE__, hr_gather(&futures, 0));

    int calls = 0;
    hr_thread_future *job = hr_executor_submit(executor, nothing, NULL, NULL);
    refused(__LINE__, hr_thread_future_add_done_callback(job, NULL, NULL));
    ASSERT_ERR(hr_thread_future_add_done_callback(job, count, &calls), 0);
    ASSERT_ERR(hr_thread_future_await(job), 0);
    hr_thread_future_unref(job);
    hr_executor_free(hr_take(executor), false);
    ASSERT_EQ(calls, 1);
}

TEST_REAL(s0_4_a_job_of_a_pool_of_processes_has_a_name)
{
    hr_auto(hr_process_pool_freep) hr_process_pool *pool =
        hr_process_pool_new(&(struct hr_process_pool_options){.workers = 1});
    REFUSED(hr_run_in_process(pool, NULL, "in", 2));
    REFUSED(hr_process_pool_submit(pool, NULL, "in", 2));
}

/* As with futures that could not be made: the code is that of the call which failed. */
TEST(s0_6_a_loop_that_could_not_be_made_gives_its_code_to_who_would_call_it)
{
    hr_loop *loop = hr_loop_new(&(struct hr_loop_options){.backend = "none"});
    ASSERT_TRUE(loop == NULL);
    ASSERT_ERR(hr_call_soon_threadsafe(loop, NULL, NULL), -EINVAL);
    ASSERT_STR(hr_last_error()->message, "libevent offers no way to watch descriptors by none");
    ASSERT_TRUE(hr_submit(loop, "nobody", NULL, NULL) == NULL);
    ASSERT_STR(hr_last_error()->message, "libevent offers no way to watch descriptors by none");
}

static int main_of_a_world(void *arg)
{
    return hr_sleep(1);
}

TEST_PLAIN(trouble_that_is_null_is_none)
{
    struct hr_sim_options options = {.seed = 1};
    refused(__LINE__, hr_sim_everywhere(&options, main_of_a_world, NULL, NULL, NULL));
    hr_sim *sim = hr_sim_new(&options);
    hr_sim_at(sim, 1, NULL, NULL);
    ASSERT_ERR(hr_sim_run(sim, main_of_a_world, NULL), 0);
    hr_sim_free(sim);
}
