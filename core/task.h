/* SPDX-License-Identifier: MIT */
/*
 * A task: a function that runs on a stack of its own and may wait at any depth.
 *
 * Its handle is a future (core/future.h). The loop holds a reference to every unfinished task, so
 * dropping the handle is legal; a task that fails with no handle left is reported. A task ends by
 * returning, never otherwise, so its cleanups always run.
 */
#pragma once

#include "core/future.h"

/* The body: ≥ 0 is success and becomes the future's status; negative is the error, explained by the
 * record that hr_fail() wrote. */
typedef int hr_task_fn(void *arg);

/* Queues a task on the running loop; it starts in spawn order, not inside this call. The name is
 * copied (23 bytes are kept); NULL makes "task-N". NULL, with a record and arg still the caller's:
 * -ENOMEM, HR_ENOLOOP, HR_ECLOSED, -EINVAL (no fn). A task that gets no stack fails when it would
 * start: -ENOMEM, or -EAGAIN at the kernel's limit of mappings.
 * The handle is the caller's: whoever does not want it calls hr_spawn(), or hr_future_unref() at
 * once. One that is forgotten is never freed, and its task's error is never reported. */
HR_PUBLIC hr_owned hr_task *hr_create_task(const char *name, hr_task_fn *fn, void *arg);

/* A stack is address space, memory only as touched. Its lower end is a guard that ends the program
 * when it is touched: a quarter of the size, 64 KiB at most, so that 192 of 256 KiB can be used.
 * Code compiled without -fstack-clash-protection steps over it only with an array that is larger.
 */
struct hr_task_options {
    const char *name;
    hr_loop *loop;        /* NULL: the running one */
    size_t stack_size;    /* of address space, guard included; 0: the loop's default */
    hr_free_fn *free_arg; /* destroys arg if the body never runs; NULL: nothing to destroy */
};

/* As hr_create_task(), with everything that can be said about a task; NULL options mean the
 * defaults. Also HR_EWRONGTHREAD, seen in debug mode only, for a loop that runs in another thread:
 * hr_submit() is the way there. */
HR_PUBLIC hr_owned hr_task *hr_create_task_with(const struct hr_task_options *options,
                                                hr_task_fn *fn, void *arg);

/* Spawns and lets go of the handle: 0, or the error that hr_create_task() would have recorded. */
HR_PUBLIC int hr_spawn(const char *name, hr_task_fn *fn, void *arg);

/* As hr_create_task(), but the body runs inside this call until it first suspends or ends, with the
 * new task as the current one; the caller's slice goes on afterwards. Good where most bodies need
 * not wait: the handle of one that is over is done. In a destructor it only queues the task. */
HR_PUBLIC hr_owned hr_task *hr_start_task(const char *name, hr_task_fn *fn, void *arg);

/* For calls that take a future or a function: a reference to the future where there is one, else a
 * new task. NULL, with a record: as hr_create_task(), or HR_EWRONGLOOP. */
HR_PUBLIC hr_owned hr_future *hr_ensure_task(hr_future *future, const char *name, hr_task_fn *fn,
                                             void *arg);

/* Called inside a task: gives it a value besides its status, as hr_future_set_result() would.
 * Called again, it destroys the value before. It ends the program outside of one. */
HR_PUBLIC void hr_task_return(void *value, hr_free_fn *free_fn);

/* The running task; NULL inside callbacks and outside the loop. Borrowed. */
HR_PUBLIC hr_task *hr_current_task(void);

/* Its name: borrowed, and the task's until set again; set copies (23 bytes are kept). */
HR_PUBLIC const char *hr_task_name(const hr_task *task);
HR_PUBLIC void hr_task_set_name(hr_task *task, const char *name);

/* Asks the task to end: one request interrupts one suspension, which returns -ECANCELED; a task
 * that has not started never runs. The body may clean up, with awaits. True, and the request is
 * counted, unless it is done. A plain future is cancelled, as by hr_future_cancel(). */
HR_PUBLIC bool hr_task_cancel(hr_task *task, const char *reason);

/* Takes back one request (never below zero) and returns how many remain; at zero one that has not
 * interrupted anything yet is withdrawn. Whoever called cancel and handles the outcome calls it. */
HR_PUBLIC unsigned hr_task_uncancel(hr_task *task);

/* Requests outstanding. */
HR_PUBLIC unsigned hr_task_cancelling(const hr_task *task);

/* Gives up one pass: every other ready task runs once. A cancel is delivered here. 0,
 * -ECANCELED, HR_ENOTASK. */
HR_PUBLIC hr_async int hr_yield(void);

/* Waits at least so long on the loop's clock, never less; ≤ 0 gives up one pass. 0, -ECANCELED,
 * HR_ENOTASK. */
HR_PUBLIC hr_async int hr_sleep(hr_usec span);

/* A sleep as a future, for waits and gathers; it gives value, which is destroyed by free_value (or
 * NULL) if nobody takes it. Cancelling it takes its timer back. NULL, with a record and value still
 * the caller's: -ENOMEM, HR_ENOLOOP, HR_ECLOSED. */
HR_PUBLIC hr_owned hr_future *hr_sleep_future(hr_usec span, void *value, hr_free_fn *free_value);

/* Waits until that moment on the loop's clock; one that has passed is due at the next look. 0,
 * -ECANCELED, HR_ENOTASK. */
HR_PUBLIC hr_async int hr_sleep_until(hr_usec moment);

/* Calls each(task, cookie) for the unfinished tasks of loop (NULL: the running one) in spawn order,
 * as they are at the call: a task made meanwhile is left out, and so is one that ended before its
 * turn. each may wait. */
HR_PUBLIC void hr_all_tasks(hr_loop *loop, void (*each)(hr_task *task, void *cookie), void *cookie);

/* Most bytes of its stack the task has used so far, as far as pages tell; 0 when unknown. */
HR_PUBLIC size_t hr_task_stack_used(const hr_task *task);
