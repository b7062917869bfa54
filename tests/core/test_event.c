/* SPDX-License-Identifier: MIT */
/*
 * Events, semantics 15.1 to 15.4.
 */
#include "core/event.h"

#include "core/task.h"
#include "tests/support/hrtest.h"

struct bell {
    hr_event event;
    char order[8];
    int heard;
};

struct listener {
    struct bell *bell;
    char name;
};

static int listen_for(void *arg)
{
    struct listener *l = arg;
    int r = hr_event_wait(&l->bell->event);
    if (r == 0)
        l->bell->order[l->bell->heard++] = l->name;
    return r;
}

TEST(s15_1_a_wait_for_a_set_event_does_not_suspend)
{
    hr_event event;
    hr_event_init(&event);
    hr_event_set(&event);
    struct hr_loop_stats before, after;
    hr_loop_get_stats(hr_running_loop(), &before);
    ASSERT_ERR(hr_event_wait(&event), 0);
    hr_loop_get_stats(hr_running_loop(), &after);
    ASSERT_EQ(after.passes, before.passes);
    hr_event_done(&event);
}

TEST(s15_2_set_wakes_all_waiters_in_order_and_later_ones_pass_until_clear)
{
    struct bell bell = {0};
    hr_event_init(&bell.event);
    struct listener l[] = {
        {&bell, 'a'},
        {&bell, 'b'},
        {&bell, 'c'},
        {&bell, 'd'}
    };
    hr_task *a = hr_create_task(NULL, listen_for, &l[0]);
    hr_task *b = hr_create_task(NULL, listen_for, &l[1]);
    test_passes(2);
    ASSERT_EQ(bell.heard, 0);
    hr_event_set(&bell.event);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_ERR(hr_join(hr_create_task(NULL, listen_for, &l[2])), 0);
    ASSERT_STR(bell.order, "abc");

    hr_event_clear(&bell.event);
    hr_task *d = hr_create_task(NULL, listen_for, &l[3]);
    test_passes(3);
    ASSERT_EQ(bell.heard, 3);
    hr_event_set(&bell.event);
    ASSERT_ERR(hr_join(d), 0);
    hr_event_done(&bell.event);
}

TEST(s15_3_set_and_clear_in_one_slice_wake_those_who_were_waiting)
{
    struct bell bell = {0};
    hr_event_init(&bell.event);
    struct listener l[] = {
        {&bell, 'a'},
        {&bell, 'b'}
    };
    hr_task *a = hr_create_task(NULL, listen_for, &l[0]);
    hr_task *b = hr_create_task(NULL, listen_for, &l[1]);
    test_passes(1);
    hr_event_set(&bell.event);
    hr_event_clear(&bell.event);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_FALSE(bell.event.set);
    hr_event_done(&bell.event);
}

TEST(s15_4_a_cancelled_waiter_leaves_no_trace)
{
    struct bell bell = {0};
    hr_event_init(&bell.event);
    struct listener l[] = {
        {&bell, 'a'},
        {&bell, 'b'}
    };
    hr_task *a = hr_create_task(NULL, listen_for, &l[0]);
    hr_task *b = hr_create_task(NULL, listen_for, &l[1]);
    test_passes(1);
    hr_task_cancel(a, NULL);
    ASSERT_ERR(hr_join(a), -ECANCELED);
    hr_event_set(&bell.event);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_STR(bell.order, "b");
    hr_event_done(&bell.event);
}
