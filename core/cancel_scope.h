/* SPDX-License-Identifier: MIT */
/*
 * A cancel scope: once it is cancelled, every suspension inside is, until the scope is left.
 *
 *     struct hr_cancel_scope scope = { 0 };
 *     hr_cancel_scope_enter(&scope, hr_seconds(2));
 *     int r = talk_to_somebody();              somebody else may call hr_cancel_scope_cancel()
 *     r = hr_cancel_scope_leave(&scope, r);    → 0 when the scope was cancelled, and nobody else
 *
 * hr_task_cancel() interrupts one suspension, and the code that goes on may wait again. This is the
 * other way: code that does not look at what its calls return cannot stay inside for longer than
 * its own work takes. Cleanup that has to wait does so in a shielded scope (core/timeout.h).
 */
#pragma once

#include "core/loop.h"
#include "core/request.h"
#include "core/timer.h"

/* Lives on the task's stack and starts with { 0 }; may be entered again after it was left. Every
 * way out has to pass leave, or hr_auto(hr_cancel_scope_done): a task that ends inside one ends the
 * program, which says where the scope was entered. */
struct hr_cancel_scope {
    struct hr__timer timer;
    struct hr__request request;
    bool entered, cancelled;
};

/* Enters a scope that is cancelled when so long has passed (HR_FOREVER: not by time; ≤ 0: at its
 * first suspension). 0, HR_ENOTASK, -EBUSY (entered already). */
HR_PUBLIC int hr_cancel_scope_enter(struct hr_cancel_scope *scope, hr_usec limit);

/* Cancels it, from the task itself, another task or a callback of its loop. What the task waits for
 * is interrupted or, if it is a future or task, cancelled; every later suspension inside gives
 * -ECANCELED at once. Calls that wait for the end of what they cancel (hr_wait_for(), task groups)
 * still do. Without effect when the scope is not entered or is cancelled already. */
HR_PUBLIC void hr_cancel_scope_cancel(struct hr_cancel_scope *scope, const char *reason);

/* Leaves it, innermost first. code is how the body ended and comes out, but for one case: 0 instead
 * of -ECANCELED when the scope was cancelled and nobody else has asked the task to end. -EINVAL
 * when the running task has not entered it. */
HR_PUBLIC int hr_cancel_scope_leave(struct hr_cancel_scope *scope, int code);

/* For hr_auto(): leaves a scope that is entered. Nothing becomes of what leave would return: an
 * -ECANCELED that the function returns stays one. By another task it ends the program. */
HR_PUBLIC void hr_cancel_scope_done(struct hr_cancel_scope *scope);

/* Whether it was cancelled, by time or by hand; also after it was left. */
HR_PUBLIC bool hr_cancel_scope_cancelled(const struct hr_cancel_scope *scope);
