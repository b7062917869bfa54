/* SPDX-License-Identifier: MIT */
/*
 * How it works: cancelling makes one request, like a timeout's, and lets the cancel stand: the task
 * counts the cancelled scopes that it is in, and while there is one, hr__task_take_cancel() takes
 * nothing away.
 */
#include "core/cancel_scope.h"

#include "core/loop_impl.h"

static void expire(struct hr__timer *timer)
{
    hr_cancel_scope_cancel(hr_container_of(timer, struct hr_cancel_scope, timer), "took too long");
}

int hr_cancel_scope_enter(struct hr_cancel_scope *scope, hr_usec limit)
{
    if (scope->entered)
        return hr_fail(-EBUSY, "cancel scope: entered already");
    int r =
        hr__request_init(&scope->request, "hr_cancel_scope_enter()", __builtin_return_address(0));
    if (r < 0)
        return r;
    scope->entered = true;
    scope->cancelled = false;
    hr__timer_init(&scope->timer, expire);
    struct hr_loop *loop = scope->request.task->loop;
    if (limit <= 0)
        expire(&scope->timer);
    else if (limit < HR_FOREVER)
        hr__loop_arm(loop, &scope->timer, hr__deadline(loop, limit));
    return 0;
}

void hr_cancel_scope_cancel(struct hr_cancel_scope *scope, const char *reason)
{
    if (!scope->entered || scope->cancelled)
        return;
    struct hr__task *task = hr__task(scope->request.task);
    scope->cancelled = true;
    hr__request_make(&scope->request, reason);
    task->standing++;
    task->must_cancel |= HR__CANCEL_STANDS;
}

int hr_cancel_scope_leave(struct hr_cancel_scope *scope, int code)
{
    if (!scope->entered || scope->request.task != hr_current_task())
        return hr_fail(-EINVAL, "cancel scope: left by a task that has not entered it");

    struct hr__task *task = hr__task(scope->request.task);
    scope->entered = false;
    hr__timer_disarm(&scope->request.task->loop->timers, &scope->timer);
    if (scope->cancelled && --task->standing == 0)
        task->must_cancel &= (unsigned char)~HR__CANCEL_STANDS;
    hr__request_over(&scope->request);
    bool foreign = hr__request_settle(&scope->request);
    return code == -ECANCELED && scope->cancelled && !foreign ? 0 : code;
}

void hr_cancel_scope_done(struct hr_cancel_scope *scope)
{
    if (scope->entered && hr_cancel_scope_leave(scope, 0) < 0)
        hr__request_misused("hr_cancel_scope_done()");
}

bool hr_cancel_scope_cancelled(const struct hr_cancel_scope *scope)
{
    return scope->cancelled;
}
