/* SPDX-License-Identifier: MIT */
/*
 * The memory budget: claims wait at 80 %, and nothing waits for ever.
 */
#include "daemon/budget.h"

#include "tests/support/hrtest.h"

static int charge(void *arg)
{
    struct budget *budget = arg;
    return budget_charge(budget, 100);
}

static void open_budget(struct budget *budget, size_t limit, size_t used)
{
    budget_init(budget, limit);
    budget_adjust(budget, 0, used);
}

/* Gives back what is used. */
static void close_budget(struct budget *budget)
{
    budget_adjust(budget, budget->used, 0);
    budget_done(budget);
}

/* Charges 100, and has to wait for them. */
static hr_future *comes_late(struct budget *budget)
{
    size_t used = budget->used;
    hr_future *late = hr_create_task("late", charge, budget);
    test_passes(3);
    ASSERT_EQ(budget->used, used);
    return late;
}

TEST(a_charge_waits_from_four_fifths_on)
{
    struct budget budget;
    open_budget(&budget, 1000, 799);
    ASSERT_ERR(budget_charge(&budget, 1), 0);
    hr_auto(hr_future_unrefp) hr_future *late = comes_late(&budget);
    budget_adjust(&budget, 1, 0);
    ASSERT_ERR(hr_await(late), 0);
    ASSERT_EQ(budget.used, 899);
    close_budget(&budget);
}

TEST(a_charge_beyond_the_whole_budget_is_let_through_when_there_is_room)
{
    struct budget budget;
    open_budget(&budget, 1000, 0);
    ASSERT_ERR(budget_charge(&budget, 5000), 0);
    ASSERT_EQ(budget.used, 5000);
    hr_auto(hr_future_unrefp) hr_future *late = comes_late(&budget);
    budget_adjust(&budget, 5000, 0);
    ASSERT_ERR(hr_await(late), 0);
    ASSERT_EQ(budget.used, 100);
    close_budget(&budget);
}

TEST(waiters_that_wake_together_look_again)
{
    struct budget budget;
    open_budget(&budget, 100, 90);
    hr_auto(hr_future_unrefp) hr_future *first = comes_late(&budget);
    hr_auto(hr_future_unrefp) hr_future *second = comes_late(&budget);
    budget_adjust(&budget, 90, 0);
    ASSERT_ERR(hr_await(first), 0);
    test_passes(3);
    ASSERT_EQ(budget.used, 100);
    budget_adjust(&budget, 100, 0);
    ASSERT_ERR(hr_await(second), 0);
    close_budget(&budget);
}

TEST(whoever_gives_up_waiting_has_charged_nothing)
{
    struct budget budget;
    open_budget(&budget, 100, 90);
    ASSERT_ERR(hr_wait_for(hr_create_task("late", charge, &budget), hr_ms(5)), -ETIMEDOUT);
    ASSERT_EQ(budget.used, 90);
    close_budget(&budget);
}
