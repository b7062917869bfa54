/* SPDX-License-Identifier: MIT */
/*
 * gather is a wait that ends at the first failure, and decides what becomes of the others.
 */
#include "core/gather.h"

#include "core/error_impl.h"
#include "core/future_impl.h"
#include "core/park.h"
#include "core/wait.h"

/* Makes room for so many more. */
static bool reserve(struct hr_futures *futures, size_t more)
{
    size_t wanted = futures->count + more, capacity = futures->capacity;
    if (wanted <= capacity)
        return true;
    capacity = capacity ? 2 * capacity : 8;
    if (capacity < wanted)
        capacity = wanted;
    hr_future **items = reallocarray(futures->items, capacity, sizeof *items);
    if (!items)
        return false;
    futures->items = items;
    futures->capacity = capacity;
    return true;
}

void hr_futures_add(struct hr_futures *futures, hr_future *future)
{
    if (future && reserve(futures, 1)) {
        futures->items[futures->count++] = future;
        return;
    }
    int code =
        future ? hr_fail(-ENOMEM, "no memory to wait for a future") : hr__missing("a future");
    if (futures->failed == 0)
        futures->failed = code;
    if (future) {
        /* Nobody would wait for it, and it may point into the caller's frame. */
        hr_future_cancel(future, "no memory to wait for it");
        hr_future_unref(future);
    }
}

int hr__futures_check(const struct hr_futures *futures)
{
    int code = futures->failed;
    if (code < 0 && hr_last_error()->code != code) /* something else has failed since */
        hr_fail(code, "a future could not be made: %s", hr_error_text(code));
    return code;
}

void hr_futures_done(struct hr_futures *futures)
{
    for (size_t i = 0; i < futures->count; i++)
        hr_future_unref(futures->items[i]);
    free(futures->items);
    *futures = (struct hr_futures){0};
}

int hr_futures_split(const struct hr_futures *futures, struct hr_futures *done,
                     struct hr_futures *pending)
{
    if ((done && !reserve(done, futures->count)) || (pending && !reserve(pending, futures->count)))
        return hr_fail(-ENOMEM, "no memory to divide %zu futures", futures->count);
    for (size_t i = 0; i < futures->count; i++) {
        hr_future *future = futures->items[i];
        struct hr_futures *to = hr_future_done(future) ? done : pending;
        if (to && !future->marked)
            hr_futures_add(to, hr_future_ref(future));
        future->marked = true;
    }
    for (size_t i = 0; i < futures->count; i++)
        futures->items[i]->marked = false;
    return 0;
}

static void cancel_all(const struct hr_futures *futures, const char *reason)
{
    for (size_t i = 0; i < futures->count; i++)
        hr_future_cancel(futures->items[i], reason);
}

/* Cancels all members and waits until they are over. Further cancels of the waiter go on to them;
 * -ECANCELED tells that there was one. Needs no memory, so nothing can stay behind. */
static int end_all(const struct hr_futures *futures, const char *reason)
{
    int r = 0;

    cancel_all(futures, reason);
    hr__be_patient(true);
    for (size_t i = 0; i < futures->count; i++) {
        while (hr__wait_done(futures->items[i], HR_FOREVER, "cancelled futures") == -ECANCELED) {
            r = -ECANCELED;
            cancel_all(futures, reason);
        }
    }
    hr__be_patient(false);
    return r;
}

/* What comes out of a gather that one member has ended: the others' errors are nobody's. */
static int first_failure(const struct hr_futures *futures, hr_future *failed)
{
    for (size_t i = 0; i < futures->count; i++)
        futures->items[i]->error_seen = true;
    return hr__future_receive(failed);
}

/* The cause is a member that had sent something. */
static int cancelled(const struct hr_futures *futures, const char *reason)
{
    for (size_t i = 0; i < futures->count; i++) {
        if (hr__future_has_sent(futures->items[i])) {
            (void)hr__future_receive(futures->items[i]);
            return hr_fail_because(-ECANCELED, "%s", reason);
        }
    }
    return hr_fail(-ECANCELED, "%s", reason);
}

int hr_gather(struct hr_futures *futures, int flags)
{
    bool collect = flags & HR_RETURN_ERRORS;
    hr_future *failed = NULL;
    int r = 0;

    if (collect || !futures->failed)
        r = hr__wait_several(futures, collect ? HR__END_ALL : HR__END_ERROR | HR__END_CANCELLED,
                             HR_FOREVER, &failed);
    if (r == -ECANCELED) {
        const char *reason = "the gather was cancelled";
        (void)end_all(futures, reason);
        return cancelled(futures, reason);
    }
    if (r < 0 && r != -ENOMEM)
        return r; /* misuse */
    if (r == 0)
        r = hr__futures_check(futures);
    if ((r < 0 || failed) && (flags & HR_CANCEL_REST) &&
        end_all(futures, "another member of the gather failed") < 0)
        r = -ECANCELED;
    return r < 0 || !failed ? r : first_failure(futures, failed);
}
