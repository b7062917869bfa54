/* SPDX-License-Identifier: MIT */
/*
 * Stacks that generators and greenlets borrow: the latest first, per thread, whoever brings them.
 */
#include "core/stack_cache.h"

#include <pthread.h>
#include <string.h>

#include "core/headrace.h"
#include "tests/support/hrtest.h"

TEST_PLAIN(a_stack_that_came_back_is_lent_next_and_is_still_warm)
{
    struct hr__lent_stack first, second, again;
    ASSERT_ERR(hr__stack_borrow(0, &first), 0);
    ASSERT_ERR(hr__stack_borrow(0, &second), 0);
    ASSERT_TRUE(first.stack.bottom != second.stack.bottom);
    ASSERT_TRUE(first.stack.size + first.stack.guard >= 256 << 10);
    memset((char *)first.stack.bottom + first.stack.size - 100, 1, 100);
    hr__stack_return(&second);
    void *bottom = first.stack.bottom;
    hr__stack_return(&first);
    hr__stack_return(&first); /* it is not lent any more */
    ASSERT_ERR(hr__stack_borrow(0, &again), 0);
    ASSERT_PTR(again.stack.bottom, bottom);
    ASSERT_TRUE(hr__stack_touched(&again.stack) > 0);
    hr__stack_return(&again);
}

TEST_PLAIN(stacks_of_other_sizes_are_kept_apart)
{
    struct hr__lent_stack small, large;
    ASSERT_ERR(hr__stack_borrow(32 << 10, &small), 0);
    hr__stack_return(&small);
    ASSERT_ERR(hr__stack_borrow(1 << 20, &large), 0);
    ASSERT_TRUE(large.stack.size + large.stack.guard >= 1 << 20);
    ASSERT_ERR(hr__stack_borrow(32 << 10, &small), 0);
    ASSERT_EQ(small.stack.size, 24 << 10);
    hr__stack_return(&small);
    hr__stack_return(&large);
}

TEST_PLAIN(more_stacks_than_are_kept_warm_come_back_and_are_lent_again)
{
    enum { COUNT = 1500 };
    static struct hr__lent_stack lent[COUNT];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            ASSERT_ERR(hr__stack_borrow(32 << 10, &lent[i]), 0);
            memset((char *)lent[i].stack.bottom + lent[i].stack.size - sizeof(int), i, sizeof(int));
        }
        for (int i = 0; i < COUNT; i++) {
            ASSERT_EQ(((unsigned char *)lent[i].stack.bottom)[lent[i].stack.size - 1],
                      (unsigned char)i);
            hr__stack_return(&lent[i]);
        }
    }
}

static void *borrow(void *arg)
{
    return hr__stack_borrow(64 << 10, arg) == 0 ? arg : NULL;
}

static void *bring_back(void *arg)
{
    hr__stack_return(arg);
    return arg;
}

static void in_thread(void *(*fn)(void *arg), void *arg)
{
    pthread_t thread;
    void *result = NULL;
    ASSERT_EQ(pthread_create(&thread, NULL, fn, arg), 0);
    ASSERT_EQ(pthread_join(thread, &result), 0);
    ASSERT_PTR(result, arg);
}

TEST_PLAIN(a_stack_may_outlive_its_thread_and_come_back_in_another)
{
    struct hr__lent_stack lent;
    in_thread(borrow, &lent);
    memset(lent.stack.bottom, 1, lent.stack.size);
    in_thread(bring_back, &lent); /* and goes to the store when that thread ends */
    ASSERT_ERR(hr__stack_borrow(64 << 10, &lent), 0);
    ASSERT_EQ(hr__stack_touched(&lent.stack), 0);
    hr__stack_return(&lent);
}

/* Fills most of a stack of 1 MiB. */
static int deep(hr_generator *self, void *arg)
{
    volatile char room[900 << 10];
    for (size_t i = 0; i < sizeof(room); i += 1024)
        room[i] = 1;
    return hr_generator_yield(self, arg, NULL) + room[1024] - 1;
}

TEST(a_generator_may_ask_for_a_larger_stack)
{
    int value = 7;
    void *given = NULL;
    hr_auto(hr_generator_freep) hr_generator *generator =
        hr_generator_new_sized(deep, &value, 1 << 20);
    ASSERT_ERR(hr_generator_next(generator, &given), 0);
    ASSERT_PTR(given, &value);
    ASSERT_ERR(hr_generator_next(generator, &given), HR_EEND);
}

static int deep_greenlet(void *arg, void **value)
{
    volatile char room[900 << 10];
    for (size_t i = 0; i < sizeof(room); i += 1024)
        room[i] = 1;
    *value = arg;
    return room[1024] - 1;
}

TEST(a_greenlet_may_ask_for_a_larger_stack)
{
    int value = 7;
    void *given = NULL;
    hr_greenlet *greenlet = hr_greenlet_new_sized(deep_greenlet, &value, NULL, 1 << 20);
    ASSERT_ERR(hr_greenlet_switch(greenlet, NULL, &given), 0);
    ASSERT_PTR(given, &value);
    hr_greenlet_free(greenlet);
}

/* Ends when it is asked for the third time. */
static int stubborn(hr_generator *self, void *arg)
{
    volatile char room[2048];
    memset((char *)room, 1, sizeof(room));
    (void)!hr_generator_yield(self, arg, NULL);
    (void)!hr_generator_yield(self, arg, NULL);
    return hr_generator_yield(self, arg, NULL) + room[0];
}

static int fill(hr_generator *self, void *arg)
{
    volatile char room[8192];
    memset((char *)room, 2, sizeof(room));
    return room[0] - 2;
}

TEST(the_stack_of_a_generator_that_was_lost_half_way_serves_the_next)
{
    void *ignored = NULL;
    hr_generator *lost = hr_generator_new_sized(stubborn, NULL, 96 << 10);
    ASSERT_ERR(hr_generator_next(lost, &ignored), 0);
    hr_generator_free(lost);
    hr_auto(hr_generator_freep) hr_generator *next = hr_generator_new_sized(fill, NULL, 96 << 10);
    ASSERT_ERR(hr_generator_next(next, &ignored), HR_EEND);
}
