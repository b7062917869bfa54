/* SPDX-License-Identifier: MIT */
/*
 * Greenlets, semantics 18.
 */
#include "core/greenlet.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "core/generator.h"
#include "core/task.h"
#include "tests/support/hrtest.h"

static char order[128];

static void note(const char *text)
{
    strncat(order, text, sizeof(order) - strlen(order) - 1);
}

static void *number(intptr_t n)
{
    return (void *)n;
}

/* Adds one to what it is sent, for ever. */
static int add_one(void *arg, void **value)
{
    hr_greenlet *back = arg;
    for (;;) {
        void *next;
        int r = hr_greenlet_switch(back, number((intptr_t)*value + 1), &next);
        if (r < 0) {
            note("end");
            return r;
        }
        *value = next;
    }
}

TEST_PLAIN(s18_1_s18_2_it_starts_at_its_first_switch_and_values_go_to_and_fro)
{
    hr_greenlet *main_one = hr_greenlet_current();
    hr_greenlet *g = hr_greenlet_new(add_one, main_one, NULL);
    ASSERT_PTR(hr_greenlet_parent(g), main_one);
    ASSERT_FALSE(hr_greenlet_started(g));
    void *value;
    ASSERT_ERR(hr_greenlet_switch(g, number(1), &value), 0);
    ASSERT_EQ((intptr_t)value, 2);
    ASSERT_TRUE(hr_greenlet_started(g));
    ASSERT_ERR(hr_greenlet_switch(g, number(10), &value), 0);
    ASSERT_EQ((intptr_t)value, 11);
    ASSERT_PTR(hr_greenlet_free(g), NULL);
}

static int finish(void *arg, void **value)
{
    *value = number((intptr_t)*value * 2);
    return (int)(intptr_t)arg;
}

static int run_child(void *arg, void **value)
{
    hr_greenlet **children = arg;
    void *got = NULL;
    int r = hr_greenlet_switch(children[0], number(21), &got);
    *value = got;
    return r;
}

TEST_PLAIN(s18_3_the_end_goes_to_the_parent_with_the_value)
{
    hr_greenlet *child = NULL;
    hr_greenlet *parent = hr_greenlet_new(run_child, &child, NULL);
    child = hr_greenlet_new(finish, number(5), parent);
    void *value;
    ASSERT_ERR(hr_greenlet_switch(parent, NULL, &value), 5);
    ASSERT_EQ((intptr_t)value, 42);
    ASSERT_TRUE(hr_greenlet_dead(child));
    ASSERT_TRUE(hr_greenlet_dead(parent));

    /* The nearest living one: the parent is dead. */
    hr_greenlet *orphan = hr_greenlet_new(finish, number(3), parent);
    ASSERT_ERR(hr_greenlet_switch(orphan, number(4), &value), 3);
    ASSERT_EQ((intptr_t)value, 8);
    hr_greenlet_free(orphan);
    hr_greenlet_free(parent);
    hr_greenlet_free(child);
}

static int fail(void *arg, void **value)
{
    return hr_fail(-EIO, "no luck");
}

TEST_PLAIN(s18_4_an_error_goes_to_the_parents_switch)
{
    hr_greenlet *g = hr_greenlet_new(fail, NULL, NULL);
    ASSERT_ERR(hr_greenlet_switch(g, NULL, NULL), -EIO);
    ASSERT_STR(hr_last_error()->message, "no luck");
    ASSERT_TRUE(hr_greenlet_dead(g));
    hr_greenlet_free(g);
}

TEST_PLAIN(s18_5_a_throw_arrives_at_the_targets_switch)
{
    void *value;
    order[0] = '\0';
    hr_greenlet *g = hr_greenlet_new(add_one, hr_greenlet_current(), NULL);
    ASSERT_ERR(hr_greenlet_switch(g, number(1), &value), 0);
    ASSERT_ERR(hr_greenlet_throw(g, hr_fail(-EPIPE, "thrown"), NULL), -EPIPE);
    ASSERT_STR(hr_last_error()->message, "thrown");
    ASSERT_STR(order, "end");
    hr_greenlet_free(g);

    g = hr_greenlet_new(add_one, hr_greenlet_current(), NULL);
    ASSERT_ERR(hr_greenlet_switch(g, number(1), &value), 0);
    ASSERT_ERR(hr_greenlet_throw(g, HR_EEXIT, &value), 0); /* an ordinary end */
    ASSERT_TRUE(hr_greenlet_dead(g));
    hr_greenlet_free(g);

    g = hr_greenlet_new(add_one, hr_greenlet_current(), NULL);
    ASSERT_ERR(hr_greenlet_throw(g, -EPIPE, NULL), -EPIPE); /* not started: dies of it */
    ASSERT_TRUE(hr_greenlet_dead(g));
    ASSERT_ERR(hr_greenlet_throw(g, 3, NULL), -EINVAL);
    ASSERT_ERR(hr_greenlet_throw(g, HR_EEXIT, NULL), 0); /* a dead one stands for its parent */
    hr_greenlet_free(g);

    g = hr_greenlet_new(add_one, hr_greenlet_current(), NULL);
    ASSERT_ERR(hr_greenlet_throw(g, HR_EEXIT, NULL), 0); /* not started: no error either */
    ASSERT_TRUE(hr_greenlet_dead(g));
    hr_greenlet_free(g);
}

TEST_PLAIN(s18_6_s18_11_a_dead_one_and_oneself_give_the_value_at_once)
{
    void *value = NULL;
    hr_greenlet *self = hr_greenlet_current();
    ASSERT_ERR(hr_greenlet_switch(self, number(7), &value), 0);
    ASSERT_EQ((intptr_t)value, 7);
    hr_greenlet *g = hr_greenlet_new(finish, number(0), NULL);
    ASSERT_ERR(hr_greenlet_switch(g, number(1), NULL), 0);
    ASSERT_ERR(hr_greenlet_switch(g, number(9), &value), 0);
    ASSERT_EQ((intptr_t)value, 9);
    hr_greenlet_free(g);
}

TEST_PLAIN(s18_7_the_main_one_has_no_parent_and_rings_are_refused)
{
    hr_greenlet *main_one = hr_greenlet_current();
    ASSERT_PTR(hr_greenlet_parent(main_one), NULL);
    ASSERT_PTR(hr_greenlet_free(main_one), main_one);
    hr_greenlet *a = hr_greenlet_new(finish, NULL, NULL);
    hr_greenlet *b = hr_greenlet_new(finish, NULL, a);
    ASSERT_ERR(hr_greenlet_set_parent(a, b), -EINVAL);
    ASSERT_ERR(hr_greenlet_set_parent(a, a), -EINVAL);
    ASSERT_ERR(hr_greenlet_set_parent(main_one, a), -EINVAL);
    ASSERT_ERR(hr_greenlet_set_parent(b, main_one), 0);
    ASSERT_PTR(hr_greenlet_parent(b), main_one);
    hr_greenlet_free(a);
    hr_greenlet_free(b);
}

static int end_another(void *other, void **value)
{
    *value = number(hr_greenlet_free(other) == NULL);
    note(" freed");
    return 3;
}

TEST_PLAIN(s18_9_freeing_comes_back_to_whoever_frees)
{
    void *value;
    order[0] = '\0';
    hr_greenlet *g = hr_greenlet_new(add_one, hr_greenlet_current(), NULL);
    ASSERT_ERR(hr_greenlet_switch(g, number(1), &value), 0);
    hr_greenlet *other = hr_greenlet_new(end_another, g, NULL); /* not the parent of g */
    ASSERT_ERR(hr_greenlet_switch(other, NULL, &value), 3);
    ASSERT_EQ((intptr_t)value, 1);
    ASSERT_STR(order, "end freed");
    hr_greenlet_free(other);
}

static int make_child(void *child, void **value)
{
    *(hr_greenlet **)child = hr_greenlet_new(finish, NULL, NULL);
    return hr_greenlet_parent(*(hr_greenlet **)child) == hr_greenlet_current() ? 1 : -EPROTO;
}

TEST_PLAIN(s18_1_the_parent_is_the_one_that_makes_it)
{
    hr_greenlet *child = NULL;
    hr_greenlet *g = hr_greenlet_new(make_child, &child, NULL);
    ASSERT_ERR(hr_greenlet_switch(g, NULL, NULL), 1);
    ASSERT_PTR(hr_greenlet_parent(child), g);
    hr_greenlet_free(child);
    hr_greenlet_free(g);
}

static void *switch_from_elsewhere(void *greenlet)
{
    return number(hr_greenlet_switch(greenlet, NULL, NULL));
}

TEST_PLAIN(s18_8_another_thread_is_refused)
{
    hr_greenlet *g = hr_greenlet_new(finish, NULL, NULL);
    pthread_t thread;
    void *result;
    ASSERT_EQ(pthread_create(&thread, NULL, switch_from_elsewhere, g), 0);
    pthread_join(thread, &result);
    ASSERT_ERR((int)(intptr_t)result, HR_EWRONGTHREAD);
    ASSERT_FALSE(hr_greenlet_started(g));
    hr_greenlet_free(g);
}

static int stubborn(void *back, void **value)
{
    (void)!hr_greenlet_switch(back, NULL, NULL);
    note("1");
    (void)!hr_greenlet_switch(back, NULL, NULL);
    note("2");
    return 0;
}

TEST_PLAIN(s18_9_freeing_a_suspended_one_runs_its_cleanups)
{
    order[0] = '\0';
    void *value;
    hr_greenlet *g = hr_greenlet_new(add_one, hr_greenlet_current(), NULL);
    ASSERT_ERR(hr_greenlet_switch(g, number(1), &value), 0);
    ASSERT_PTR(hr_greenlet_free(g), NULL);
    ASSERT_STR(order, "end");
    order[0] = '\0';
    g = hr_greenlet_new(stubborn, hr_greenlet_current(), NULL);
    ASSERT_ERR(hr_greenlet_switch(g, NULL, NULL), 0);
    ASSERT_PTR(hr_greenlet_free(g), NULL); /* asked twice */
    ASSERT_STR(order, "12");
}

static int look_at_oneself(void *arg, void **value)
{
    hr_greenlet *self = *(hr_greenlet **)arg;
    bool right = hr_greenlet_current() == self && hr_greenlet_started(self) &&
                 !hr_greenlet_suspended(self) && !hr_greenlet_dead(self) &&
                 hr_greenlet_suspended(hr_greenlet_parent(self)) && hr_greenlet_free(self) == self;
    return right ? 1 : -EINVAL;
}

TEST_PLAIN(s18_10_which_one_runs_and_the_states_can_be_read)
{
    hr_greenlet *g = hr_greenlet_new(look_at_oneself, &g, NULL);
    ASSERT_FALSE(hr_greenlet_suspended(g));
    ASSERT_ERR(hr_greenlet_switch(g, NULL, NULL), 1);
    ASSERT_TRUE(hr_greenlet_dead(g));
    ASSERT_FALSE(hr_greenlet_started(g));
    hr_greenlet_free(g);
}

static int change_errno(void *back, void **value)
{
    errno = EBADF;
    int r = hr_greenlet_switch(back, NULL, NULL);
    *value = number(errno);
    return r;
}

TEST_PLAIN(s18_12_errno_is_the_greenlets_own)
{
    void *value;
    hr_greenlet *g = hr_greenlet_new(change_errno, hr_greenlet_current(), NULL);
    errno = ENOENT;
    ASSERT_ERR(hr_greenlet_switch(g, NULL, NULL), 0);
    ASSERT_EQ(errno, ENOENT);
    ASSERT_ERR(hr_greenlet_switch(g, NULL, &value), 0);
    ASSERT_EQ((intptr_t)value, EBADF);
    hr_greenlet_free(g);
}

static hr_greenlet *ring[3];

static int go_round(void *arg, void **value)
{
    intptr_t index = (intptr_t)arg;
    for (int i = 0; i < 5; i++) {
        char step[] = {(char)('A' + index), (char)('0' + i), ' ', '\0'};
        note(step);
        if (index == 2 && i == 4)
            break;
        int r = hr_greenlet_switch(ring[(index + 1) % 3], NULL, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

TEST_PLAIN(s18_13_the_ring_of_the_documents)
{
    order[0] = '\0';
    for (int i = 0; i < 3; i++)
        ring[i] = hr_greenlet_new(go_round, number(i), NULL);
    ASSERT_ERR(hr_greenlet_switch(ring[0], NULL, NULL), 0);
    ASSERT_STR(order, "A0 B0 C0 A1 B1 C1 A2 B2 C2 A3 B3 C3 A4 B4 C4 ");
    for (int i = 0; i < 3; i++)
        hr_greenlet_free(ring[i]);
}

static int wait_inside(void *arg, void **value)
{
    *value = hr_current_task();
    return hr_sleep(hr_ms(5));
}

static int switch_to_foreign(void *greenlet)
{
    return hr_greenlet_switch(greenlet, NULL, NULL);
}

TEST(s18_14_in_a_task_it_runs_as_part_of_that_task)
{
    void *task = NULL;
    hr_greenlet *g = hr_greenlet_new(wait_inside, NULL, NULL);
    hr_task *other = hr_create_task(NULL, switch_to_foreign, g);
    ASSERT_ERR(hr_greenlet_switch(g, NULL, &task), 0); /* others run while it waits */
    ASSERT_PTR(task, hr_current_task());
    ASSERT_EQ(test_clock_now(), hr_ms(5));
    ASSERT_ERR(hr_join(other), HR_EWRONGTHREAD);
    hr_greenlet_free(g);
}

static int cancelled_inside(void *arg, void **value)
{
    int r = hr_sleep(hr_seconds(9));
    note("cleaned");
    return r;
}

static int with_greenlet(void *arg)
{
    hr_greenlet *g = hr_greenlet_new(cancelled_inside, NULL, NULL);
    int r = hr_greenlet_switch(g, NULL, NULL);
    hr_greenlet_free(g);
    return r;
}

TEST(s18_14_a_cancel_of_the_task_arrives_where_it_waits)
{
    order[0] = '\0';
    hr_task *task = hr_create_task(NULL, with_greenlet, NULL);
    test_passes(1);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_STR(order, "cleaned");
}

static int leave_one_behind(void *arg)
{
    void *value;
    *(hr_greenlet **)arg = hr_greenlet_new(add_one, hr_greenlet_current(), NULL);
    return hr_greenlet_switch(*(hr_greenlet **)arg, number(1), &value);
}

TEST(s18_9_one_whose_task_is_over_is_lost_and_can_be_freed)
{
    hr_greenlet *g = NULL;
    order[0] = '\0';
    ASSERT_ERR(hr_join(hr_create_task(NULL, leave_one_behind, &g)), 0);
    ASSERT_ERR(hr_greenlet_switch(g, NULL, NULL), HR_EWRONGTHREAD);
    ASSERT_PTR(hr_greenlet_free(g), NULL);
    ASSERT_STR(order, "");
}

static int yield_through(hr_generator *self, void *arg)
{
    hr_greenlet *g = hr_greenlet_new(add_one, hr_greenlet_current(), NULL);
    void *value;
    int r = hr_greenlet_switch(g, number(1), &value);
    if (r == 0)
        r = hr_generator_yield(self, value, NULL);
    if (r == 0)
        r = hr_greenlet_switch(g, number(4), &value);
    if (r == 0)
        hr_generator_return(self, value);
    hr_greenlet_free(g);
    return r;
}

TEST(greenlets_and_generators_mix)
{
    void *value;
    hr_generator *g = hr_generator_new(yield_through, NULL);
    ASSERT_ERR(hr_generator_next(g, &value), 0);
    ASSERT_EQ((intptr_t)value, 2);
    ASSERT_ERR(hr_generator_next(g, &value), HR_EEND);
    ASSERT_EQ((intptr_t)value, 5);
    hr_generator_free(g);
}

static void see(hr_greenlet *from, hr_greenlet *to, int code, void *cookie)
{
    hr_greenlet **seen = cookie;
    note(code < 0 ? "throw " : to == *seen ? "there " : from == *seen ? "back " : "? ");
}

TEST_PLAIN(s18_15_a_hook_sees_every_switch_and_throw)
{
    void *value;
    order[0] = '\0';
    hr_greenlet *g = hr_greenlet_new(add_one, hr_greenlet_current(), NULL);
    hr_greenlet_set_trace(see, &g);
    ASSERT_ERR(hr_greenlet_switch(g, number(1), &value), 0);
    ASSERT_ERR(hr_greenlet_throw(g, -EPIPE, NULL), -EPIPE);
    hr_greenlet_set_trace(NULL, NULL);
    ASSERT_STR(order, "there back throw endthrow ");
    hr_greenlet_free(g);
}
