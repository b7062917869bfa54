/* SPDX-License-Identifier: MIT */
/*
 * Work handed to a loop by another thread, and a handle that a thread can block on.
 *
 *     hr_auto(hr_thread_future_unrefp) hr_thread_future *answer =
 *         hr_submit(loop, "ask", ask_server, &question);
 *     int r = hr_thread_future_wait(answer, hr_seconds(5));
 *
 * Everything here may be called by any thread, except that the loop's own may not wait.
 *
 * Lifetimes: the loop has to be there for hr_submit() alone. A handle may outlive it: a loop that
 * closes completes every handle first, and afterwards its calls answer from what it holds. So a
 * thread may wait for a handle, or cancel it, while another frees the loop. Each thread that uses a
 * handle needs a reference that is held until its last call returns.
 *
 * A handle may be NULL, as the call that should have made it failed: it is done and failed, holds
 * no value and cannot be cancelled; wait and add_done_callback give the code as hr_await() does.
 */
#pragma once

#include "core/loop.h"

typedef struct hr_thread_future hr_thread_future;
typedef void hr_thread_callback(hr_thread_future *future, void *cookie);

/* Has the loop run fn(arg) as a task, and returns at once. A loop that does not run yet keeps it
 * until it does; one that closes before the task has started completes the handle with HR_ECLOSED.
 * NULL, with a record and arg still the caller's: HR_ECLOSED, -ENOMEM, -EINVAL (no fn); a loop that
 * is NULL: why it could not be made, by this thread's record. */
HR_PUBLIC hr_owned hr_thread_future *hr_submit(hr_loop *loop, const char *name, hr_task_fn *fn,
                                               void *arg);

/* References; unref returns NULL. Letting go of the handle leaves the task running, and an error
 * that nobody asks for is nobody's. */
HR_PUBLIC hr_thread_future *hr_thread_future_ref(hr_thread_future *future);
HR_PUBLIC hr_thread_future *hr_thread_future_unref(hr_thread_future *future);
HR_PUBLIC void hr_thread_future_unrefp(hr_thread_future **future);

/* Blocks the thread until the task is over, at most so long (HR_FOREVER: no limit; ≤ 0: only
 * looks), and returns its status; what it had written can be read then. It looks for up to 20 µs
 * before it sleeps where there is a second CPU, and seldom after looks in vain. A failed one's
 * error becomes the caller's record.
 *   -ETIMEDOUT        not over in time; it goes on
 *   -ECANCELED        the task was cancelled
 *   HR_ECLOSED        the loop closed before it started
 *   HR_EWRONGTHREAD   the loop's own thread would wait for itself
 *   -EDEADLK          the thread runs a loop, which would stand still meanwhile (seen in debug mode
 *                     only): hr_thread_future_await() is for tasks */
HR_PUBLIC int hr_thread_future_wait(hr_thread_future *future, hr_usec limit);

/* As wait without a limit, for a task, whose loop goes on: it may be the handle's own or another.
 * A cancel asks what was submitted to end, as hr_thread_future_cancel() does, and comes out at
 * once: -ECANCELED. Also -ENOMEM, HR_ENOTASK. */
HR_PUBLIC hr_async int hr_thread_future_await(hr_thread_future *future);

/* That as a future of the running loop, for limits, gathers and waits. Its status and error are the
 * handle's; the value stays there (hr_thread_future_take()). Cancelling the future asks what was
 * submitted to end, a shield around it does not; letting go of it does nothing. The handle may be
 * given back at once. NULL, with a record: -ENOMEM, HR_ENOLOOP, HR_ECLOSED, or why the handle is
 * NULL. */
HR_PUBLIC hr_owned hr_future *hr_thread_future_wrap(hr_thread_future *future);

/* Whether it is over, however it ended. */
HR_PUBLIC bool hr_thread_future_done(hr_thread_future *future);

/* Its state in a word for people: "pending", "running" (a job of an executor that has begun),
 * "finished", "failed" or "cancelled". */
HR_PUBLIC const char *hr_thread_future_state(hr_thread_future *future);

/* The value that the task gave by hr_task_return(), once it is over; else NULL. It stays the
 * handle's; take moves it out once. */
HR_PUBLIC void *hr_thread_future_result(hr_thread_future *future);
HR_PUBLIC void *hr_thread_future_take(hr_thread_future *future);

/* Asks the task to end, in its loop's thread; one that has not started never runs. False when it is
 * over. Asking again changes nothing. */
HR_PUBLIC bool hr_thread_future_cancel(hr_thread_future *future);

/* Calls callback(future, cookie) once when it is done, in the loop's thread and in the order of
 * adding, those included that are added while others run; here and at once when all of them have
 * returned. The callback may not block the loop. 0, -ENOMEM, -EINVAL (no callback). */
HR_PUBLIC int hr_thread_future_add_done_callback(hr_thread_future *future,
                                                 hr_thread_callback *callback, void *cookie);
