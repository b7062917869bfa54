/* SPDX-License-Identifier: MIT */
/*
 * How it works: everyone interested stands in one list of watches, tasks and callbacks alike, so
 * they go on in the order in which they came. Completing walks the list once; a watch wakes a task
 * or queues a callback, and nothing else happens inside the completing call. Mostly one task waits
 * and nobody else: who finds nobody there is noted in front of the list.
 */
#include "core/future.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/error_impl.h"
#include "core/future_impl.h"
#include "core/park.h"

/* A callback: it watches until the future is done, then it is an entry of the ready queue. */
struct callback {
    struct hr__watch watch;
    struct hr__ready ready;
    hr_future *future; /* a reference, once queued */
    hr_done_callback *fn;
    void *cookie;
};

static void callback_queue(struct hr__watch *watch);

hr_future *hr_future_new(hr_loop *loop)
{
    loop = loop ? hr__loop_for(loop) : hr__loop_here();
    if (!loop)
        return NULL;
    hr_future *future = malloc(sizeof(*future));
    if (!future) {
        hr_fail(-ENOMEM, "no memory for a future");
        return NULL;
    }
    *future = (hr_future){.loop = loop, .refs = 1};
    hr_list_init(&future->watches);
    loop->futures++;
    return future;
}

hr_future *hr_future_ref(hr_future *future)
{
    if (future)
        future->refs++;
    return future;
}

static void drop_value(hr_future *future)
{
    void *value = hr_take(future->value);
    hr_free_fn *free_value = hr_take(future->free_value);
    if (free_value)
        free_value(value);
}

/* Kept out of the way of freeing: its record would be cleared each time. */
static __attribute__((noinline)) void report_unread(hr_future *future)
{
    struct hr_error bare = {.code = future->status, .cut = true};
    const struct hr_error *error = future->error ? future->error : &bare;
    bool closing = future->loop->closing;
    if (future->is_task)
        hr__report(future->loop,
                   closing ? "task failed during shutdown"
                           : "task failed and nobody read its error",
                   error, hr__task_name(hr__task(future)));
    else
        hr__report(future->loop, "future failed and nobody read its error", error, error->task);
}

/* Gives up what only some futures have. */
static __attribute__((noinline)) void clear(hr_future *future)
{
    if (future->state == HR__GONE)
        hr__misused("a handle was given back once more than taken (as hr_join(), hr_wait_for() and "
                    "hr_future_unref() do)");
    if (future->state == HR__FINISHED && future->status < 0 && !future->error_seen)
        report_unread(future);

    /* Nobody can complete it any more. */
    for (struct hr_list *node; (node = hr_list_pop(&future->watches));) {
        struct hr__watch *watch = hr_list_entry(node, struct hr__watch, link);
        if (watch->done == callback_queue)
            free(hr_container_of(watch, struct callback, watch));
        else
            watch->done(watch);
    }

    drop_value(future);
    if (future->error)
        hr_error_done(future->error);
    free(hr_take(future->error));
    future->sent = false;
    free(hr_take(future->cancel_reason));
}

void hr__future_free(hr_future *future)
{
    hr_loop *loop = future->loop;
    if (hr_unlikely(future->value || future->free_value || future->error || future->cancel_reason ||
                    future->status < 0 || !hr_list_empty(&future->watches)))
        clear(future);
    loop->futures--;
    if (hr_unlikely(loop->freed)) {
        free(future->is_task ? (void *)hr__task(future) : future);
        hr__loop_release(loop);
    } else if (future->is_task) {
        future->state = HR__GONE;
        hr__task_free(loop, hr__task(future));
    } else {
        free(future);
    }
}

hr_future *hr_future_unref(hr_future *future)
{
    if (future)
        hr__future_drop(future);
    return NULL;
}

void hr_future_unrefp(hr_future **future)
{
    *future = hr_future_unref(*future);
}

void hr__future_tell_watches(hr_future *future)
{
    for (struct hr_list *node; (node = hr_list_pop(&future->watches));) {
        struct hr__watch *watch = hr_list_entry(node, struct hr__watch, link);
        watch->done(watch);
    }
}

void hr__future_finish(hr_future *future, int status)
{
    if (status < 0)
        drop_value(future);
    hr__future_complete(future, HR__FINISHED, status);
}

void hr__future_keep_sent(hr_future *future, const struct hr_error *error)
{
    if (!error || !error->sent)
        return;
    future->sent = true;
    future->error = hr__error_dup(error);
}

void hr__future_finish_cancelled(hr_future *future)
{
    drop_value(future);
    hr__future_complete(future, HR__CANCELLED, -ECANCELED);
}

/* What a caller outside may complete. Being late is no failure worth a record: the caller may be
 * on its way out with one of its own. */
static int may_complete(const hr_future *future)
{
    if (future->is_task)
        return hr_fail(-EINVAL, "a task is completed by its function, and by nobody else");
    if (hr__wrong_thread(future->loop))
        return HR_EWRONGTHREAD;
    return future->state == HR__PENDING ? 0 : HR_EINVALIDSTATE;
}

int hr_future_set_result(hr_future *future, void *value, hr_free_fn *free_fn)
{
    int r = may_complete(future);
    if (r < 0)
        return r;
    future->value = value;
    future->free_value = free_fn;
    hr__future_finish(future, 0);
    return 0;
}

int hr_future_set_status(hr_future *future, int status)
{
    int r = may_complete(future);
    if (r < 0)
        return r;
    if (status < 0)
        return -EINVAL;
    hr__future_finish(future, status);
    return 0;
}

int hr_future_set_error_record(hr_future *future, const struct hr_error *error)
{
    int r = may_complete(future);
    if (r < 0)
        return r;
    if (error->code >= 0)
        return -EINVAL;
    if (error->code == -ECANCELED) {
        hr__future_keep_sent(future, error);
        hr__future_finish_cancelled(future);
        return 0;
    }
    future->error = malloc(sizeof(*future->error));
    if (future->error) /* else the code alone has to do */
        hr_error_copy(future->error, error);
    hr__future_finish(future, error->code);
    return 0;
}

int hr_future_set_error(hr_future *future, int code, const char *fmt, ...)
{
    struct hr_error error;
    va_list args;
    va_start(args, fmt);
    hr__error_write(&error, code, fmt, args);
    va_end(args);
    return hr_future_set_error_record(future, &error);
}

void hr__future_set_reason(hr_future *future, const char *reason)
{
    if (!reason)
        return;
    char *copy = strdup(reason); /* without memory the cancel comes without its reason */
    if (!copy)
        return;
    free(future->cancel_reason);
    future->cancel_reason = copy;
}

bool hr_future_cancel(hr_future *future, const char *reason)
{
    if (future->is_task)
        return hr_task_cancel(future, reason);
    hr__demand_own_future(future, "hr_future_cancel()");
    if (future->state != HR__PENDING)
        return false;
    hr__future_set_reason(future, reason);
    hr__future_finish_cancelled(future);
    return true;
}

bool hr_future_done(const hr_future *future)
{
    return future->state != HR__PENDING;
}

bool hr_future_cancelled(const hr_future *future)
{
    return future->state == HR__CANCELLED;
}

int hr_future_status(hr_future *future)
{
    if (future->state == HR__PENDING)
        return -EAGAIN;
    future->error_seen = true;
    return future->status;
}

void *hr_future_result(hr_future *future)
{
    return future->state == HR__FINISHED && future->status >= 0 ? future->value : NULL;
}

void *hr_future_take(hr_future *future)
{
    if (future->state != HR__FINISHED || future->status < 0)
        return NULL;
    future->free_value = NULL;
    return hr_take(future->value);
}

const struct hr_error *hr_future_error(hr_future *future)
{
    /* Stands in when there was no memory for the record. */
    static _Thread_local struct hr_error bare;

    if (future->state != HR__FINISHED || future->status >= 0)
        return NULL;
    future->error_seen = true;
    if (future->error)
        return future->error;
    bare = (struct hr_error){.code = future->status, .cut = true};
    snprintf(bare.message, sizeof(bare.message), "%s", hr_error_text(future->status));
    return &bare;
}

bool hr_future_running(const hr_future *future)
{
    return future->state == HR__PENDING && hr__job_begun(future);
}

const char *hr_future_state(const hr_future *future)
{
    switch (future->state) {
    case HR__PENDING:
        return hr_future_running(future) ? "running" : "pending";
    case HR__CANCELLED:
        return "cancelled";
    default:
        return future->status < 0 ? "failed" : "finished";
    }
}

const char *hr_future_cancel_reason(const hr_future *future)
{
    return future->cancel_reason;
}

hr_loop *hr_future_loop(const hr_future *future)
{
    return future->loop;
}

/* The reason is what the canceller said; what became of a request comes along as its cause. */
static int receive_cancel(const hr_future *future)
{
    const char *reason = future->cancel_reason ? future->cancel_reason : hr_error_text(-ECANCELED);
    if (!future->error)
        return hr_fail_native(-ECANCELED, 0, NULL, NULL, future->sent, "%s", reason);
    hr_error_raise(future->error);
    return hr_fail_because(-ECANCELED, "%s", reason);
}

int hr__future_receive(hr_future *future)
{
    if (future->state == HR__GONE)
        return hr_fail(HR_EINVALIDSTATE, "the task's handle was given back already (as hr_join() "
                                         "and hr_future_unref() do)");
    const struct hr_error *error = hr_future_error(future);
    if (error)
        return hr_error_raise(error);
    return future->state == HR__CANCELLED ? receive_cancel(future) : future->status;
}

static void callback_run(struct hr__ready *entry, bool drop)
{
    struct callback *callback = hr_container_of(entry, struct callback, ready);
    hr_future *future = callback->future;
    if (!drop) {
        hr__slice_of((const void *)callback->fn);
        callback->fn(future, callback->cookie);
    }
    free(callback);
    hr_future_unref(future);
}

static void callback_queue(struct hr__watch *watch)
{
    struct callback *callback = hr_container_of(watch, struct callback, watch);
    hr_future_ref(callback->future);
    hr__ready_append(&callback->future->loop->ready, &callback->ready);
}

void hr__future_watch(hr_future *future, struct hr__watch *watch)
{
    hr_list_append(&future->watches, &watch->link);
}

int hr_future_add_done_callback(hr_future *future, hr_done_callback *fn, void *cookie)
{
    if (hr__wrong_thread(future->loop))
        return HR_EWRONGTHREAD;
    if (!fn)
        return hr_fail(-EINVAL, "a done callback without a function");
    struct callback *callback = malloc(sizeof(*callback));
    if (!callback)
        return hr_fail(-ENOMEM, "no memory for a done callback");
    *callback = (struct callback){
        .watch.done = callback_queue,
        .future = future,
        .ready.run = callback_run,
        .fn = fn,
        .cookie = cookie,
    };
    hr_list_init(&callback->watch.link);
    if (hr_future_done(future))
        callback_queue(&callback->watch);
    else
        hr__future_watch(future, &callback->watch);
    return 0;
}

int hr_future_remove_done_callback(hr_future *future, hr_done_callback *fn, void *cookie)
{
    if (hr__wrong_thread(future->loop))
        return HR_EWRONGTHREAD;
    int removed = 0;
    hr_list_foreach_safe (node, &future->watches) {
        struct hr__watch *watch = hr_list_entry(node, struct hr__watch, link);
        struct callback *callback = hr_container_of(watch, struct callback, watch);
        if (watch->done != callback_queue || callback->fn != fn || callback->cookie != cookie)
            continue;
        hr_list_remove(node);
        free(callback);
        removed++;
    }
    return removed;
}
