/* SPDX-License-Identifier: MIT */
/*
 * Sleeping: a task waits for a moment.
 */
#include "core/park.h"

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
    sleeper.timer.ahead = sleeper.waiter.task;
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

/* A sleep that nobody's stack holds. */
struct sleep {
    struct hr__timer timer;
    struct hr__watch watch;
    hr_future *future; /* a reference */
    void *value;
    hr_free_fn *free_value;
};

static void sleep_due(struct hr__timer *timer)
{
    struct sleep *sleep = hr_container_of(timer, struct sleep, timer);
    hr_list_remove(&sleep->watch.link);
    hr_future_set_result(sleep->future, sleep->value, sleep->free_value);
    hr_future_unref(sleep->future);
    free(sleep);
}

/* Cancelled, or completed by somebody else. */
static void sleep_over(struct hr__watch *watch)
{
    struct sleep *sleep = hr_container_of(watch, struct sleep, watch);
    hr__timer_disarm(&sleep->future->loop->timers, &sleep->timer);
    if (sleep->free_value)
        sleep->free_value(sleep->value);
    hr_future_unref(sleep->future);
    free(sleep);
}

hr_future *hr_sleep_future(hr_usec span, void *value, hr_free_fn *free_value)
{
    hr_future *future = hr_future_new(NULL);
    struct sleep *sleep = future ? malloc(sizeof(*sleep)) : NULL;
    if (!sleep) {
        if (future)
            hr_fail(-ENOMEM, "no memory to sleep");
        return hr_future_unref(future);
    }
    *sleep = (struct sleep){
        .watch.done = sleep_over,
        .future = hr_future_ref(future),
        .value = value,
        .free_value = free_value,
    };
    hr__timer_init(&sleep->timer, sleep_due);
    hr__future_watch(future, &sleep->watch);
    hr__loop_arm(future->loop, &sleep->timer, hr__deadline(future->loop, span));
    return future;
}
