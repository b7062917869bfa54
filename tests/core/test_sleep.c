/* SPDX-License-Identifier: MIT */
/*
 * Sleeping and timers, semantics 10.
 */
#include <string.h>

#include "tests/support/hrtest.h"

static char order[64];

static int note(void *arg)
{
    strncat(order, (const char *)arg, sizeof(order) - strlen(order) - 1);
    return 0;
}

static int spawn_note(const char *letter)
{
    return hr_spawn(letter, note, (void *)(uintptr_t)letter);
}

TEST(s10_1_a_sleeper_resumes_when_its_time_has_passed_and_not_before)
{
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(5));
    ASSERT_ERR(hr_sleep(1), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(5) + 1);
    ASSERT_ERR(hr_sleep(hr_seconds(100000)), 0);
    ASSERT_EQ(test_clock_now(), hr_seconds(100000) + hr_ms(5) + 1);
}

TEST(s10_2_a_sleep_of_nothing_gives_up_one_pass)
{
    order[0] = '\0';
    ASSERT_ERR(spawn_note("a"), 0);
    ASSERT_ERR(spawn_note("b"), 0);
    ASSERT_ERR(hr_sleep(0), 0);
    ASSERT_STR(order, "ab");
    ASSERT_ERR(spawn_note("c"), 0);
    ASSERT_ERR(hr_sleep(-5), 0);
    ASSERT_STR(order, "abc");
    ASSERT_EQ(test_clock_now(), 0);
}
