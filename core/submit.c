/* SPDX-License-Identifier: MIT */
/*
 * How it works: the handle is posted to the loop like any call of another thread, starts its task
 * there and watches it. When the task is over, the outcome moves into the handle under its lock.
 * A posted entry that the closing loop drops completes the handle, too.
 *
 * Handles are small: most are made by the thousand, and each is done before anybody waits for it.
 * So locks and conditions are no part of them but a few of all, picked by the handle's address.
 */
#include "core/submit.h"

#include <stdio.h>
#include <time.h>

#include "core/error_impl.h"
#include "core/park.h"

struct callback {
    struct callback *next;
    hr_thread_callback *fn;
    void *cookie;
};

struct hr_thread_future {
    atomic_uint refs; /* the handles', the loop's, and a posted cancel's */
    hr_loop *loop;

    /* The loop's thread only, once posted. */
    struct hr__posted start, cancel;
    struct hr__watch watch;
    struct hr__ready over; /* queued by the task's end */
    hr_task *task;         /* a reference; NULL before its start and after its end */
    hr_task_fn *fn;
    void *arg;
    const void *site; /* where it was submitted */
    char name[HR__TASK_NAME_MAX];

    atomic_bool done;      /* what follows is written before */
    atomic_bool cancelled; /* somebody has asked */
    int status;
    void *value;
    hr_free_fn *free_value;
    struct hr_error *error; /* on the heap; NULL with a code < 0: memory was out */

    /* With the lock of the handle's place held; so is the value, once it is done. */
    bool waited_for;
    struct callback *callbacks, **last_callback;
};

/* Where threads wait. */
static struct place {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a handle that somebody waits for is done */
} places[16] = {
    [0 ... 15] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER}
};

static struct place *place_of(const hr_thread_future *future)
{
    return &places[(uintptr_t)future / 64 % HR_ARRAY_LEN(places)];
}

hr_thread_future *hr_thread_future_ref(hr_thread_future *future)
{
    if (future)
        atomic_fetch_add(&future->refs, 1);
    return future;
}

hr_thread_future *hr_thread_future_unref(hr_thread_future *future)
{
    if (!future || atomic_fetch_sub(&future->refs, 1) > 1)
        return NULL;
    if (future->value && future->free_value)
        future->free_value(future->value);
    hr__error_free(future->error);
    free(future);
    return NULL;
}

void hr_thread_future_unrefp(hr_thread_future **future)
{
    *future = hr_thread_future_unref(*future);
}

/* Makes the handle done; its outcome is written. Gives the loop's reference back. */
static void complete(hr_thread_future *future)
{
    struct place *place = place_of(future);
    pthread_mutex_lock(&place->lock);
    future->done = true;
    struct callback *callback = hr_take(future->callbacks);
    if (future->waited_for)
        pthread_cond_broadcast(&place->changed);
    pthread_mutex_unlock(&place->lock);
    for (struct callback *next; callback; callback = next) {
        next = callback->next;
        callback->fn(future, callback->cookie);
        free(callback);
    }
    hr_thread_future_unref(future);
}

static struct hr_error *error_of(int code, const char *why)
{
    struct hr_error error = {.code = code};
    snprintf(error.message, sizeof(error.message), "%s", why);
    return hr__error_dup(&error);
}

static void complete_with(hr_thread_future *future, int code, const char *why)
{
    future->status = code;
    future->error = error_of(code, why);
    complete(future);
}

static void over(struct hr__ready *entry, bool drop)
{
    hr_thread_future *future = hr_container_of(entry, hr_thread_future, over);
    hr_task *task = hr_take(future->task);
    future->status = hr_future_status(task);
    if (future->status >= 0) {
        future->value = task->value;
        future->free_value = hr_take(task->free_value);
    } else if (hr_future_cancelled(task)) {
        const char *reason = hr_future_cancel_reason(task);
        future->error = error_of(-ECANCELED, reason ? reason : hr_error_text(-ECANCELED));
    } else {
        future->error = hr__error_dup(hr_future_error(task));
    }
    hr_future_unref(task);
    complete(future);
}

static void task_done(struct hr__watch *watch)
{
    hr_thread_future *future = hr_container_of(watch, hr_thread_future, watch);
    hr__ready_append(&future->loop->ready, &future->over);
}

static void start(struct hr__ready *entry, bool drop)
{
    hr_thread_future *future =
        hr_container_of(hr_container_of(entry, struct hr__posted, ready), hr_thread_future, start);
    if (drop) {
        complete_with(future, HR_ECLOSED, "the loop closed before the task started");
        return;
    }
    if (future->cancelled) {
        complete_with(future, -ECANCELED, "cancelled before it started");
        return;
    }
    future->task = hr_create_task(future->name[0] ? future->name : NULL, future->fn, future->arg);
    if (hr__task_made_at(future->task, future->site))
        hr__future_watch(future->task, &future->watch);
    else
        complete_with(future, hr_last_error()->code, hr_last_error()->message);
}

static void cancel(struct hr__ready *entry, bool drop)
{
    hr_thread_future *future =
        hr_container_of(hr_container_of(entry, struct hr__posted, ready), hr_thread_future, cancel);
    if (future->task && !drop)
        hr_task_cancel(future->task, "cancelled by another thread");
    hr_thread_future_unref(future);
}

hr_thread_future *hr_submit(hr_loop *loop, const char *name, hr_task_fn *fn, void *arg)
{
    hr_thread_future *future = calloc(1, sizeof(*future));
    if (!future) {
        hr_fail(-ENOMEM, "no memory to submit a task");
        return NULL;
    }
    future->refs = 2; /* the caller's and the loop's */
    future->loop = loop;
    future->start.ready.run = start;
    future->cancel.ready.run = cancel;
    future->over.run = over;
    future->watch.done = task_done;
    future->site = __builtin_return_address(0);
    future->fn = fn;
    future->arg = arg;
    future->last_callback = &future->callbacks;
    if (name)
        snprintf(future->name, sizeof(future->name), "%s", name);
    if (hr__inbox_post(loop, &future->start) < 0) {
        future->refs = 1;
        hr_fail(HR_ECLOSED, "the loop is closed");
        return hr_thread_future_unref(future);
    }
    return future;
}

static struct timespec moment_after(hr_usec limit)
{
    hr_usec moment = hr_later(hr_clock_monotonic()->now(NULL), limit);
    return (struct timespec){moment / 1000000, moment % 1000000 * 1000};
}

/* False when the limit passed. */
static bool wait_until_done(hr_thread_future *future, hr_usec limit)
{
    struct place *place = place_of(future);
    struct timespec until = moment_after(limit);
    int r = 0;
    pthread_mutex_lock(&place->lock);
    future->waited_for = true;
    while (!future->done && r == 0)
        r = limit == HR_FOREVER
                ? pthread_cond_wait(&place->changed, &place->lock)
                : pthread_cond_clockwait(&place->changed, &place->lock, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&place->lock);
    return future->done;
}

static int outcome(hr_thread_future *future)
{
    if (future->status >= 0)
        return future->status;
    if (future->error)
        return hr_error_raise(future->error);
    return hr_fail(future->status, "%s", hr_error_text(future->status));
}

int hr_thread_future_wait(hr_thread_future *future, hr_usec limit)
{
    if (!future)
        return -ENOMEM;
    if (future->done)
        return outcome(future);
    if (limit > 0 && hr__loop_running == future->loop)
        return hr_fail(HR_EWRONGTHREAD, "the loop's own thread would wait for itself");
    if (limit > 0 && wait_until_done(future, limit))
        return outcome(future);
    return hr_fail(-ETIMEDOUT, "the submitted task is not over yet");
}

bool hr_thread_future_done(hr_thread_future *future)
{
    return future->done;
}

void *hr_thread_future_result(hr_thread_future *future)
{
    struct place *place = place_of(future);
    pthread_mutex_lock(&place->lock);
    void *value = future->done ? future->value : NULL;
    pthread_mutex_unlock(&place->lock);
    return value;
}

void *hr_thread_future_take(hr_thread_future *future)
{
    struct place *place = place_of(future);
    pthread_mutex_lock(&place->lock);
    void *value = future->done ? hr_take(future->value) : NULL;
    pthread_mutex_unlock(&place->lock);
    return value;
}

bool hr_thread_future_cancel(hr_thread_future *future)
{
    if (future->done)
        return false;
    if (!atomic_exchange(&future->cancelled, true)) {
        hr_thread_future_ref(future);
        if (hr__inbox_post(future->loop, &future->cancel) < 0) /* closed: it is over, or will be */
            hr_thread_future_unref(future);
    }
    return true;
}

int hr_thread_future_add_done_callback(hr_thread_future *future, hr_thread_callback *fn,
                                       void *cookie)
{
    struct callback *callback = malloc(sizeof(*callback));
    if (!callback)
        return hr_fail(-ENOMEM, "no memory for a done callback");
    *callback = (struct callback){.fn = fn, .cookie = cookie};
    struct place *place = place_of(future);
    pthread_mutex_lock(&place->lock);
    bool done = future->done;
    if (!done) {
        *future->last_callback = callback;
        future->last_callback = &callback->next;
    }
    pthread_mutex_unlock(&place->lock);
    if (done) {
        free(callback);
        fn(future, cookie);
    }
    return 0;
}
