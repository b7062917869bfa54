/* SPDX-License-Identifier: MIT */
/*
 * Delays between attempts.
 */
#include "drivers/backoff.h"

#include "core/clock.h"
#include "tests/support/hrtest.h"

TEST_PLAIN(delays_grow_by_the_factor_up_to_the_maximum)
{
    struct hr_backoff backoff = {.first = 100, .max = 1000, .factor = 2};
    const hr_usec want[] = {100, 200, 400, 800, 1000, 1000};
    for (size_t i = 0; i < HR_ARRAY_LEN(want); i++)
        ASSERT_EQ(hr_backoff_delay(&backoff, (unsigned)i + 1, 0.5), want[i]);
    for (size_t i = 0; i < HR_ARRAY_LEN(want); i++)
        ASSERT_EQ(hr_backoff_next(&backoff), want[i]);
    hr_backoff_reset(&backoff);
    ASSERT_EQ(hr_backoff_next(&backoff), 100);
}

TEST_PLAIN(jitter_spreads_a_delay_between_nothing_and_all_of_it)
{
    struct hr_backoff backoff = {.first = 100, .max = 1000, .factor = 3, .jitter = true};
    ASSERT_EQ(hr_backoff_delay(&backoff, 2, 0.0), 0);
    ASSERT_EQ(hr_backoff_delay(&backoff, 2, 0.5), 150);
    ASSERT_EQ(hr_backoff_delay(&backoff, 9, 0.999), 999);
}

TEST_PLAIN(the_next_delay_is_never_less_than_a_quarter_of_the_first)
{
    struct hr_backoff backoff = {.first = 1000, .max = 8000, .factor = 2, .jitter = true};
    bool varies = false;
    hr_usec before = 0;
    for (int i = 0; i < 200; i++) {
        hr_usec delay = hr_backoff_next(&backoff);
        ASSERT_TRUE(delay >= 250 && delay <= 8000);
        varies = varies || (i > 0 && delay != before);
        before = delay;
    }
    ASSERT_TRUE(varies);
}

TEST_PLAIN(many_attempts_do_not_overflow)
{
    struct hr_backoff backoff = {.first = hr_seconds(1), .max = HR_FOREVER, .factor = 1e9};
    ASSERT_EQ(hr_backoff_delay(&backoff, UINT_MAX, 0.5), HR_FOREVER);
    backoff = (struct hr_backoff){.first = 5, .max = 100, .factor = 1};
    ASSERT_EQ(hr_backoff_delay(&backoff, UINT_MAX, 0.5), 5);
    /* What does not grow is not multiplied four thousand million times. */
    hr_usec start = hr_boottime();
    backoff = (struct hr_backoff){.first = 0, .max = 100, .factor = 2};
    ASSERT_EQ(hr_backoff_delay(&backoff, UINT_MAX, 0.5), 0);
    ASSERT_TRUE(hr_boottime() - start < hr_seconds(1));
}
