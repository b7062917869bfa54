/* SPDX-License-Identifier: MIT */
/*
 * wait_for leaves its own task alone and cancels what it waits for; a scope has nothing but its
 * task to cancel, once, and takes that back.
 */
#include "core/timeout.h"

#include <inttypes.h>

#include "core/loop_impl.h"

static int took_too_long(hr_usec limit)
{
    hr_usec ms = limit > 0 ? limit / 1000 : 0;
    return hr_fail(-ETIMEDOUT, "not done after %" PRId64 ".%03d s", ms / 1000, (int)(ms % 1000));
}

struct wait_for {
    struct hr__timer timer;
    hr_future *future;
    bool expired;
};

static void give_up_waiting(struct hr__timer *timer)
{
    struct wait_for *wait = hr_container_of(timer, struct wait_for, timer);
    wait->expired = hr_future_cancel(wait->future, "took too long");
}

/* Waits for a future that is not done yet. */
static int wait_limited(hr_future *future, hr_usec limit, struct hr__task *task)
{
    struct wait_for wait = {.future = future};
    struct hr_loop *loop = task->future.loop;

    hr__timer_init(&wait.timer, give_up_waiting);
    if (limit <= 0)
        give_up_waiting(&wait.timer);
    else
        hr__loop_arm(loop, &wait.timer, hr__deadline(loop, limit));

    struct hr__request own = {0};
    (void)hr__request_init(&own, "wait_for");
    int r = hr_await(future);
    hr__timer_disarm(&loop->timers, &wait.timer);

    bool cancelled = !task->shielded && hr__request_settle(&own);
    if (r == -ECANCELED && wait.expired && !cancelled)
        return took_too_long(limit);
    /* An inner that finished all the same does not make the waiter's cancel go away. */
    if (cancelled && r >= 0)
        return hr_fail(-ECANCELED, "cancelled while waiting");
    if (cancelled && r != -ECANCELED)
        return hr_fail_because(-ECANCELED, "cancelled while waiting");
    return r;
}

int hr_wait_for(hr_future *future, hr_usec limit)
{
    struct hr__task *task = hr__task_running();
    int r;

    if (!future || !task || hr_future_done(future) || future->loop != task->future.loop)
        r = hr_await(future);
    else
        r = wait_limited(future, limit, task);
    hr_future_unref(future);
    return r;
}

static void expire(struct hr__timer *timer)
{
    struct hr_timeout *scope = hr_container_of(timer, struct hr_timeout, timer);
    scope->expired = true;
    hr__request_make(&scope->request, "took too long");
}

static void arm(struct hr_timeout *scope, hr_usec limit)
{
    struct hr_loop *loop = scope->request.task->loop;

    scope->limit = limit;
    scope->deadline = hr__deadline(loop, limit);
    if (limit <= 0)
        expire(&scope->timer);
    else
        hr__loop_arm(loop, &scope->timer, scope->deadline);
}

int hr_timeout_enter(struct hr_timeout *scope, hr_usec limit)
{
    if (scope->entered)
        return hr_fail(-EBUSY, "timeout: entered already");
    int r = hr__request_init(&scope->request, "timeout");
    if (r < 0)
        return r;

    scope->entered = true;
    scope->expired = false;
    hr__timer_init(&scope->timer, expire);
    arm(scope, limit);
    return 0;
}

int hr_timeout_reschedule(struct hr_timeout *scope, hr_usec limit)
{
    if (!scope->entered || scope->expired)
        return hr_fail(HR_EINVALIDSTATE, "timeout: %s", scope->expired ? "expired" : "not entered");
    hr__timer_disarm(&scope->request.task->loop->timers, &scope->timer);
    arm(scope, limit);
    return 0;
}

/* Puts the timeout at the end of the present record's causes. */
static void add_timeout_to_causes(int code, hr_usec limit)
{
    struct hr_error error;

    if (hr_last_error()->code != code)
        hr_fail(code, "%s", hr_error_text(code));
    hr_error_copy(&error, hr_last_error());

    struct hr_error *last = &error;
    while (last->cause)
        last = last->cause;
    last->cause = calloc(1, sizeof *last);
    if (last->cause) {
        took_too_long(limit);
        *last->cause = *hr_last_error();
        last->cause->cause = NULL;
    } else {
        last->cut = true;
    }
    hr_error_raise(&error);
    hr_error_done(&error);
}

int hr_timeout_leave(struct hr_timeout *scope, int code)
{
    if (!scope->entered)
        return code;
    if (scope->request.task != hr_current_task())
        return hr_fail(-EINVAL, "timeout: left by another task than the one that entered");

    scope->entered = false;
    hr__timer_disarm(&scope->request.task->loop->timers, &scope->timer);
    bool foreign = hr__request_settle(&scope->request);
    if (!scope->expired || code >= 0)
        return code;
    if (code == -ECANCELED)
        return foreign ? code : took_too_long(scope->limit);
    add_timeout_to_causes(code, scope->limit);
    return code;
}

bool hr_timeout_expired(const struct hr_timeout *scope)
{
    return scope->expired;
}
