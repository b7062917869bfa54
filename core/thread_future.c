/* SPDX-License-Identifier: MIT */
/*
 * How it works: whoever completes the handle writes the outcome first and marks it done; from then
 * on it is only read. He runs the callbacks, those added meanwhile as well, so that they keep their
 * order.
 *
 * Handles are small: most are made by the thousand, and each is done before anybody waits for it.
 * So locks and conditions are no part of them but a few of all, picked by the handle's address; and
 * who completes one that nobody has turned to takes no lock. Two marks in one byte decide it:
 * everybody sets his own, and the later one sees the other's.
 */
#include "core/thread_future.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/error_impl.h"
#include "core/fork.h"
#include "core/loop_impl.h"
#include "core/spin.h"

struct hr__thread_callback {
    struct hr__thread_callback *next;
    hr_thread_callback *fn;
    void *cookie;
};

/* Where threads wait. */
struct place {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a handle that somebody waits for is done */
};

static const struct place fresh = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER};
static struct place places[16] = {
    [0 ... 15] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER}
};

void hr__thread_futures_forked(void)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(places); i++)
        memcpy(&places[i], &fresh, sizeof(fresh));
}

static struct place *place_of(const hr_thread_future *future)
{
    return &places[(uintptr_t)future / 64 % HR_ARRAY_LEN(places)];
}

bool hr__thread_future_lock(hr_thread_future *future)
{
    pthread_mutex_lock(&place_of(future)->lock);
    unsigned char before = atomic_fetch_or(&future->state, HR__TF_NOTICED);
    if (before == HR__TF_DONE) /* without the lock */
        future->settled = true;
    return !(before & HR__TF_DONE);
}

void hr__thread_future_unlock(hr_thread_future *future)
{
    pthread_mutex_unlock(&place_of(future)->lock);
}

void hr__thread_future_init(hr_thread_future *future, const struct hr__thread_future_ops *ops)
{
    future->refs = 2;
    future->ops = ops;
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
    struct hr__outcome *outcome = &future->outcome;
    if (outcome->value && outcome->free_value)
        outcome->free_value(outcome->value);
    hr__error_free(outcome->error);
    future->ops->free(future);
    return NULL;
}

void hr_thread_future_unrefp(hr_thread_future **future)
{
    *future = hr_thread_future_unref(*future);
}

static bool is_done(void *future)
{
    return ((hr_thread_future *)future)->state & HR__TF_DONE;
}

/* Newest first, and called oldest first. */
static void run_callbacks(hr_thread_future *future, struct hr__thread_callback *newest)
{
    struct hr__thread_callback *oldest = NULL, *next;
    for (; newest; newest = next) {
        next = newest->next;
        newest->next = oldest;
        oldest = newest;
    }
    for (; oldest; oldest = next) {
        next = oldest->next;
        oldest->fn(future, oldest->cookie);
        free(oldest);
    }
}

/* Calls all who have turned to it. */
static void tell(hr_thread_future *future)
{
    struct place *place = place_of(future);
    pthread_mutex_lock(&place->lock);
    pthread_cond_broadcast(&place->changed);
    while (future->callbacks) {
        struct hr__thread_callback *callbacks = hr_take(future->callbacks);
        pthread_mutex_unlock(&place->lock);
        run_callbacks(future, callbacks);
        pthread_mutex_lock(&place->lock);
    }
    future->settled = true;
    pthread_mutex_unlock(&place->lock);
}

void hr__thread_future_complete(hr_thread_future *future)
{
    if (atomic_fetch_or(&future->state, HR__TF_DONE) & HR__TF_NOTICED)
        tell(future);
    hr_thread_future_unref(future);
}

void hr__thread_future_fail(hr_thread_future *future, int code, const char *why)
{
    struct hr_error error = {.code = code};
    snprintf(error.message, sizeof(error.message), "%s", why);
    future->status = code;
    future->outcome = (struct hr__outcome){.error = hr__error_dup(&error)};
    hr__thread_future_complete(future);
}

static struct timespec moment_after(hr_usec limit)
{
    hr_usec moment = hr_later(hr_clock_monotonic()->now(NULL), limit);
    return (struct timespec){moment / 1000000, moment % 1000000 * 1000};
}

/* A loop that is awake needs less time for a short task than this thread to fall asleep. */
static bool done_at_once(hr_thread_future *future, hr_usec limit)
{
    static _Thread_local struct hr__spin spin = {.span = -1};
    if (spin.span < 0)
        spin.span = hr__spin_span(0);
    return limit > spin.span && hr__spin(&spin, is_done, future);
}

/* False when the limit passed. */
static bool wait_until_done(hr_thread_future *future, hr_usec limit)
{
    struct place *place = place_of(future);
    struct timespec until = moment_after(limit);
    int r = 0;
    hr__thread_future_lock(future);
    while (!is_done(future) && r == 0)
        r = limit == HR_FOREVER
                ? pthread_cond_wait(&place->changed, &place->lock)
                : pthread_cond_clockwait(&place->changed, &place->lock, CLOCK_MONOTONIC, &until);
    hr__thread_future_unlock(future);
    return is_done(future);
}

static int outcome(hr_thread_future *future)
{
    if (future->status >= 0)
        return future->status;
    if (future->outcome.error)
        return hr_error_raise(future->outcome.error);
    return hr_fail(future->status, "%s", hr_error_text(future->status));
}

int hr__thread_may_block(void)
{
    if (hr_likely(!hr__loop_running || !hr__loop_running->debug))
        return 0;
    return hr_fail(-EDEADLK, "the loop that runs in this thread would stand still until that is "
                             "over; hr_thread_future_await() lets it go on");
}

int hr_thread_future_wait(hr_thread_future *future, hr_usec limit)
{
    if (!future)
        return hr__missing("a handle to wait for");
    if (is_done(future))
        return outcome(future);
    int r = limit > 0 ? future->ops->may_wait(future) : 0;
    if (r == 0 && limit > 0)
        r = hr__thread_may_block();
    if (r < 0)
        return r;
    if (limit > 0 && (done_at_once(future, limit) || wait_until_done(future, limit)))
        return outcome(future);
    return hr_fail(-ETIMEDOUT, "what was submitted is not over yet");
}

bool hr_thread_future_done(hr_thread_future *future)
{
    return !future || is_done(future);
}

const char *hr_thread_future_state(hr_thread_future *future)
{
    if (!future)
        return "failed";
    if (!is_done(future))
        return future->ops->state(future);
    return future->status >= 0 ? "finished" : future->status == -ECANCELED ? "cancelled" : "failed";
}

void *hr_thread_future_result(hr_thread_future *future)
{
    if (!future || !is_done(future))
        return NULL;
    hr__thread_future_lock(future);
    void *value = future->outcome.value;
    hr__thread_future_unlock(future);
    return value;
}

void *hr_thread_future_take(hr_thread_future *future)
{
    if (!future || !is_done(future))
        return NULL;
    hr__thread_future_lock(future);
    void *value = hr_take(future->outcome.value);
    hr__thread_future_unlock(future);
    return value;
}

bool hr_thread_future_cancel(hr_thread_future *future)
{
    return future && future->ops->cancel(future);
}

int hr_thread_future_add_done_callback(hr_thread_future *future, hr_thread_callback *fn,
                                       void *cookie)
{
    if (!future)
        return hr__missing("a handle to add a callback to");
    if (!fn)
        return hr_fail(-EINVAL, "a done callback without a function");
    struct hr__thread_callback *callback = malloc(sizeof(*callback));
    if (!callback)
        return hr_fail(-ENOMEM, "no memory for a done callback");
    *callback = (struct hr__thread_callback){.fn = fn, .cookie = cookie};
    hr__thread_future_lock(future);
    bool settled = future->settled;
    if (!settled) {
        callback->next = future->callbacks;
        future->callbacks = callback;
    }
    hr__thread_future_unlock(future);
    if (settled) {
        free(callback);
        fn(future, cookie);
    }
    return 0;
}
