/* SPDX-License-Identifier: MIT */
/*
 * How it works: the handle is posted to the loop like any call of another thread, starts its task
 * there and watches it. When the task is over, the outcome moves into the handle. A posted entry
 * that the closing loop drops completes the handle, too.
 *
 * One entry serves for all three: to start, to pass a cancel on, and to complete. Whoever wants the
 * loop to look after the handle queues it, unless it is queued already; when its turn comes, it
 * does what is to be done.
 */
#include "core/submit.h"

#include <stdio.h>

#include "core/error_impl.h"
#include "core/park.h"
#include "core/piece.h"
#include "core/thread_future.h"

struct submission {
    hr_thread_future future; /* references: the handles', and the loop's until it is over */
    hr_loop *loop;
    struct hr__ready entry;
    atomic_bool queued;    /* the entry; a handle that is done stays so */
    atomic_bool cancelled; /* somebody has asked */
    unsigned char place;   /* where it stands in its block */

    /* The loop's thread only, once posted. */
    bool told; /* of the cancel: the task */
    union {
        struct {
            hr_task_fn *fn;
            void *arg;
            const void *site; /* where it was submitted */
        };
        struct hr__watch watch; /* of the task */
    };
    hr_task *task; /* a reference; NULL before its start and after its end */
};

_Static_assert(sizeof(struct submission) <= HR__PIECE_SIZE, "it has to fit");

static struct submission *submission(hr_thread_future *future)
{
    return hr_container_of(future, struct submission, future);
}

static void task_done(struct hr__watch *watch)
{
    struct submission *self = hr_container_of(watch, struct submission, watch);
    if (!atomic_exchange(&self->queued, true)) {
        hr__ready_append(&self->loop->ready, &self->entry);
        return;
    }
    /* By who cancels it, and he may be on his way: the loop is there until he has been. */
    hr__thread_future_lock(&self->future);
    hr__thread_future_unlock(&self->future);
}

/* False: it is over. */
static bool start(struct submission *self, bool drop)
{
    hr_thread_future *future = &self->future;
    if (drop) {
        hr__thread_future_fail(future, HR_ECLOSED, "the loop closed before the task started");
        return false;
    }
    if (self->cancelled) {
        hr__thread_future_fail(future, -ECANCELED, "cancelled before it started");
        return false;
    }
    const void *site = self->site;
    self->task = hr_create_task(future->name[0] ? future->name : NULL, self->fn, self->arg);
    if (!hr__task_made_at(self->task, site)) {
        hr__thread_future_fail(future, hr_last_error()->code, hr_last_error()->message);
        return false;
    }
    self->watch.done = task_done;
    hr__future_watch(self->task, &self->watch);
    return true;
}

/* Why, and what became of a request that had been sent. */
static struct hr_error *explain_cancel(const hr_task *task)
{
    const char *reason = task->cancel_reason ? task->cancel_reason : hr_error_text(-ECANCELED);
    struct hr_error error = {.code = -ECANCELED, .sent = task->sent, .cause = task->error};
    snprintf(error.message, sizeof(error.message), "%s", reason);
    return hr__error_dup(&error);
}

static void complete(struct submission *self)
{
    hr_thread_future *future = &self->future;
    hr_task *task = hr_take(self->task);
    future->status = hr_future_status(task);
    future->outcome = (struct hr__outcome){0};
    if (future->status >= 0) {
        future->outcome.value = task->value;
        future->outcome.free_value = hr_take(task->free_value);
    } else if (hr_future_cancelled(task)) {
        future->outcome.error = explain_cancel(task);
    } else {
        future->outcome.error = hr__error_dup(hr_future_error(task));
    }
    hr__thread_future_complete(future);
    hr_future_unref(task);
}

static void turn(struct hr__ready *entry, bool drop)
{
    struct submission *self = hr_container_of(entry, struct submission, entry);
    if (!self->task && !start(self, drop))
        return;
    if (hr_future_done(self->task)) {
        complete(self);
        return;
    }
    self->queued = false; /* who asks from now on queues it anew; who asked before is seen here */
    if (self->cancelled && !self->told && !drop) {
        self->told = true;
        hr_task_cancel(self->task, "cancelled by another thread");
    }
}

/* A loop that is freed has completed its handles before; so it is there while the lock keeps this
 * one from being completed, and its task from being over. */
static bool ask_to_cancel(hr_thread_future *future)
{
    struct submission *self = submission(future);
    bool asked = hr__thread_future_lock(future);
    if (asked && !atomic_exchange(&self->cancelled, true) && !atomic_exchange(&self->queued, true))
        (void)hr__inbox_post(self->loop, &self->entry); /* closed: it will be over */
    hr__thread_future_unlock(future);
    return asked;
}

static int may_wait(hr_thread_future *future)
{
    const hr_loop *loop = submission(future)->loop;
    if (hr__loop_running == loop)
        return hr_fail(HR_EWRONGTHREAD, "the loop's own thread would wait for itself");
    if (hr__loop_lost(loop))
        return hr_fail(HR_ECLOSED, "the loop's thread is in another process");
    return 0;
}

static const char *state(hr_thread_future *future)
{
    return "pending";
}

static void submission_free(hr_thread_future *future)
{
    hr__piece_free(submission(future), submission(future)->place);
}

static const struct hr__thread_future_ops ops = {may_wait, ask_to_cancel, state, submission_free};

hr_thread_future *hr_submit(hr_loop *loop, const char *name, hr_task_fn *fn, void *arg)
{
    if (!loop) {
        hr__missing("a loop to submit to");
        return NULL;
    }
    if (!fn) {
        hr_fail(-EINVAL, "a task without a function");
        return NULL;
    }
    unsigned char place;
    struct submission *self = hr__piece_new(&place);
    if (!self) {
        hr_fail(-ENOMEM, "no memory to submit a task");
        return NULL;
    }
    *self = (struct submission){
        .loop = loop,
        .entry.run = turn,
        .queued = true,
        .place = place,
        .fn = fn,
        .arg = arg,
        .site = __builtin_return_address(0),
    };
    hr__thread_future_init(&self->future, &ops);
    if (name)
        snprintf(self->future.name, sizeof(self->future.name), "%s", name);
    if (hr__inbox_post(loop, &self->entry) < 0) {
        hr_fail(HR_ECLOSED, "the loop is closed");
        submission_free(&self->future);
        return NULL;
    }
    return &self->future;
}
