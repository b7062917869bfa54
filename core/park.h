/* SPDX-License-Identifier: MIT */
/*
 * How a task waits for anything: it parks on a record, somebody wakes it. Inside core/ only.
 *
 * Every primitive builds on these two calls. The record lives on the waiting task's stack, linked
 * into the waiters of what it waits for, and is unlinked before hr__park() returns.
 */
#pragma once

#include "core/list.h"
#include "core/loop_impl.h"

struct hr__waiter {
    struct hr_list link; /* in the queue of waiters; the caller links it before parking */
    hr_task *task;
    hr_future *future; /* waited for: no link, and a cancel is passed on to it; mostly NULL */
    int result;        /* what hr__wake() said */
    bool woken;        /* hr__wake() was called, even if a cancel then won: pass the turn on */
};

/* Makes a record for the running task. HR_ENOTASK outside of one. */
static inline int hr__waiter_init(struct hr__waiter *waiter)
{
    struct hr__task *task = hr__task_running();
    if (hr_unlikely(!task))
        return hr_fail(HR_ENOTASK, "only a task can wait");
    *waiter = (struct hr__waiter){.task = &task->future};
    hr_list_init(&waiter->link);
    return 0;
}

/* Others run until this task was queued and its turn has come. */
static inline void hr__suspend(struct hr__task *task, const char *what)
{
    hr_loop *loop = task->future.loop;
    task->waits_for = what;
    task->since = loop->now;
    hr__sched_suspend(loop, task);
}

/* Others run until the record is called or its task is asked to end. */
static inline void hr__park_now(struct hr__task *task, struct hr__waiter *waiter, const char *what)
{
    task->parked = waiter;
    hr__suspend(task, what);
    task->parked = NULL;
}

/* What a wait comes to that was not simply woken. */
int hr__park_interrupted(struct hr__waiter *waiter, int r);

/* hr__park() where no cancel is pending and nobody has called yet. */
static inline hr_async int hr__park_quietly(struct hr__task *task, struct hr__waiter *waiter,
                                            const char *what)
{
    hr__park_now(task, waiter, what);
    return hr_likely(waiter->woken && !task->must_cancel) ? waiter->result
                                                          : hr__park_interrupted(waiter, 0);
}

/* Suspends the running task until hr__wake(). Returns the result given there, or -ECANCELED when a
 * cancel was asked for before the task ran again (also when it was pending at entry: then it does
 * not suspend). what, a literal, names what is waited for in dumps. */
static inline hr_async int hr__park(struct hr__waiter *waiter, const char *what)
{
    struct hr__task *task = hr__task(waiter->task);
    int r = hr__task_take_cancel(task);
    return hr_likely(r == 0 && !waiter->woken) ? hr__park_quietly(task, waiter, what)
                                               : hr__park_interrupted(waiter, r);
}

/* Puts a task into the ready queue, once. */
static inline void hr__task_queue(struct hr__task *task)
{
    if (!hr__ready_queued(&task->ready))
        hr__ready_append(&task->future.loop->ready, &task->ready);
}

/* Queues the task of a record that is in no list. */
static inline void hr__waiter_called(struct hr__waiter *waiter)
{
    struct hr__task *task = hr__task(waiter->task);
    waiter->woken = true;
    if (task->parked == waiter)
        hr__task_queue(task);
}

/* Unlinks a record that was not called yet and queues its task with that result. */
static inline void hr__wake_first(struct hr__waiter *waiter, int result)
{
    waiter->result = result;
    hr_list_remove(&waiter->link);
    hr__waiter_called(waiter);
}

/* The same for any record: a second call changes nothing. */
static inline void hr__wake(struct hr__waiter *waiter, int result)
{
    if (!waiter->woken)
        hr__wake_first(waiter, result);
}

/* Another way to learn that a future is done, for waits that watch several: linked into a pending
 * future, unlinked by hr_list_remove(). done() is called once, inside the completing call and after
 * the record was unlinked, so it does no more than count and hr__wake(). */
struct hr__watch {
    struct hr_list link;
    void (*done)(struct hr__watch *watch);
};

/* Gives a pending future its outcome and calls who waits for it. */
void hr__future_tell_watches(hr_future *future);
static inline void hr__future_complete(hr_future *future, enum hr__future_state state, int status)
{
    future->state = (unsigned char)state;
    future->status = status;
    if (future->awaiter)
        hr__waiter_called(future->awaiter);
    if (hr_unlikely(!hr_list_empty(&future->watches)))
        hr__future_tell_watches(future);
}

/* Watches a future that is not done yet; needs no memory and takes no reference. Who holds none
 * either sees done() also when the last reference goes while the future is pending. */
void hr__future_watch(hr_future *future, struct hr__watch *watch);

/* Holds cancels of the task back, or lets them through again; nests. A request that comes meanwhile
 * is counted, wakes nobody, and is delivered at the first suspension after the last release. */
void hr__task_hold_cancels(hr_task *handle, bool hold);

/* For waits of the running task that have to go on until something is over, and have passed the
 * cancel on already: while it is patient only a new request interrupts, not one that stands
 * (core/cancel_scope.h). Nests. */
void hr__be_patient(bool patient);
