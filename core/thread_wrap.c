/* SPDX-License-Identifier: MIT */
/*
 * A handle for threads as a future of a loop: a task waits for it, and the loop goes on.
 *
 * How it works: a bridge hangs on both ends. Whoever completes the handle posts it to the loop,
 * where it completes the future. If the future is over before, or nobody has it any more, the
 * bridge forgets the loop, which may be gone from then on.
 */
#include <pthread.h>

#include "core/error_impl.h"
#include "core/loop_impl.h"
#include "core/park.h"
#include "core/thread_future.h"

struct bridge {
    atomic_uint refs;         /* the future's, the handle's callback, the entry once it is posted */
    hr_thread_future *handle; /* a reference */
    pthread_mutex_t lock;
    hr_loop *loop; /* with the lock held; NULL: nobody waits there */
    struct hr__ready entry;

    /* The loop's thread only. */
    hr_future *future; /* NULL once it is over */
    struct hr__watch watch;
};

static void bridge_unref(struct bridge *bridge)
{
    if (atomic_fetch_sub(&bridge->refs, 1) > 1)
        return;
    hr_thread_future_unref(bridge->handle);
    pthread_mutex_destroy(&bridge->lock);
    free(bridge);
}

/* It outlives this: whoever is about to post has to be through. */
static void leave_loop(struct bridge *bridge)
{
    bridge->future = NULL;
    pthread_mutex_lock(&bridge->lock);
    bridge->loop = NULL;
    pthread_mutex_unlock(&bridge->lock);
}

static void future_over(struct hr__watch *watch)
{
    struct bridge *bridge = hr_container_of(watch, struct bridge, watch);
    bool cancelled = hr_future_cancelled(bridge->future);
    leave_loop(bridge);
    if (cancelled)
        hr_thread_future_cancel(bridge->handle);
    bridge_unref(bridge);
}

static void pass_on(hr_thread_future *handle, hr_future *future)
{
    const struct hr_error *error = handle->outcome.error;
    if (handle->status >= 0) {
        hr__future_finish(future, handle->status);
    } else if (handle->status == -ECANCELED) {
        hr__future_set_reason(future, error ? error->message : NULL);
        hr__future_keep_sent(future, error);
        hr__future_finish_cancelled(future);
    } else {
        future->error = error ? hr__error_dup(error) : NULL;
        hr__future_finish(future, handle->status);
    }
}

static void arrive(struct hr__ready *entry, bool drop)
{
    struct bridge *bridge = hr_container_of(entry, struct bridge, entry);
    hr_future *future = bridge->future;
    if (future && !drop) {
        hr_list_remove(&bridge->watch.link);
        leave_loop(bridge);
        pass_on(bridge->handle, future);
        bridge_unref(bridge);
    }
    bridge_unref(bridge);
}

static void handle_done(hr_thread_future *handle, void *cookie)
{
    struct bridge *bridge = cookie;
    pthread_mutex_lock(&bridge->lock);
    atomic_fetch_add(&bridge->refs, 1);
    bool posted = bridge->loop && hr__inbox_post(bridge->loop, &bridge->entry) == 0;
    pthread_mutex_unlock(&bridge->lock);
    if (!posted)
        bridge_unref(bridge);
    bridge_unref(bridge);
}

static int span(hr_thread_future *handle, hr_future *future)
{
    struct bridge *bridge = malloc(sizeof(*bridge));
    if (!bridge)
        return hr_fail(-ENOMEM, "no memory to wait for what was submitted");
    *bridge = (struct bridge){
        .refs = 2,
        .handle = hr_thread_future_ref(handle),
        .loop = future->loop,
        .entry.run = arrive,
        .future = future,
        .watch.done = future_over,
    };
    pthread_mutex_init(&bridge->lock, NULL);
    hr__future_watch(future, &bridge->watch);
    int r = hr_thread_future_add_done_callback(handle, handle_done, bridge);
    if (r < 0) {
        hr_list_remove(&bridge->watch.link);
        bridge->refs = 1;
        bridge_unref(bridge);
    }
    return r;
}

hr_future *hr_thread_future_wrap(hr_thread_future *handle)
{
    if (!handle) {
        hr__missing("a handle to wait for");
        return NULL;
    }
    hr_future *future = hr_future_new(NULL);
    if (!future)
        return NULL;
    if (hr_thread_future_done(handle))
        pass_on(handle, future);
    else if (span(handle, future) < 0)
        return hr_future_unref(future);
    return future;
}

int hr_thread_future_await(hr_thread_future *handle)
{
    if (!hr_current_task())
        return hr_fail(HR_ENOTASK, "only a task can wait");
    return hr_join(hr_thread_future_wrap(handle));
}
