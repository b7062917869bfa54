/* SPDX-License-Identifier: MIT */
/*
 * How it works: the handle is posted to the loop like any call of another thread, starts its task
 * there and watches it. When the task is over, the outcome moves into the handle under its lock.
 * A posted entry that the closing loop drops completes the handle, too.
 */
#include "core/submit.h"

#include <stdio.h>

#include "core/error_impl.h"
#include "core/park.h"
#include "core/thread_future.h"

struct submission {
    hr_thread_future future; /* references: the handles', the loop's, and a posted cancel's */
    hr_loop *loop;
    atomic_bool cancelled; /* somebody has asked */

    /* The loop's thread only, once posted. */
    struct hr__posted start, cancel;
    struct hr__watch watch;
    struct hr__ready over; /* queued by the task's end */
    hr_task *task;         /* a reference; NULL before its start and after its end */
    hr_task_fn *fn;
    void *arg;
    const void *site; /* where it was submitted */
    char name[HR__TASK_NAME_MAX];
};

static struct submission *submission(hr_thread_future *future)
{
    return hr_container_of(future, struct submission, future);
}

static void over(struct hr__ready *entry, bool drop)
{
    struct submission *self = hr_container_of(entry, struct submission, over);
    hr_thread_future *future = &self->future;
    hr_task *task = hr_take(self->task);
    future->status = hr_future_status(task);
    if (hr_future_cancelled(task)) {
        const char *reason = hr_future_cancel_reason(task);
        hr__thread_future_fail(future, -ECANCELED, reason ? reason : hr_error_text(-ECANCELED));
    } else {
        if (future->status >= 0) {
            future->value = task->value;
            future->free_value = hr_take(task->free_value);
        } else {
            future->error = hr__error_dup(hr_future_error(task));
        }
        hr__thread_future_complete(future);
    }
    hr_future_unref(task);
}

static void task_done(struct hr__watch *watch)
{
    struct submission *self = hr_container_of(watch, struct submission, watch);
    hr__ready_append(&self->loop->ready, &self->over);
}

static void start(struct hr__ready *entry, bool drop)
{
    struct submission *self =
        hr_container_of(hr_container_of(entry, struct hr__posted, ready), struct submission, start);
    if (drop) {
        hr__thread_future_fail(&self->future, HR_ECLOSED,
                               "the loop closed before the task started");
        return;
    }
    if (self->cancelled) {
        hr__thread_future_fail(&self->future, -ECANCELED, "cancelled before it started");
        return;
    }
    self->task = hr_create_task(self->name[0] ? self->name : NULL, self->fn, self->arg);
    if (hr__task_made_at(self->task, self->site))
        hr__future_watch(self->task, &self->watch);
    else
        hr__thread_future_fail(&self->future, hr_last_error()->code, hr_last_error()->message);
}

static void cancel(struct hr__ready *entry, bool drop)
{
    struct submission *self = hr_container_of(hr_container_of(entry, struct hr__posted, ready),
                                              struct submission, cancel);
    if (self->task && !drop)
        hr_task_cancel(self->task, "cancelled by another thread");
    hr_thread_future_unref(&self->future);
}

/* A loop that is freed has completed its handles before, so it is there while the lock keeps one
 * from being completed. */
static bool ask_to_cancel(hr_thread_future *future)
{
    struct submission *self = submission(future);
    hr__thread_future_lock(future);
    bool asked = !future->done;
    if (asked && !atomic_exchange(&self->cancelled, true)) {
        hr_thread_future_ref(future);
        if (hr__inbox_post(self->loop, &self->cancel) < 0) /* closed: it will be over */
            hr_thread_future_unref(future);
    }
    hr__thread_future_unlock(future);
    return asked;
}

static bool is_own_thread(hr_thread_future *future)
{
    return hr__loop_running == submission(future)->loop;
}

static const char *state(hr_thread_future *future)
{
    return "pending";
}

static void submission_free(hr_thread_future *future)
{
    free(submission(future));
}

static const struct hr__thread_future_ops ops = {is_own_thread, ask_to_cancel, state,
                                                 submission_free};

hr_thread_future *hr_submit(hr_loop *loop, const char *name, hr_task_fn *fn, void *arg)
{
    struct submission *self = calloc(1, sizeof(*self));
    if (!self) {
        hr_fail(-ENOMEM, "no memory to submit a task");
        return NULL;
    }
    hr__thread_future_init(&self->future, &ops);
    self->loop = loop;
    self->start.ready.run = start;
    self->cancel.ready.run = cancel;
    self->over.run = over;
    self->watch.done = task_done;
    self->site = __builtin_return_address(0);
    self->fn = fn;
    self->arg = arg;
    if (name)
        snprintf(self->name, sizeof(self->name), "%s", name);
    if (hr__inbox_post(loop, &self->start) < 0) {
        self->future.refs = 1;
        hr_fail(HR_ECLOSED, "the loop is closed");
        return hr_thread_future_unref(&self->future);
    }
    return &self->future;
}
