/* SPDX-License-Identifier: MIT */
/*
 * Tasks, semantics 2.
 */
#include "tests/support/hrtest.h"

static int seven(void *arg)
{
    return 7;
}

TEST(s2_4_a_task_ends_with_what_its_function_returned)
{
    hr_auto(hr_future_unrefp) hr_task *task = hr_create_task("seven", seven, NULL);
    ASSERT_ERR(hr_await(task), 7);
    ASSERT_EQ(hr_future_status(task), 7);
}

static int fails(void *arg)
{
    return hr_fail(-EIO, "no luck");
}

TEST(s2_14_a_failed_task_without_a_handle_is_reported_when_it_ends)
{
    ASSERT_ERR(hr_spawn("loser", fails, NULL), 0);
    test_passes(1);
    ASSERT_STR(test_report(), "loser: task failed and nobody read its error: no luck");
}
