/* SPDX-License-Identifier: MIT */
/*
 * A future: a result to come. Tasks wait for it, callbacks hang on it, one party completes it.
 *
 * Completing only queues waiters and callbacks on the loop's ready queue; nothing of the user's
 * runs inside the completing call. A future belongs to its loop's thread. Reference counted:
 * whoever gets one from a call that creates it owns one reference.
 */
#pragma once

#include "core/base.h"
#include "core/error.h"

typedef struct hr_loop hr_loop;
typedef struct hr_future hr_future;

/* A task is a future that a function of ours completes: every call on futures takes one. */
typedef struct hr_future hr_task;

typedef void hr_done_callback(hr_future *future, void *cookie);
typedef void hr_free_fn(void *value);

/* A pending future of loop; NULL as loop means the running one. NULL, with a record: -ENOMEM,
 * HR_ENOLOOP, HR_ECLOSED, HR_EWRONGTHREAD (seen in debug mode only). */
HR_PUBLIC hr_owned hr_future *hr_future_new(hr_loop *loop);

/* Takes and gives back a reference; both accept NULL. unref returns NULL. A failed future whose
 * error nobody read is reported when its last reference goes. */
HR_PUBLIC hr_future *hr_future_ref(hr_future *future);
HR_PUBLIC hr_future *hr_future_unref(hr_future *future);
HR_PUBLIC void hr_future_unrefp(hr_future **future);

/* Completes the future. value may be NULL; free_fn, where given, destroys it exactly once unless
 * it is taken. 0; or, and the value stays the caller's: HR_EINVALIDSTATE (done already), -EINVAL (a
 * task), HR_EWRONGTHREAD (seen in debug mode only). */
HR_PUBLIC int hr_future_set_result(hr_future *future, void *value, hr_free_fn *free_fn);

/* Completes it with a count or code instead of a value: what an int function would return. Errors
 * as set_result; -EINVAL below 0. */
HR_PUBLIC int hr_future_set_status(hr_future *future, int status);

/* Completes it with an error: code < 0 and a message, or a whole record, which is copied;
 * -ECANCELED cancels it. Errors as set_result; -EINVAL for a code that is none. */
HR_PUBLIC int hr_future_set_error(hr_future *future, int code, const char *fmt, ...)
    hr_printf_like(3, 4);
HR_PUBLIC int hr_future_set_error_record(hr_future *future, const struct hr_error *error);

/* Asks for cancellation, with an optional reason that whoever gets -ECANCELED can read. A pending
 * plain future is cancelled at once; a task is asked (core/task.h). False: done already. */
HR_PUBLIC bool hr_future_cancel(hr_future *future, const char *reason);

/* Whether it has an outcome, of any kind; and whether that is a cancel. */
HR_PUBLIC bool hr_future_done(const hr_future *future);
HR_PUBLIC bool hr_future_cancelled(const hr_future *future);

/* Whether it stands for a job of an executor (core/executor.h) that a thread is at. */
HR_PUBLIC bool hr_future_running(const hr_future *future);

/* How it ended: ≥ 0 as completed, the error's code, -ECANCELED, or -EAGAIN while pending. */
HR_PUBLIC int hr_future_status(hr_future *future);

/* The value, which stays the future's; NULL while pending or failed. take moves it out once. */
HR_PUBLIC void *hr_future_result(hr_future *future);
HR_PUBLIC void *hr_future_take(hr_future *future);

/* The error's record; NULL when it did not fail, also when it was cancelled. Reading marks it as
 * seen. */
HR_PUBLIC const struct hr_error *hr_future_error(hr_future *future);

/* Its state in a word for people: "pending", "running" (a job in a thread), "finished", "failed" or
 * "cancelled". */
HR_PUBLIC const char *hr_future_state(const hr_future *future);

/* The reason given to cancel, or NULL. */
HR_PUBLIC const char *hr_future_cancel_reason(const hr_future *future);

/* Runs callback(future, cookie) from the ready queue once it is done (soon, if it is done now), in
 * order of adding. 0, -ENOMEM, -EINVAL (no callback). remove takes back all equal registrations and
 * returns how many. Both: HR_EWRONGTHREAD (seen in debug mode only). */
HR_PUBLIC int hr_future_add_done_callback(hr_future *future, hr_done_callback *callback,
                                          void *cookie);
HR_PUBLIC int hr_future_remove_done_callback(hr_future *future, hr_done_callback *callback,
                                             void *cookie);

/* The loop it belongs to. */
HR_PUBLIC hr_loop *hr_future_loop(const hr_future *future);

/* Waits until the future is done and returns its status; a failed one's record becomes the running
 * task's. Does not suspend when it is done. The reference stays the caller's.
 *   -ECANCELED      it was cancelled, or the running task was (which cancels the future too)
 *   HR_EWRONGLOOP · HR_ESELFAWAIT · HR_ENOTASK      misuse
 * future may be NULL, as the call that should have made it failed: the code is that of the present
 * record then; -EINVAL when nothing has failed. */
HR_PUBLIC hr_async int hr_await(hr_future *future);

/* As hr_await(), giving the reference back afterwards: for a value nobody reads. The handle is gone
 * then, as memory is after free(). Who waits for a task by one that is gone gets HR_EINVALIDSTATE,
 * unless the task's memory is another's by then: no program can rely on it. In debug mode (struct
 * hr_loop_options) the last 1024 tasks' memory is kept from others, so a handle that is gone is
 * known, and giving it back once more ends the program; under valgrind and in programs built with
 * AddressSanitizer it is freed at once, and these tell. Whoever wants the outcome again keeps his
 * reference and uses hr_await(), which gives the same one each time. */
HR_PUBLIC hr_async int hr_join(hr_future *future);

/* Copies the outcome of source to destination when it comes; cancelling destination cancels source.
 * The value becomes the destination's. A source that is let go of pending cancels the destination.
 * 0, -ENOMEM, HR_EINVALIDSTATE (destination is done), -EINVAL (it is a task); one that is NULL: as
 * hr_await(). */
HR_PUBLIC int hr_future_chain(hr_future *source, hr_future *destination);
