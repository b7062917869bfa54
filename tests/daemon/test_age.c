/* SPDX-License-Identifier: MIT */
/*
 * The age of the oldest item of a list of which only lengths are seen.
 */
#include "daemon/age.h"

#include "tests/support/hrtest.h"

#define START hr_seconds(1000)

static hr_usec look(struct age *age, unsigned second, uint64_t length, uint64_t taken)
{
    return age_look(age, length, taken, START + hr_seconds(second)) / hr_seconds(1);
}

TEST_PLAIN(a_list_of_which_nothing_is_taken_ages)
{
    struct age age = {0};
    ASSERT_EQ(look(&age, 0, 5, 0), 0);
    for (unsigned second = 10; second <= 10000; second += 10)
        ASSERT_EQ(look(&age, second, 5 + second, 0), second);
}

TEST_PLAIN(an_empty_list_has_no_age)
{
    struct age age = {0};
    look(&age, 0, 5, 0);
    ASSERT_EQ(look(&age, 10, 0, 5), 0);
    ASSERT_EQ(look(&age, 20, 3, 5), 10);
    ASSERT_EQ(look(&age, 30, 3, 5), 20);
}

/* 100 a second come and go, behind 3,000 that wait: each waits 30 s, though the list never ends. */
TEST_PLAIN(a_list_that_moves_is_as_old_as_what_waits_in_it)
{
    struct age age = {0};
    for (unsigned second = 0; second <= 5000; second += 5) {
        hr_usec old = look(&age, second, 3000, (uint64_t)100 * second);
        ASSERT_TRUE(old <= 35);
        ASSERT_TRUE(second < 35 || old >= 30);
    }
}

/* Two come for each that goes: what is taken has been there for half of the time. */
TEST_PLAIN(a_backlog_of_a_day_is_told_to_a_tenth)
{
    struct age age = {0};
    for (unsigned second = 0; second < 86400; second += 15) {
        hr_usec old = look(&age, second, second, second);
        hr_usec true_age = second / 2;
        ASSERT_TRUE(old >= true_age - 15 && old <= true_age * 11 / 10 + 15);
    }
}

TEST_PLAIN(what_others_take_counts_where_the_list_gets_shorter)
{
    struct age age = {0};
    look(&age, 0, 1000, 0);
    ASSERT_EQ(look(&age, 10, 10, 0), 10);
    ASSERT_EQ(look(&age, 20, 500, 10), 10);
}

TEST_PLAIN(a_long_time_without_a_look_tells_nothing)
{
    struct age age = {0};
    look(&age, 0, 5, 0);
    ASSERT_EQ(look(&age, 3600, 5, 0), 0);
    ASSERT_EQ(look(&age, 3610, 5, 0), 10);
}
