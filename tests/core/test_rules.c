/* SPDX-License-Identifier: MIT */
/*
 * What holds for every call, semantics 0.
 */
#include <stdlib.h>
#include <string.h>

#include "core/headrace.h"

#include "tests/support/hrtest.h"

static int seven(void *arg)
{
    return 7;
}

TEST_PLAIN(s0_1_a_call_that_would_wait_outside_of_a_task_says_so)
{
    hr_loop *loop = hr_loop_new(NULL);
    hr_auto(hr_futures_done) struct hr_futures pending = {0};
    hr_futures_add(&pending, hr_future_new(loop));
    hr_future *future = pending.items[0];

    hr_event event;
    hr_event_init(&event);
    hr_lock lock;
    hr_lock_init(&lock);
    ASSERT_ERR(hr_lock_try(&lock), 0);
    hr_semaphore none;
    hr_semaphore_init(&none, 0, false);
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(0, NULL);
    void *item;

    ASSERT_ERR(hr_await(future), HR_ENOTASK);
    ASSERT_ERR(hr_wait_for(hr_future_ref(future), hr_ms(1)), HR_ENOTASK);
    ASSERT_ERR(hr_shield(hr_future_ref(future)), HR_ENOTASK);
    ASSERT_ERR(hr_gather(&pending, 0), HR_ENOTASK);
    ASSERT_ERR(hr_wait(&pending, HR_ALL_COMPLETED, hr_ms(1)), HR_ENOTASK);
    ASSERT_ERR(hr_yield(), HR_ENOTASK);
    ASSERT_ERR(hr_sleep(hr_ms(1)), HR_ENOTASK);
    ASSERT_ERR(hr_sleep_until(hr_now()), HR_ENOTASK);
    ASSERT_ERR(hr_event_wait(&event), HR_ENOTASK);
    ASSERT_ERR(hr_lock_acquire(&lock), HR_ENOTASK);
    ASSERT_ERR(hr_semaphore_acquire(&none), HR_ENOTASK);
    ASSERT_ERR(hr_queue_get(queue, &item), HR_ENOTASK);
    ASSERT_FALSE(hr_future_done(future)); /* and none of them did anything */

    hr_loop_free(loop);
}

static bool called;

static void note_call(void *arg)
{
    called = true;
}

static void note_done(hr_future *future, void *cookie)
{
    called = true;
}

TEST(s0_3_no_callback_runs_inside_the_call_that_brings_it_about)
{
    called = false;
    hr_future *future = hr_future_new(NULL);
    ASSERT_ERR(hr_future_add_done_callback(future, note_done, NULL), 0);
    ASSERT_ERR(hr_future_set_result(future, NULL, NULL), 0);
    ASSERT_FALSE(called);
    test_passes(1);
    ASSERT_TRUE(called);

    called = false;
    ASSERT_ERR(hr_future_add_done_callback(future, note_done, NULL), 0); /* done already */
    ASSERT_FALSE(called);
    test_passes(1);
    ASSERT_TRUE(called);
    hr_future_unref(future);

    called = false;
    future = hr_future_new(NULL);
    ASSERT_ERR(hr_future_add_done_callback(future, note_done, NULL), 0);
    hr_future_cancel(future, NULL);
    ASSERT_TRUE(hr_call_later(-1, note_call, NULL));
    ASSERT_ERR(hr_call_soon_threadsafe(hr_running_loop(), note_call, NULL), 0);
    ASSERT_FALSE(called);
    test_passes(2);
    ASSERT_TRUE(called);
    hr_future_unref(future);
}

TEST(s0_4_misuse_has_its_code_and_changes_nothing)
{
    hr_task *task = hr_create_task(NULL, seven, NULL);
    ASSERT_ERR(hr_future_set_result(task, NULL, NULL), -EINVAL);
    ASSERT_TRUE(strstr(hr_last_error()->message, "by its function"));
    ASSERT_PTR(hr_create_task("none", NULL, NULL), NULL);
    ASSERT_ERR(hr_last_error()->code, -EINVAL);
    ASSERT_PTR(hr_start_task("none", NULL, NULL), NULL);
    ASSERT_ERR(hr_spawn("none", NULL, NULL), -EINVAL);
    ASSERT_ERR(hr_future_set_error(task, -EIO, "no"), -EINVAL);
    ASSERT_ERR(hr_await(hr_current_task()), HR_ESELFAWAIT);
    ASSERT_ERR(hr_loop_close(hr_running_loop()), -EBUSY);
    ASSERT_ERR(hr_run(seven, NULL), -EBUSY);
    ASSERT_ERR(hr_join(task), 7);

    hr_lock lock;
    hr_lock_init(&lock);
    ASSERT_ERR(hr_lock_release(&lock), -EINVAL);
    ASSERT_ERR(hr_lock_try(&lock), 0);
}

#ifndef HR_NO_SPARES /* a sanitizer says so by itself, and ends the program */
static int fails(void *arg)
{
    return hr_fail(-EIO, "no");
}

TEST(s0_4_a_task_is_not_waited_for_by_a_handle_that_was_given_back)
{
    const char *preloaded = getenv("LD_PRELOAD");
    if (preloaded && strstr(preloaded, "vgpreload"))
        return; /* so does valgrind */
    hr_task_fn *const bodies[] = {seven, fails};
    for (int i = 0; i < 2; i++) {
        hr_task *task = hr_create_task(NULL, bodies[i], NULL);
        ASSERT_ERR(hr_join(task), i == 0 ? 7 : -EIO);
        for (int n = 0; n < 3; n++) {
            ASSERT_ERR(hr_join(task), HR_EINVALIDSTATE);
            ASSERT_TRUE(strstr(hr_last_error()->message, "given back"));
            ASSERT_ERR(hr_await(task), HR_EINVALIDSTATE);
        }
    }
    hr_task *a = hr_create_task(NULL, seven, NULL), *b = hr_create_task(NULL, seven, NULL);
    ASSERT_TRUE(a != b);
    ASSERT_ERR(hr_await(a), 7);
    ASSERT_ERR(hr_await(a), 7);
    ASSERT_ERR(hr_join(a), 7);
    ASSERT_ERR(hr_join(b), 7);
}
#endif

static int nothing(void *arg, void **ret_value)
{
    *(bool *)arg = true;
    return 0;
}

static int never(void *arg, void **value)
{
    return 0;
}

TEST_PLAIN(a_scope_frees_what_it_holds)
{
    hr_auto(hr_greenlet_freep) hr_greenlet *greenlet = hr_greenlet_new(never, NULL, NULL);
    hr_auto(hr_limiter_freep) hr_limiter *limiter = hr_limiter_new(1);
    hr_auto(hr_key_limiter_freep) hr_key_limiter *keys = hr_key_limiter_new(1);
    hr_auto(hr_loop_freep) hr_loop *loop = hr_loop_new(NULL);
    hr_auto(hr_runner_freep) hr_runner *runner = hr_runner_new(NULL);
    hr_auto(hr_loop_thread_freep) hr_loop_thread *thread = hr_loop_thread_new("test", NULL);
    ASSERT_TRUE(greenlet && limiter && keys && loop && runner && thread);
}

TEST_REAL(a_scope_with_an_executor_ends_after_what_was_queued)
{
    bool done = false;
    hr_future *job;
    {
        hr_auto(hr_executor_freep) hr_executor *pool = hr_executor_new("test", 1);
        job = hr_run_in_executor(pool, nothing, &done, NULL);
    }
    ASSERT_TRUE(done);
    ASSERT_ERR(hr_join(job), 0);
}
