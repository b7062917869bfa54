/* SPDX-License-Identifier: MIT */
/*
 * Nothing starves, however busy the tasks are: semantics 11.2.
 */
#include <unistd.h>

#include "core/clock.h"
#include "core/io.h"
#include "core/loop.h"
#include "tests/support/hrtest.h"

static int spin(void *stop)
{
    while (!*(bool *)stop) {
        int r = hr_yield();
        if (r < 0)
            return r;
    }
    return 0;
}

struct busy {
    bool stop;
    int pipe[2];
};

static void write_byte(void *arg)
{
    struct busy *busy = arg;
    ASSERT_EQ(write(busy->pipe[1], "x", 1), 1);
}

TEST_REAL(s11_2_l1_busy_tasks_starve_neither_timers_nor_descriptors)
{
    struct busy busy = {0};
    ASSERT_EQ(pipe(busy.pipe), 0);
    hr_task *spinners[3];
    for (int i = 0; i < 3; i++)
        spinners[i] = hr_create_task("spinner", spin, &busy.stop);

    for (int i = 0; i < 5; i++) {
        hr_usec start = test_clock_now();
        ASSERT_TRUE(hr_call_later(hr_ms(2), write_byte, &busy));
        ASSERT_ERR(hr_wait_fd(busy.pipe[0], HR_READ), HR_READ);
        char byte;
        ASSERT_EQ(read(busy.pipe[0], &byte, 1), 1);
        ASSERT_TRUE(test_clock_now() - start < hr_ms(200)); /* idle, it would be 2 */
    }
    busy.stop = true;
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_join(spinners[i]), 0);
    close(busy.pipe[0]);
    close(busy.pipe[1]);
}

/* How many slices of a millisecond run until a timer of a millisecond is seen. */
static int slow_slices_until_a_timer(void)
{
    int slices = 0;
    hr_future *timer = hr_sleep_future(hr_ms(1), NULL, NULL);
    for (; !hr_future_done(timer); slices++) {
        hr_usec until = hr_clock_monotonic()->now(NULL) + hr_ms(1);
        while (hr_clock_monotonic()->now(NULL) < until)
            ;
        ASSERT_ERR(hr_yield(), 0);
    }
    hr_future_unref(timer);
    return slices;
}

TEST_REAL(s11_2_slices_that_turn_slow_are_soon_noticed)
{
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_TRUE(slow_slices_until_a_timer() <= 3);
    for (int i = 0; i < 10000; i++)
        ASSERT_ERR(hr_yield(), 0);
    ASSERT_TRUE(slow_slices_until_a_timer() <= 66);
}

static void requeue(void *stop)
{
    if (!*(bool *)stop)
        ASSERT_TRUE(hr_call_soon(requeue, stop));
}

TEST_REAL(s11_2_l1_a_callback_that_queues_itself_starves_no_timer)
{
    bool stop = false;
    ASSERT_TRUE(hr_call_soon(requeue, &stop));
    hr_usec start = test_clock_now();
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_TRUE(test_clock_now() - start < hr_ms(200));
    stop = true;
    test_passes(1);
}
