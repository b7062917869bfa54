/* SPDX-License-Identifier: MIT */
/*
 * How it works: a member that is done goes into a queue that has room for all of them, and a step
 * takes from the queue, which keeps order, cancels and several takers apart already. Its shutdown
 * is the end, or the limit.
 */
#include "core/as_completed.h"

#include "core/error_impl.h"
#include "core/future_impl.h"
#include "core/park.h"
#include "core/queue_impl.h"
#include "core/wait.h"

struct member {
    struct hr__watch watch;
    hr_future *future; /* a reference */
    hr_as_completed *steps;
};

struct hr_as_completed {
    hr_queue *done;
    hr_loop *loop;
    struct hr__timer timer;
    int flags;
    bool expired;
    size_t count, pending;
    struct member members[];
};

static void put(hr_as_completed *steps, hr_future *future)
{
    int r = hr_queue_put_nowait(steps->done, future);
    hr_assert(r == 0); /* there is room */
}

static void member_done(struct hr__watch *watch)
{
    struct member *member = hr_container_of(watch, struct member, watch);
    hr_as_completed *steps = member->steps;
    put(steps, member->future);
    if (--steps->pending > 0)
        return;
    hr__timer_disarm(&steps->loop->timers, &steps->timer);
    hr_queue_shutdown(steps->done, false);
}

static void stop_watching(hr_as_completed *steps)
{
    for (size_t i = 0; i < steps->count; i++)
        hr_list_remove(&steps->members[i].watch.link);
}

static void limit_passed(struct hr__timer *timer)
{
    hr_as_completed *steps = hr_container_of(timer, hr_as_completed, timer);
    steps->expired = true;
    stop_watching(steps);
    hr_queue_shutdown(steps->done, false);
}

/* Takes each future once, by a mark that is wiped off again. -1 when one is another loop's. */
static int add_members(hr_as_completed *steps, const struct hr_futures *futures)
{
    int r = 0;
    for (size_t i = 0; i < futures->count; i++) {
        hr_future *future = futures->items[i];
        if (future->loop != steps->loop)
            r = HR_EWRONGLOOP;
        if (future->marked)
            continue;
        future->marked = true;
        struct member *member = &steps->members[steps->count++];
        *member = (struct member){.watch.done = member_done, .steps = steps};
        member->future = hr_future_ref(future);
        hr_list_init(&member->watch.link);
    }
    for (size_t i = 0; i < steps->count; i++)
        steps->members[i].future->marked = false;
    return r;
}

static void begin(hr_as_completed *steps, hr_usec limit)
{
    for (size_t i = 0; i < steps->count; i++) {
        struct member *member = &steps->members[i];
        if (hr_future_done(member->future)) {
            put(steps, member->future);
        } else {
            hr__future_watch(member->future, &member->watch);
            steps->pending++;
        }
    }
    if (steps->pending == 0)
        hr_queue_shutdown(steps->done, false);
    else if (limit <= 0)
        limit_passed(&steps->timer);
    else if (limit < HR_FOREVER)
        hr__loop_arm(steps->loop, &steps->timer, hr__deadline(steps->loop, limit));
}

hr_as_completed *hr_as_completed_new(const struct hr_futures *futures, hr_usec limit, int flags)
{
    hr_loop *loop = hr__loop_for(NULL);
    if (!loop || hr__futures_check(futures) < 0)
        return NULL;
    hr_as_completed *steps = calloc(1, sizeof(*steps) + futures->count * sizeof(steps->members[0]));
    if (!steps) {
        hr_fail(-ENOMEM, "no memory to wait for %zu futures", futures->count);
        return NULL;
    }
    steps->loop = loop;
    steps->flags = flags;
    hr__timer_init(&steps->timer, limit_passed);
    steps->done = hr_queue_new(0, NULL);
    int r = steps->done ? hr__queue_reserve(steps->done, futures->count) : -ENOMEM;
    if (r == 0)
        r = add_members(steps, futures);
    if (r == HR_EWRONGLOOP)
        hr_fail(r, "a future belongs to another loop");
    if (r < 0) {
        steps->flags = 0;
        return hr_as_completed_free(steps);
    }
    begin(steps, limit);
    return steps;
}

hr_as_completed *hr_as_completed_free(hr_as_completed *steps)
{
    if (!steps)
        return NULL;
    hr__timer_disarm(&steps->loop->timers, &steps->timer);
    stop_watching(steps);
    hr_queue_free(steps->done);
    for (size_t i = 0; i < steps->count; i++) {
        if (steps->flags & HR_CANCEL_REST)
            hr_future_cancel(steps->members[i].future, "nobody waits for it any more");
        hr_future_unref(steps->members[i].future);
    }
    free(steps);
    return NULL;
}

void hr_as_completed_freep(hr_as_completed **steps)
{
    *steps = hr_as_completed_free(*steps);
}

int hr_as_completed_next(hr_as_completed *steps, hr_future **ret)
{
    if (!steps)
        return hr__missing("steps");
    void *future;
    int r = hr_queue_get(steps->done, &future);
    if (r == 0)
        *ret = future;
    if (r != HR_ESHUTDOWN)
        return r; /* the iteration may be gone */
    return steps->expired ? hr_fail(-ETIMEDOUT, "%zu of %zu are not done in time", steps->pending,
                                    steps->count)
                          : HR_EEND;
}
