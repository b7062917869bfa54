/* SPDX-License-Identifier: MIT */
/*
 * How it works: a parked task points at its record, so that a cancel finds it: the record is taken
 * out of its queue at once, and the task is queued to see the cancel. A wake and a cancel may both
 * come before the task runs again; the cancel then wins, and `woken` tells that a turn was given.
 */
#include "core/park.h"

#include "core/error_impl.h"

static int fail_cancelled(const struct hr__task *task)
{
    const char *reason = task->future.cancel_reason;
    return hr_fail(-ECANCELED, "%s", reason ? reason : hr_error_text(-ECANCELED));
}

int hr__task_deliver_cancel(struct hr__task *task)
{
    if (task->shielded || (task->must_cancel == HR__CANCEL_STANDS && task->patient))
        return 0;
    task->must_cancel &= HR__CANCEL_STANDS;
    return fail_cancelled(task);
}

/* Who waits for a future is in none. */
static void leave_line(struct hr__waiter *waiter)
{
    if (!waiter->future)
        hr_list_remove(&waiter->link);
}

int hr__park_interrupted(struct hr__waiter *waiter, int r)
{
    struct hr__task *task = hr__task(waiter->task);
    if (r == 0)
        r = hr__task_take_cancel(task);
    /* The request that took the record out of its queue was withdrawn since. */
    if (r == 0 && !waiter->woken)
        r = fail_cancelled(task);
    if (r == 0)
        return waiter->result;
    leave_line(waiter);
    return r;
}

int hr_yield(void)
{
    hr_loop *loop = hr__loop_running;
    struct hr__task *task = hr__task_running();
    if (hr_unlikely(!task))
        return hr_fail(HR_ENOTASK, "only a task can wait");
    int r = hr__task_take_cancel(task);
    if (hr_unlikely(r < 0))
        return r;
    task->since = loop->now;
    hr__ready_append(&loop->ready, &task->ready); /* whoever runs is not queued */
    hr__sched_suspend(loop, task);
    return hr__task_take_cancel(task);
}

/* Asks one task; yields the future to which the request goes on, if any. */
static hr_future *cancel_one(struct hr__task *task, const char *reason)
{
    struct hr__waiter *waiter = task->parked;
    task->cancelling++;
    task->reached = true;
    hr__future_set_reason(&task->future, reason);
    if (!waiter || waiter->woken || task->shielded) {
        task->must_cancel |= HR__CANCEL_ASKED;
        return NULL;
    }
    if (waiter->future && !hr_future_done(waiter->future) && !task->in_cancel) {
        task->in_cancel = true;
        return waiter->future;
    }
    task->must_cancel |= HR__CANCEL_ASKED;
    leave_line(waiter);
    hr__task_queue(task);
    return NULL;
}

/* Down the chain of who waits for whom, and on past tasks that
 * another request has reached, or not. It may be longer than a stack is deep, and it may be a ring:
 * the task at which it closes is woken instead. */
static inline void cancel_chain(hr_task *handle, const char *reason, bool past_reached)
{
    hr_future *next = handle;
    while (next && next->is_task && (past_reached || !hr__task(next)->reached))
        next = cancel_one(hr__task(next), reason);
    for (hr_future *f = handle; f->is_task && hr__task(f)->in_cancel;) {
        hr__task(f)->in_cancel = false;
        f = hr__task(f)->parked->future;
    }
    if (next && !next->is_task)
        hr_future_cancel(next, reason);
}

bool hr_task_cancel(hr_task *handle, const char *reason)
{
    if (!handle->is_task)
        return hr_future_cancel(handle, reason);
    hr__demand_own_future(handle, "hr_task_cancel()");
    if (hr_future_done(handle))
        return false;
    cancel_chain(handle, reason, true);
    return true;
}

void hr__task_cancel_all(hr_loop *loop, const char *reason)
{
    hr_list_foreach (node, &loop->tasks)
        hr_list_entry(node, struct hr__task, all)->reached = false;
    hr_list_foreach (node, &loop->tasks)
        cancel_chain(&hr_list_entry(node, struct hr__task, all)->future, reason, false);
}

void hr__task_hold_cancels(hr_task *handle, bool hold)
{
    struct hr__task *task = hr__task(handle);
    if (!hold && task->shielded == 0)
        hr__misused("hr_shield_leave() without hr_shield_enter() before it");
    if (hold && task->shielded == USHRT_MAX)
        hr__misused("hr_shield_enter() without hr_shield_leave() after it, many times over");
    if (hold)
        task->shielded++;
    else
        task->shielded--;
}

void hr__be_patient(bool patient)
{
    struct hr__task *task = hr__task_running();
    if (task && patient)
        task->patient++;
    else if (task)
        task->patient--;
}

unsigned hr_task_uncancel(hr_task *handle)
{
    struct hr__task *task = hr__task(handle);
    if (task->cancelling > 0 && --task->cancelling == 0)
        task->must_cancel &= HR__CANCEL_STANDS;
    return task->cancelling;
}

unsigned hr_task_cancelling(const hr_task *handle)
{
    return hr__task(handle)->cancelling;
}

/* A task that waits for a future which others watch, too. */
struct await {
    struct hr__watch watch;
    struct hr__waiter waiter;
};

static void awaited_done(struct hr__watch *watch)
{
    hr__waiter_called(&hr_container_of(watch, struct await, watch)->waiter);
}

/* With a cancel on its way, or others that wait. */
static __attribute__((noinline)) int wait_among_others(struct hr__task *task, hr_future *future)
{
    struct await await = {
        .watch.done = awaited_done,
        .waiter = {.task = &task->future, .future = future},
    };

    /* A request that comes along is passed on, as one that came while waiting would be. */
    if (task->must_cancel && !task->shielded) {
        task->must_cancel &= HR__CANCEL_STANDS;
        hr_future_cancel(future, task->future.cancel_reason);
        if (hr_future_done(future))
            return 0;
    }
    hr__future_watch(future, &await.watch);
    task->patient++; /* a cancel that stands has gone on to the future, or will */
    int r = hr__park(&await.waiter, "a future");
    task->patient--;
    hr_list_remove(&await.watch.link);
    return r;
}

static inline int wait_until_done(struct hr__task *task, hr_future *future)
{
    if (hr_unlikely(task->must_cancel || future->awaiter || !hr_list_empty(&future->watches)))
        return wait_among_others(task, future);
    struct hr__waiter waiter = {.task = &task->future, .future = future};
    future->awaiter = &waiter;
    hr__park_now(task, &waiter, "a future");
    future->awaiter = NULL;
    if (hr_likely(waiter.woken && !task->must_cancel))
        return 0;
    task->patient++;
    int r = hr__park_interrupted(&waiter, 0);
    task->patient--;
    return r;
}

int hr__await_check(hr_future *future, struct hr__task *task)
{
    if (!future)
        return hr__missing("a future to wait for");
    if (future->state == HR__GONE) { /* whoever joins gives back what is not his */
        future->refs = 2;
        return hr__future_receive(future);
    }
    if (!task)
        return hr_fail(HR_ENOTASK, "only a task can wait");
    if (future->loop != task->future.loop)
        return hr_fail(HR_EWRONGLOOP,
                       "the future belongs to another loop: hr_submit() hands work to it, and "
                       "hr_call_soon_threadsafe() has it complete a future");
    if (future == &task->future)
        return hr_fail(HR_ESELFAWAIT, "task %s waits for itself", hr__task_name(task));
    return 0;
}

/* Waits for a future that somebody holds a reference to, and takes its outcome. */
static inline int await_outcome(hr_future *future)
{
    struct hr__task *task = hr__task_running();
    bool fine = future && task && future->loop == task->future.loop && future != &task->future;
    if (hr_unlikely(!fine))
        return hr__await_check(future, task); /* which says why not */
    if (future->state == HR__PENDING) {
        int r = wait_until_done(task, future);
        if (r < 0)
            return r;
    }
    return hr_likely(future->state == HR__FINISHED && future->status >= 0)
               ? future->status
               : hr__future_receive(future);
}

static __attribute__((noinline)) int await_later(hr_future *future)
{
    if (hr_unlikely(future && future->state == HR__GONE))
        return hr__future_receive(future);
    hr_future_ref(future); /* whoever lets go of it meanwhile */
    int r = await_outcome(future);
    hr_future_unref(future);
    return r;
}

int hr_await(hr_future *future)
{
    int r = hr__await_at_once(future);
    return hr_likely(r >= 0) ? r : await_later(future);
}

int hr_join(hr_future *future)
{
    int r = await_outcome(future);
    if (hr_likely(future != NULL))
        hr__future_drop(future);
    return r;
}
