/* SPDX-License-Identifier: MIT */
/*
 * Futures, semantics 1.
 */
#include "tests/support/hrtest.h"

TEST(s1_1_a_new_future_is_pending)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    ASSERT_FALSE(hr_future_done(future));
    ASSERT_FALSE(hr_future_cancelled(future));
    ASSERT_ERR(hr_future_status(future), -EAGAIN);
    ASSERT_PTR(hr_future_result(future), NULL);
    ASSERT_PTR(hr_future_error(future), NULL);
}
