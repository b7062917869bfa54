/* SPDX-License-Identifier: MIT */
/*
 * Options that are NULL mean the defaults; where something has none, the call says what is missing.
 */
#include <string.h>

#include "tests/support/hrtest.h"

static int add_one(void *arg)
{
    ++*(int *)arg;
    return 7;
}

static int add_one_elsewhere(void *arg, void **ret_value)
{
    return add_one(arg);
}

TEST(a_task_without_options_is_one_like_any)
{
    int count = 0;
    ASSERT_ERR(hr_join(hr_create_task_with(NULL, add_one, &count)), 7);
    ASSERT_EQ(count, 1);
    ASSERT_TRUE(hr_create_task_with(NULL, NULL, NULL) == NULL);
    ASSERT_STR(hr_last_error()->message, "a task without a function");
    hr_error_raise(&(struct hr_error){0});
}

TEST_REAL(a_job_without_options_is_one_of_the_default_pool)
{
    int count = 0;
    ASSERT_ERR(hr_join(hr_run_in_executor_with(NULL, add_one_elsewhere, &count)), 7);
    ASSERT_EQ(count, 1);
}

TEST(a_queue_without_options_is_a_plain_one)
{
    int items[2];
    void *got = NULL;
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new_with(NULL);
    ASSERT_EQ(hr_queue_maxsize(queue), 0);
    for (int i = 0; i < 2; i++)
        ASSERT_ERR(hr_queue_put_nowait(queue, &items[i]), 0);
    ASSERT_ERR(hr_queue_get_nowait(queue, &got), 0);
    ASSERT_PTR(got, &items[0]);
}

static int wait_a_second(void *arg)
{
    return hr_sleep(hr_seconds(1));
}

TEST_PLAIN(a_world_without_options_has_no_trouble)
{
    hr_sim *sim = hr_sim_new(NULL);
    ASSERT_ERR(hr_sim_run(sim, wait_a_second, NULL), 0);
    hr_sim_free(sim);
}

static void assert_missing(const void *made, const char *what)
{
    ASSERT_TRUE(made == NULL);
    ASSERT_ERR(hr_last_error()->code, -EINVAL);
    ASSERT_TRUE(strstr(hr_last_error()->message, what));
    hr_error_raise(&(struct hr_error){0});
}

TEST(options_that_have_to_say_something_are_missed)
{
    assert_missing(hr_child_spawn(NULL), "argv is missing");
    assert_missing(hr_executor_submit_with(NULL, add_one_elsewhere, NULL), "no default pool");
    assert_missing(hr_process_pool_new(NULL), "needs at least one worker");
}
