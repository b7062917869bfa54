/* SPDX-License-Identifier: MIT */
/*
 * The one door from other threads: callbacks posted to a loop, which is woken if it sleeps.
 *
 * How it works: posts are pushed onto a lock-free stack and taken all at once, in reverse. A loop
 * that is awake looks at it between passes anyway; only for one that sleeps the eventfd is written.
 * A closed inbox holds a mark instead of posts.
 *
 * What is posted may end the loop before its poster has looked whether somebody sleeps there. So
 * who may have to wake the loop says so first, and a loop that closes waits until he is done.
 */
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/error_impl.h"
#include "core/loop_impl.h"

/* A callback of hr_call_soon_threadsafe(). */
struct call {
    struct hr__ready posted;
    hr_callback *fn;
    void *arg;
};

/* So many are brought into a pass, however many have come: what a pass makes stays in the cache,
 * and the next one finds it there. */
#define AT_ONCE 256

static struct hr__ready closed_mark;

static void call_run(struct hr__ready *entry, bool drop)
{
    struct call *call = hr_container_of(entry, struct call, posted);
    hr_callback *fn = call->fn;
    void *arg = call->arg;
    free(call);
    if (drop)
        return;
    hr__slice_of((const void *)fn);
    fn(arg);
}

/* Who was about to wake a loop when this process was forked is not here and never goes, so who
 * comes first in a process begins to count anew: it stands in the upper half. */
#define WAKERS_MAX 0xffffU

static unsigned of_this_process(void)
{
    return hr__forks * (WAKERS_MAX + 1);
}

static void come_to_wake(hr_loop *loop)
{
    unsigned mine = of_this_process(), there = atomic_load(&loop->wakers);
    while (!atomic_compare_exchange_weak(&loop->wakers, &there,
                                         ((there & ~WAKERS_MAX) == mine ? there : mine) + 1))
        ;
}

static void wake(hr_loop *loop)
{
    if (atomic_exchange(&loop->sleeping, false))
        eventfd_write(loop->wake_fd, 1);
}

int hr__inbox_post(hr_loop *loop, struct hr__ready *entry)
{
    if (hr__loop_running == loop) { /* in line with hr_call_soon() */
        hr__ready_append(&loop->ready, entry);
        return 0;
    }
    if (hr__loop_lost(loop))
        return HR_ECLOSED;
    struct hr__ready *head = atomic_load_explicit(&loop->inbox, memory_order_relaxed);
    bool kept = false;
    do {
        if (head == &closed_mark)
            break;
        if (!head && !kept) {
            come_to_wake(loop);
            kept = true;
        }
        entry->next = head;
    } while (!atomic_compare_exchange_weak(&loop->inbox, &head, entry));
    if (!head) /* else the loop is awake, or being woken by who posted first */
        wake(loop);
    if (kept)
        atomic_fetch_sub(&loop->wakers, 1);
    return head == &closed_mark ? HR_ECLOSED : 0;
}

int hr_call_soon_threadsafe(hr_loop *loop, hr_callback *fn, void *arg)
{
    if (!loop)
        return hr__missing("a loop to call");
    if (!fn)
        return hr_fail(-EINVAL, "a callback without a function");
    struct call *call = malloc(sizeof(*call));
    if (!call)
        return -ENOMEM;
    *call = (struct call){.posted.run = call_run, .fn = fn, .arg = arg};
    int r = hr__inbox_post(loop, &call->posted);
    if (r < 0)
        free(call);
    return r;
}

bool hr__inbox_empty(hr_loop *loop)
{
    return !loop->mail.first && !atomic_load(&loop->inbox);
}

/* Adds what was posted to the mail, in order. */
static void take_all(hr_loop *loop, struct hr__ready *leave)
{
    struct hr__ready *newest = atomic_exchange(&loop->inbox, leave);
    struct hr__ready_queue all = {.end = newest ? &newest->next : NULL};
    while (newest) {
        struct hr__ready *next = newest->next;
        newest->next = all.first;
        all.first = newest;
        newest = next;
    }
    hr__ready_splice(&loop->mail, &all);
}

void hr__inbox_drain(hr_loop *loop)
{
    if (!loop->mail.first)
        take_all(loop, NULL);
    struct hr__ready *entry, *next = loop->mail.first;
    for (unsigned n = 0; n < AT_ONCE && (entry = next); n++) {
        next = entry->next;
        hr__ready_append(&loop->ready, entry);
    }
    loop->mail.first = next;
    if (!next)
        hr__ready_init(&loop->mail);
}

void hr__inbox_close(hr_loop *loop)
{
    take_all(loop, &closed_mark);
    hr__ready_splice(&loop->ready, &loop->mail);
    for (unsigned there; (there = atomic_load(&loop->wakers)) & WAKERS_MAX;) {
        if ((there & ~WAKERS_MAX) != of_this_process())
            return;
        sched_yield();
    }
}
