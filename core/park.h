/* SPDX-License-Identifier: MIT */
/*
 * How a task waits for anything: it parks on a record, somebody wakes it. Inside core/ only.
 *
 * Every primitive builds on these two calls. The record lives on the waiting task's stack, linked
 * into the waiters of what it waits for, and is unlinked before hr__park() returns.
 */
#pragma once

#include "core/list.h"
#include "core/task.h"

struct hr__waiter {
    struct hr_list link; /* in the queue of waiters; the caller links it before parking */
    hr_task *task;
    int result; /* what hr__wake() said */
    bool woken; /* hr__wake() was called, even if a cancel then won: pass the turn on */
};

/* Makes a record for the running task. HR_ENOTASK outside of one. */
int hr__waiter_init(struct hr__waiter *waiter);

/* Suspends the running task until hr__wake(). Returns the result given there, or -ECANCELED when a
 * cancel was asked for before the task ran again (also when it was pending at entry: then it does
 * not suspend). what, a literal, names what is waited for in dumps. */
hr_async int hr__park(struct hr__waiter *waiter, const char *what);

/* Unlinks the record and queues its task with that result; a second call changes nothing. */
void hr__wake(struct hr__waiter *waiter, int result);
