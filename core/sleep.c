/* SPDX-License-Identifier: MIT */
/*
 * Sleeping: a task waits for a moment.
 *
 * The timer stands in the task's struct, not on its stack: structs lie a dozen to a page, while
 * each stack is a page of its own, and a crowd has more of them than the processor remembers
 * translations. So a sleeper's stack is touched when it goes on, and not whenever its timer or a
 * neighbour's is moved.
 */
#include "core/park.h"

/* The loop that runs is the task's, whose own field would be one more line to wait for. */
static void sleeper_due(struct hr__timer *timer)
{
    struct hr__task *task = hr_container_of(timer, struct hr__task, nap);
    if (!hr__ready_queued(&task->ready))
        hr__ready_append(&hr__loop_running->ready, &task->ready);
}

int hr_sleep_until(hr_usec moment)
{
    struct hr__waiter waiter;
    int r = hr__waiter_init(&waiter);
    if (r < 0)
        return r;
    hr_loop *loop = hr__loop_running;
    struct hr__task *task = hr__task(waiter.task);
    r = hr__task_take_cancel(task);
    if (hr_unlikely(r < 0))
        return r;
    hr__timer_init(&task->nap, sleeper_due);
    task->nap.ahead = task->fiber; /* where it goes on */
    hr__loop_arm(loop, &task->nap, moment);
    hr__park_now(task, &waiter, "a moment");
    waiter.woken = !hr__timer_armed(&task->nap);
    hr__timer_disarm(&loop->timers, &task->nap);
    return hr_likely(waiter.woken && !task->must_cancel) ? 0 : hr__park_interrupted(&waiter, 0);
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
