/* SPDX-License-Identifier: MIT */
/*
 * wait_for looks again before it gives up: what is done by then is no timeout. A scope has nothing
 * but its task to cancel; it does so once, and takes that back.
 */
#include "core/timeout.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/error_impl.h"
#include "core/park.h"
#include "core/wait.h"

/* cause: the present record tells what the limit cut short, and whether that had been sent. */
static int took_too_long(hr_usec limit, bool cause)
{
    static const char text[] = "not done after %" PRId64 ".%03d s";
    hr_usec ms = limit > 0 ? limit / 1000 : 0;
    return cause ? hr_fail_because(-ETIMEDOUT, text, ms / 1000, (int)(ms % 1000))
                 : hr_fail(-ETIMEDOUT, text, ms / 1000, (int)(ms % 1000));
}

/* Cancels the future and waits until it is over. A cancel of the waiter goes on to it, however many
 * there are; -ECANCELED tells that there was one. */
static int end(hr_future *future, const char *reason)
{
    int r = 0;

    hr_future_cancel(future, reason);
    hr__be_patient(true);
    while (hr__wait_done(future, HR_FOREVER, "a cancelled future") == -ECANCELED) {
        r = -ECANCELED;
        hr_future_cancel(future, "its waiter was cancelled");
    }
    hr__be_patient(false);
    return r;
}

/* The waiter's own cancel comes out, whatever the inner made of it: an error as the cause. */
static int cancelled_with(hr_future *future)
{
    int r = hr__future_receive(future);
    bool tells = r < 0 && (r != -ECANCELED || future->sent);
    return tells ? hr_fail_because(-ECANCELED, "cancelled while waiting")
                 : hr_fail(-ECANCELED, "cancelled while waiting");
}

static int wait_limited(hr_future *future, hr_usec limit)
{
    int r = hr__wait_done(future, limit, "a future, for a while");
    if (r == -ECANCELED) {
        (void)end(future, "its waiter was cancelled");
        return cancelled_with(future);
    }
    if (r < 0)
        return r;
    if (hr_future_done(future))
        return hr__future_receive(future);
    if (end(future, "took too long") == -ECANCELED)
        return cancelled_with(future);
    r = hr__future_receive(future);
    return hr_future_cancelled(future) ? took_too_long(limit, future->sent) : r;
}

static __attribute__((noinline)) int wait_and_drop(hr_future *future, hr_usec limit)
{
    int r = !future || hr_future_done(future) ? hr_await(future) : wait_limited(future, limit);
    hr_future_unref(future);
    return r;
}

int hr_wait_for(hr_future *future, hr_usec limit)
{
    int r = hr__await_at_once(future);
    if (hr_unlikely(r < 0))
        return wait_and_drop(future, limit);
    hr__future_drop(future);
    return r;
}

static void expire(struct hr__timer *timer)
{
    struct hr_timeout *scope = hr_container_of(timer, struct hr_timeout, timer);
    char reason[80];
    hr_usec ms = scope->limit > 0 ? scope->limit / 1000 : 0;
    scope->expired = true;
    snprintf(reason, sizeof(reason), "a limit of %" PRId64 ".%03d s passed (hr_timeout_enter)",
             ms / 1000, (int)(ms % 1000));
    hr__request_make(&scope->request, reason);
}

static void arm(struct hr_timeout *scope, hr_usec deadline, hr_usec now)
{
    struct hr_loop *loop = scope->request.task->loop;

    scope->deadline = deadline;
    scope->limit = deadline < HR_FOREVER ? hr_later(deadline, -scope->since) : HR_FOREVER;
    if (deadline <= now)
        expire(&scope->timer);
    else if (deadline < HR_FOREVER)
        hr__loop_arm(loop, &scope->timer, deadline);
}

static int enter(struct hr_timeout *scope, hr_usec deadline, hr_usec now, const void *site)
{
    if (scope->entered)
        return hr_fail(-EBUSY, "timeout: entered already");
    int r = hr__request_init(&scope->request, "hr_timeout_enter()", site);
    if (r < 0)
        return r;

    scope->entered = true;
    scope->expired = false;
    scope->since = now;
    hr__timer_init(&scope->timer, expire);
    arm(scope, deadline, now);
    return 0;
}

static hr_usec now_here(void)
{
    return hr__loop_running ? hr__clock_now(hr__loop_running) : 0;
}

int hr_timeout_enter_at(struct hr_timeout *scope, hr_usec moment)
{
    return enter(scope, moment, now_here(), __builtin_return_address(0));
}

int hr_timeout_enter(struct hr_timeout *scope, hr_usec limit)
{
    hr_usec now = now_here();
    return enter(scope, limit > 0 ? hr_later(now, limit) : now, now, __builtin_return_address(0));
}

int hr_timeout_reschedule(struct hr_timeout *scope, hr_usec limit)
{
    if (!scope->entered || scope->expired)
        return hr_fail(HR_EINVALIDSTATE, "timeout: %s", scope->expired ? "expired" : "not entered");
    hr_loop *loop = scope->request.task->loop;
    hr_usec now = hr__clock_now(loop);
    hr__timer_disarm(&loop->timers, &scope->timer);
    arm(scope, limit > 0 ? hr_later(now, limit) : now, now);
    return 0;
}

int hr_timeout_cancel(struct hr_timeout *scope)
{
    if (!scope->entered || scope->expired)
        return hr_fail(HR_EINVALIDSTATE, "timeout: %s", scope->expired ? "expired" : "not entered");
    hr_loop *loop = scope->request.task->loop;
    hr__timer_disarm(&loop->timers, &scope->timer);
    scope->limit = hr__clock_now(loop) - scope->since;
    expire(&scope->timer);
    return 0;
}

/* Puts the timeout at the end of the present record's causes. */
static void add_timeout_to_causes(int code, hr_usec limit)
{
    hr_auto(hr_error_done) struct hr_error error = {0}, timeout = {0};

    if (hr_last_error()->code != code)
        hr_fail(code, "%s", hr_error_text(code));
    hr_error_copy(&error, hr_last_error());
    took_too_long(limit, false);
    hr_error_copy(&timeout, hr_last_error());
    hr_error_raise(&error);
    hr__error_add_cause(&timeout);
}

int hr_timeout_leave(struct hr_timeout *scope, int code)
{
    if (!scope->entered)
        return code;
    if (scope->request.task != hr_current_task())
        return hr_fail(-EINVAL, "timeout: left by another task than the one that entered");

    scope->entered = false;
    hr__timer_disarm(&scope->request.task->loop->timers, &scope->timer);
    hr__request_over(&scope->request);
    bool foreign = hr__request_settle(&scope->request);
    if (!scope->expired || code >= 0)
        return code;
    if (code == -ECANCELED)
        return foreign ? code : took_too_long(scope->limit, hr_last_error()->code == code);
    add_timeout_to_causes(code, scope->limit);
    return code;
}

void hr_timeout_done(struct hr_timeout *scope)
{
    if (hr_timeout_leave(scope, 0) < 0)
        hr__request_misused("hr_timeout_done()");
}

bool hr_timeout_expired(const struct hr_timeout *scope)
{
    return scope->expired;
}

int hr_timeout_move_on(struct hr_timeout *scope, int code)
{
    int r = hr_timeout_leave(scope, code);
    return r == -ETIMEDOUT && code == -ECANCELED ? 0 : r;
}

hr_usec hr_timeout_when(const struct hr_timeout *scope)
{
    return scope->deadline;
}
