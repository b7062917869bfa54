/* SPDX-License-Identifier: MIT */
/*
 * Sleeping: a task waits for a moment.
 */
#include "core/loop_impl.h"

struct sleeper {
    struct hr__timer timer;
    struct hr__waiter waiter;
};

static void sleeper_due(struct hr__timer *timer)
{
    hr__wake(&hr_container_of(timer, struct sleeper, timer)->waiter, 0);
}

int hr_sleep_until(hr_usec moment)
{
    struct sleeper sleeper;
    int r = hr__waiter_init(&sleeper.waiter);
    if (r < 0)
        return r;
    hr_loop *loop = hr__loop_running;
    hr__timer_init(&sleeper.timer, sleeper_due);
    hr__loop_arm(loop, &sleeper.timer, moment);
    r = hr__park(&sleeper.waiter, "a moment");
    hr__timer_disarm(&loop->timers, &sleeper.timer);
    return r;
}

int hr_sleep(hr_usec span)
{
    if (span <= 0 || !hr__task_running())
        return hr_yield();
    return hr_sleep_until(hr__deadline(hr__loop_running, span));
}
