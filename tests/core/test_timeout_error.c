/* SPDX-License-Identifier: MIT */
/*
 * What the error of a limit tells, and what happens at its end only once; semantics 6.
 */
#include "core/loop.h"
#include "core/task.h"
#include "core/timeout.h"
#include "tests/support/hrtest.h"

TEST(s6_2_a_timeout_does_not_tell_of_what_was_sent_before)
{
    (void)hr_fail_native(-EIO, 0, NULL, NULL, true, "something else was sent");
    ASSERT_ERR(hr_wait_for(hr_sleep_future(hr_seconds(60), NULL, NULL), hr_ms(5)), -ETIMEDOUT);
    ASSERT_FALSE(hr_last_error()->sent);
}

TEST(s6_12_an_error_without_a_record_gets_one_with_the_timeout_as_its_cause)
{
    struct hr_timeout scope = {0};
    ASSERT_ERR(hr_timeout_enter(&scope, hr_ms(5)), 0);
    ASSERT_ERR(hr_sleep(hr_ms(10)), -ECANCELED);
    ASSERT_ERR(hr_timeout_leave(&scope, -EIO), -EIO);
    ASSERT_ERR(hr_last_error()->code, -EIO);
    ASSERT_ERR(TEST_MADE(hr_last_error()->cause)->code, -ETIMEDOUT);
}

TEST(s6_23_the_deadline_of_a_scope_that_was_cancelled_by_hand_does_not_come_again)
{
    struct hr_timeout scope = {0};
    ASSERT_ERR(hr_timeout_enter(&scope, hr_ms(10)), 0);
    ASSERT_ERR(hr_timeout_cancel(&scope), 0);
    ASSERT_ERR(hr_sleep(hr_ms(1)), -ECANCELED);
    struct hr_loop_stats stats;
    hr_loop_get_stats(hr_running_loop(), &stats);
    ASSERT_EQ(stats.timers, 0);
    ASSERT_ERR(hr_sleep(hr_ms(20)), 0); /* cleaning up is not interrupted */
    ASSERT_ERR(hr_timeout_leave(&scope, -ECANCELED), -ETIMEDOUT);
    ASSERT_STR(hr_error_message(-ETIMEDOUT), "not done after 0.000 s");
}
