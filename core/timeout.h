/* SPDX-License-Identifier: MIT */
/*
 * Limits on waiting: wait_for around a future, and scopes around a piece of code.
 *
 * A limit asks for one cancellation when it passes and takes its own request back when it is left,
 * so nested limits, groups and foreign cancels can be told apart.
 */
#pragma once

#include "core/loop.h"
#include "core/request.h"
#include "core/timer.h"

/* Waits for the future at most so long; takes the caller's reference. Past the limit the inner is
 * cancelled and awaited: -ETIMEDOUT (sent tells of a request that had left), unless it ended with a
 * value or an error of its own all the same, which then is the result. HR_FOREVER arms no timer;
 * ≤ 0 only looks. An inner that is done is never a timeout.
 *   -ECANCELED   the running task was cancelled; so was the inner, which is over
 * Otherwise as hr_await(). */
HR_PUBLIC hr_async int hr_wait_for(hr_future *future, hr_usec limit);

/* A scope; lives on the task's stack and starts with { 0 }.
 *     struct hr_timeout limit = { 0 };
 *     hr_timeout_enter(&limit, hr_seconds(2));
 *     int r = talk_to_somebody();
 *     r = hr_timeout_leave(&limit, r);    → -ETIMEDOUT when this limit, and nobody else, cut it
 *
 * Every way out has to pass leave: a scope that is not left would fire into memory that has become
 * somebody else's, so a task that ends inside one ends the program, which then says where it was
 * entered. Where there may be a return in between,
 *     hr_auto(hr_timeout_done) struct hr_timeout limit = { 0 };
 * leaves it by itself. */
struct hr_timeout {
    struct hr__timer timer;
    struct hr__request request;
    hr_usec since, deadline; /* on the loop's clock; HR_FOREVER: none */
    hr_usec limit;           /* as given, or when it was cancelled instead */
    bool entered, expired;
};

/* 0, or HR_ENOTASK, -EBUSY (entered already). A limit ≤ 0 expires at the first suspension, and
 * HR_FOREVER never. A scope that was left may be entered again. */
HR_PUBLIC int hr_timeout_enter(struct hr_timeout *scope, hr_usec limit);

/* As enter, with a moment on the loop's clock instead of a span. */
HR_PUBLIC int hr_timeout_enter_at(struct hr_timeout *scope, hr_usec moment);

/* Disarms; turns -ECANCELED into -ETIMEDOUT when the scope expired and no foreign request is
 * outstanding, with what it cut short as the cause. Any other code passes through; the error of a
 * scope that expired has the timeout among its causes. One that is not entered lets the code
 * through. -EINVAL by another task than the one that entered. */
HR_PUBLIC int hr_timeout_leave(struct hr_timeout *scope, int code);

/* As leave, but 0 where that gives -ETIMEDOUT: for work that may be cut short and is good as it is.
 * hr_timeout_expired() tells. */
HR_PUBLIC int hr_timeout_move_on(struct hr_timeout *scope, int code);

/* For hr_auto(): leaves a scope that is entered, and does nothing to one that was left or never
 * entered. Nothing becomes of what leave would return: an -ECANCELED that this limit brought about,
 * and that the function returns, stays one; the error record is left alone. Call leave where the
 * outcome counts. By another task it ends the program. */
HR_PUBLIC void hr_timeout_done(struct hr_timeout *scope);

/* As if the deadline came now; by any task or callback of the loop. 0; HR_EINVALIDSTATE when the
 * scope is not entered or has expired. */
HR_PUBLIC int hr_timeout_cancel(struct hr_timeout *scope);

/* Moves the deadline of an entered scope that has not expired, to so long from now: 0, else
 * HR_EINVALIDSTATE. */
HR_PUBLIC int hr_timeout_reschedule(struct hr_timeout *scope, hr_usec limit);

/* Whether the deadline came inside the scope; and when it comes, HR_FOREVER: never. */
HR_PUBLIC bool hr_timeout_expired(const struct hr_timeout *scope);
HR_PUBLIC hr_usec hr_timeout_when(const struct hr_timeout *scope);

/* Waits for the future without passing a cancel of the waiter on to it; takes the reference. Its
 * outcome, or -ECANCELED at once when the waiter is cancelled while the future goes on. Otherwise
 * as hr_await(). */
HR_PUBLIC hr_async int hr_shield(hr_future *future);

/* A shielded scope: between enter and leave no cancel is delivered to the running task, those of
 * timeout scopes included; one that came meanwhile is delivered at the next suspension after. For
 * cleanup that has to wait; hr_wait_for() works inside and puts a limit on it. */
HR_PUBLIC void hr_shield_enter(void);
HR_PUBLIC void hr_shield_leave(void);

/* As enter, for a scope that leaves on every way out; a task that ends inside one ends the program.
 *     hr_auto(hr_shield_done) bool shielded = false;
 *     hr_shield_hold(&shielded); */
static inline void hr_shield_hold(bool *ret)
{
    hr_shield_enter();
    *ret = true;
}

static inline void hr_shield_done(bool *shielded)
{
    if (*shielded)
        hr_shield_leave();
    *shielded = false;
}
