/* SPDX-License-Identifier: MIT */
/*
 * Callbacks of the loop: soon, after a span, at a moment.
 *
 * How it works: a handle is a timer first, where it has to wait, and an entry of the ready queue
 * then. One that is cancelled while it stands in the queue stays there and does nothing. The loop
 * holds one reference until the handle is over.
 */
#include "core/loop_impl.h"

struct hr_handle {
    struct hr__ready ready;
    struct hr__timer timer;
    hr_loop *loop;
    hr_callback *fn; /* NULL once it ran or was cancelled */
    void *arg;
    unsigned refs;
    bool cancelled;
};

/* The loop needs it no more. */
static hr_callback *handle_over(hr_handle *handle)
{
    hr_callback *fn = hr_take(handle->fn);
    hr_handle_unref(handle);
    return fn;
}

static void handle_run(struct hr__ready *entry, bool drop)
{
    hr_handle *handle = hr_container_of(entry, hr_handle, ready);
    void *arg = handle->arg;
    hr_callback *fn = handle_over(handle);
    if (!fn || drop)
        return;
    hr__slice_of((const void *)fn);
    fn(arg);
}

static void handle_due(struct hr__timer *timer)
{
    hr_handle *handle = hr_container_of(timer, hr_handle, timer);
    hr__ready_append(&handle->loop->ready, &handle->ready);
}

static hr_handle *handle_new(hr_callback *fn, void *arg)
{
    hr_loop *loop = hr__loop_for(NULL);
    if (!loop)
        return NULL;
    if (!fn) {
        hr_fail(-EINVAL, "a callback without a function");
        return NULL;
    }
    hr_handle *handle = malloc(sizeof(*handle));
    if (!handle) {
        hr_fail(-ENOMEM, "no memory for a callback");
        return NULL;
    }
    *handle = (hr_handle){.ready.run = handle_run, .loop = loop, .fn = fn, .arg = arg, .refs = 1};
    hr__timer_init(&handle->timer, handle_due);
    handle->timer.deadline = loop->now;
    return handle;
}

hr_handle *hr_call_soon(hr_callback *fn, void *arg)
{
    hr_handle *handle = handle_new(fn, arg);
    if (handle)
        hr__ready_append(&handle->loop->ready, &handle->ready);
    return handle;
}

hr_handle *hr_call_at(hr_usec moment, hr_callback *fn, void *arg)
{
    hr_handle *handle = handle_new(fn, arg);
    if (handle)
        hr__loop_arm(handle->loop, &handle->timer, moment);
    return handle;
}

hr_handle *hr_call_later(hr_usec span, hr_callback *fn, void *arg)
{
    hr_handle *handle = handle_new(fn, arg);
    if (handle)
        hr__loop_arm(handle->loop, &handle->timer, hr__deadline(handle->loop, span));
    return handle;
}

void hr_handle_cancel(hr_handle *handle)
{
    if (!handle || !handle->fn)
        return;
    hr__demand_own_thread(handle->loop, "hr_handle_cancel()", handle);
    handle->cancelled = true;
    if (hr__timer_armed(&handle->timer)) {
        hr__timer_disarm(&handle->loop->timers, &handle->timer);
        handle_over(handle);
    } else {
        handle->fn = NULL;
    }
}

hr_handle *hr_handle_ref(hr_handle *handle)
{
    if (handle)
        handle->refs++;
    return handle;
}

hr_handle *hr_handle_unref(hr_handle *handle)
{
    if (handle && --handle->refs == 0)
        free(handle);
    return NULL;
}

hr_usec hr_handle_when(const hr_handle *handle)
{
    return handle->timer.deadline;
}

bool hr_handle_cancelled(const hr_handle *handle)
{
    return handle->cancelled;
}
