/* SPDX-License-Identifier: MIT */
/*
 * A crowd is one waiting task and a watch on each future that is not done yet. The first watch to
 * see the end wakes the task; whoever leaves takes all of them along.
 */
#include "core/wait.h"

#include "core/park.h"

#define MEMBERS_ON_STACK 16

struct crowd;

struct member {
    struct hr__watch watch;
    hr_future *future;
    struct crowd *crowd;
};

struct crowd {
    struct hr__waiter waiter;
    struct hr__timer timer;
    enum hr__wait_end end;
    size_t pending;
    hr_future *first; /* that brought the end */
};

static bool brings_end(const hr_future *future, enum hr__wait_end end)
{
    if (end & HR__END_ANY)
        return true;
    if (hr_future_cancelled(future))
        return end & HR__END_CANCELLED;
    return (end & HR__END_ERROR) && hr__future_peek(future) < 0;
}

static void member_done(struct hr__watch *watch)
{
    struct member *member = hr_container_of(watch, struct member, watch);
    struct crowd *crowd = member->crowd;

    crowd->pending--;
    if (!crowd->first && brings_end(member->future, crowd->end))
        crowd->first = member->future;
    if (crowd->first || crowd->pending == 0)
        hr__wake(&crowd->waiter, 0);
}

static void member_watch(struct member *member, struct crowd *crowd, hr_future *future)
{
    *member = (struct member){.watch.done = member_done, .future = future, .crowd = crowd};
    hr__future_watch(future, &member->watch);
}

static void limit_passed(struct hr__timer *timer)
{
    hr__wake(&hr_container_of(timer, struct crowd, timer)->waiter, 0);
}

static int crowd_wait(struct crowd *crowd, hr_usec limit, const char *what)
{
    struct hr_loop *loop = hr_running_loop();

    hr_list_init(&crowd->waiter.link);
    hr__timer_init(&crowd->timer, limit_passed);
    if (limit < HR_FOREVER)
        hr__loop_arm(loop, &crowd->timer, hr__deadline(loop, limit));
    int r = hr__park(&crowd->waiter, what);
    hr__timer_disarm(&loop->timers, &crowd->timer);
    return r;
}

int hr__wait_done(hr_future *future, hr_usec limit, const char *what)
{
    if (future && hr_future_done(future))
        return 0;
    int r = hr__await_check(future, hr__task_running());
    if (r < 0)
        return r;
    if (limit <= 0)
        return 0;

    struct crowd crowd = {.pending = 1};
    struct member member;
    r = hr__waiter_init(&crowd.waiter);
    if (r < 0)
        return r;
    member_watch(&member, &crowd, future);
    r = crowd_wait(&crowd, limit, what);
    hr_list_remove(&member.watch.link);
    return r;
}

/* Looks at what is there before anybody waits. */
static int look(const struct hr_futures *futures, struct crowd *crowd)
{
    struct hr__task *task = hr__task_running();

    for (size_t i = 0; i < futures->count; i++) {
        hr_future *future = futures->items[i];
        if (!hr_future_done(future)) {
            int r = hr__await_check(future, task);
            if (r < 0)
                return r;
            crowd->pending++;
        } else if (!crowd->first && brings_end(future, crowd->end)) {
            crowd->first = future;
        }
    }
    return 0;
}

/* Watches all members that are not done, each by one of members, and waits. */
static int watch_and_wait(const struct hr_futures *futures, struct crowd *crowd,
                          struct member *members, hr_usec limit)
{
    int r = hr__waiter_init(&crowd->waiter);
    if (r < 0)
        return r;

    size_t watched = 0;
    for (size_t i = 0; i < futures->count; i++) {
        if (!hr_future_done(futures->items[i]))
            member_watch(&members[watched++], crowd, futures->items[i]);
    }
    r = crowd_wait(crowd, limit, "several futures");
    for (size_t i = 0; i < watched; i++)
        hr_list_remove(&members[i].watch.link);
    return r;
}

int hr__wait_several(const struct hr_futures *futures, enum hr__wait_end end, hr_usec limit,
                     hr_future **ret_first)
{
    struct crowd crowd = {.end = end};
    int r = look(futures, &crowd);
    if (r < 0)
        return r;

    if (!crowd.first && crowd.pending > 0 && limit > 0) {
        struct member few[MEMBERS_ON_STACK];
        struct member *members = few;
        if (crowd.pending > MEMBERS_ON_STACK)
            members = malloc(crowd.pending * sizeof *members);
        if (!members)
            return hr_fail(-ENOMEM, "no memory to wait for %zu futures", crowd.pending);
        r = watch_and_wait(futures, &crowd, members, limit);
        if (members != few)
            free(members);
    }
    if (r >= 0)
        *ret_first = crowd.first;
    return r;
}

int hr_wait(struct hr_futures *futures, enum hr_wait_until until, hr_usec limit)
{
    static const enum hr__wait_end ends[] = {
        [HR_ALL_COMPLETED] = HR__END_ALL,
        [HR_FIRST_COMPLETED] = HR__END_ANY,
        [HR_FIRST_ERROR] = HR__END_ERROR,
    };
    int r = hr__futures_check(futures);
    if (r < 0)
        return r;
    if (futures->count == 0)
        return hr_fail(-EINVAL, "wait: no futures");
    if ((unsigned)until >= HR_ARRAY_LEN(ends))
        return hr_fail(-EINVAL, "wait: unknown condition %d", (int)until);

    hr_future *first;
    r = hr__wait_several(futures, ends[until], limit, &first);
    if (r < 0)
        return r;
    for (size_t i = 0; i < futures->count; i++)
        r += hr_future_done(futures->items[i]);
    return r;
}
