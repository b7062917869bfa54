/* SPDX-License-Identifier: MIT */
/*
 * Semaphores, semantics 14.
 */
#include "core/semaphore.h"

#include "core/gather.h"
#include "core/task.h"
#include "tests/support/hrtest.h"

struct hall {
    hr_semaphore semaphore;
    int inside, most, served;
    int order[32];
};

struct guest {
    struct hall *hall;
    int number;
    hr_usec stay;
};

static int enter_hall(void *arg)
{
    struct guest *g = arg;
    int r = hr_semaphore_acquire(&g->hall->semaphore);
    if (r < 0)
        return r;
    g->hall->order[g->hall->served++] = g->number;
    if (++g->hall->inside > g->hall->most)
        g->hall->most = g->hall->inside;
    r = hr_sleep(g->stay);
    g->hall->inside--;
    hr_semaphore_release(&g->hall->semaphore);
    return r;
}

TEST(s14_9_acquire_takes_one_and_release_gives_one)
{
    hr_semaphore semaphore;
    hr_semaphore_init(&semaphore, 2, false);
    ASSERT_ERR(hr_semaphore_acquire(&semaphore), 0);
    ASSERT_ERR(hr_semaphore_try(&semaphore), 0);
    ASSERT_ERR(hr_semaphore_try(&semaphore), -EBUSY);
    ASSERT_ERR(hr_semaphore_release(&semaphore), 0);
    ASSERT_ERR(hr_semaphore_try(&semaphore), 0);
    hr_semaphore_done(&semaphore);
}

TEST(s14_3_s14_10_a_release_hands_the_permit_to_the_first_waiter)
{
    struct hall hall = {0};
    hr_semaphore_init(&hall.semaphore, 0, false);
    struct guest g = {&hall, 7, hr_ms(1)};
    hr_task *task = hr_create_task("guest", enter_hall, &g);
    test_passes(1);
    ASSERT_ERR(hr_semaphore_release(&hall.semaphore), 0);
    ASSERT_EQ(hall.semaphore.count, 0);
    ASSERT_ERR(hr_semaphore_try(&hall.semaphore), -EBUSY);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_EQ(hall.order[0], 7);
    ASSERT_EQ(hall.semaphore.count, 1);
    hr_semaphore_done(&hall.semaphore);
}

TEST(s14_11_a_waiter_cancelled_in_the_instant_it_was_woken_passes_the_permit_on)
{
    struct hall hall = {0};
    hr_semaphore_init(&hall.semaphore, 0, true);
    hall.semaphore.bound = 1;
    struct guest a = {&hall, 1, 0}, b = {&hall, 2, 0};
    hr_task *first = hr_create_task("first", enter_hall, &a);
    hr_task *second = hr_create_task("second", enter_hall, &b);
    test_passes(1);
    hr_semaphore_release(&hall.semaphore);
    hr_task_cancel(first, NULL);
    ASSERT_ERR(hr_join(first), -ECANCELED);
    ASSERT_ERR(hr_join(second), 0);
    ASSERT_EQ(hall.served, 1);
    ASSERT_EQ(hall.order[0], 2);
    ASSERT_EQ(hall.semaphore.count, 1);
    hr_semaphore_done(&hall.semaphore);
}

TEST(s14_12_releases_of_one_slice_wake_that_many_in_order)
{
    struct hall hall = {0};
    hr_semaphore_init(&hall.semaphore, 0, false);
    struct guest g[3];
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 3; i++) {
        g[i] = (struct guest){&hall, i, hr_seconds(1)};
        hr_futures_add(&all, hr_create_task(NULL, enter_hall, &g[i]));
    }
    test_passes(1);
    hr_semaphore_release(&hall.semaphore);
    hr_semaphore_release(&hall.semaphore);
    test_passes(1);
    ASSERT_EQ(hall.served, 2);
    ASSERT_EQ(hall.order[0], 0);
    ASSERT_EQ(hall.order[1], 1);
    ASSERT_ERR(hr_gather(&all, 0), 0);
    hr_semaphore_done(&hall.semaphore);
}

TEST(s14_13_a_bounded_one_refuses_a_release_above_its_start)
{
    hr_semaphore semaphore;
    hr_semaphore_init(&semaphore, 1, true);
    ASSERT_ERR(hr_semaphore_release(&semaphore), -EINVAL);
    ASSERT_ERR(hr_semaphore_try(&semaphore), 0);
    ASSERT_ERR(hr_semaphore_release(&semaphore), 0);
    hr_semaphore_done(&semaphore);

    hr_semaphore_init(&semaphore, 1, false);
    ASSERT_ERR(hr_semaphore_release(&semaphore), 0);
    ASSERT_EQ(semaphore.count, 2);
    hr_semaphore_done(&semaphore);
}

TEST(s14_14_twenty_jobs_of_a_second_five_at_a_time_take_four_seconds)
{
    struct hall hall = {0};
    hr_semaphore_init(&hall.semaphore, 5, true);
    struct guest g[20];
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 20; i++) {
        g[i] = (struct guest){&hall, i, hr_seconds(1)};
        hr_futures_add(&all, hr_create_task(NULL, enter_hall, &g[i]));
    }
    ASSERT_ERR(hr_gather(&all, 0), 0);
    ASSERT_EQ(test_clock_now(), hr_seconds(4));
    ASSERT_EQ(hall.most, 5);
    for (int i = 0; i < 20; i++)
        ASSERT_EQ(hall.order[i], i);
    ASSERT_EQ(hall.semaphore.count, 5);
    hr_semaphore_done(&hall.semaphore);
}

static int hold_for_a_moment(void *semaphore)
{
    hr_auto(hr_semaphore_releasep) hr_semaphore *held = NULL;
    int r = hr_semaphore_hold(semaphore, &held);
    return r < 0 ? r : hr_sleep(hr_ms(1));
}

TEST(s14_7_s14_8_the_scope_form_releases_and_a_try_overtakes_nobody)
{
    hr_semaphore one;
    hr_semaphore_init(&one, 1, true);
    hr_task *first = hr_create_task(NULL, hold_for_a_moment, &one);
    hr_task *second = hr_create_task(NULL, hold_for_a_moment, &one);
    ASSERT_ERR(hr_join(first), 0);
    ASSERT_ERR(hr_semaphore_try(&one), -EBUSY); /* it is the second one's */
    hr_task_cancel(second, NULL);
    ASSERT_ERR(hr_join(second), -ECANCELED);
    ASSERT_ERR(hr_semaphore_try(&one), 0);
    ASSERT_ERR(hr_semaphore_release(&one), 0);
}
