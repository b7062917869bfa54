/* SPDX-License-Identifier: MIT */
/*
 * The way from one task to the next, inline where tasks leave off. Inside core/ only; core/sched.c
 * tells how it works, and does what is rare.
 *
 * This is what every wait costs. Stores count most: the processor retires about one a cycle. So
 * nothing is written that can be told from something else, or that holds the value already.
 */
#pragma once

#include "core/loop_impl.h"

/* Begins a pass and yields its first entry; whoever takes it notes the rest in loop->pass. */
static inline struct hr__ready *hr__sched_begin_pass(hr_loop *loop)
{
    loop->passes++;
    return hr__ready_take_all(&loop->ready);
}

/* The next entry of the present pass or, if nothing has to be looked at before, of a new one. */
static inline struct hr__ready *hr__sched_peek(hr_loop *loop)
{
    if (loop->pass)
        return loop->pass;
    if (!loop->ready.first || loop->slices >= loop->look_at)
        return NULL;
    return hr__sched_begin_pass(loop);
}

/* What a task finds first when it goes on lies in a few cache lines: its fiber's and those below.
 * They are sent for while the one before it runs; a few tasks have them in the cache anyway.
 * Inlined always: gcc 12 takes the call of a function that does nothing else for one without
 * effect. */
#define HR__LINE        64
#define HR__LINES_AHEAD 6
#define HR__FEW_TASKS   32
static inline __attribute__((always_inline)) void
hr__sched_look_ahead(const struct hr__ready *entry)
{
    if (!entry || entry->run != hr__task_run)
        return;
    const char *fiber = (const char *)hr_container_of(entry, const struct hr__task, ready)->fiber;
    __builtin_prefetch(entry->next);
    for (ptrdiff_t line = 0; fiber && line < HR__LINES_AHEAD; line++)
        __builtin_prefetch(fiber - line * HR__LINE);
}

static inline struct hr__task *hr__sched_take(hr_loop *loop, struct hr__ready *entry)
{
    loop->pass = entry->next;
    if (hr_unlikely(loop->task_count > HR__FEW_TASKS))
        hr__sched_look_ahead(entry->next);
    hr__ready_left(entry);
    loop->slices++;
    return hr_container_of(entry, struct hr__task, ready);
}

/* Who has a stack goes on where it stands, with its own errno. */
static inline struct hr__coro *hr__sched_go_on(hr_loop *loop, struct hr__task *task)
{
    struct hr__fiber *fiber = task->fiber;
    *loop->errno_place = fiber->saved_errno;
    loop->current = task;
    return &fiber->coro;
}

/* Whether the task has a stack, or nothing keeps it from having one that is warm. */
static inline bool hr__sched_has_stack(hr_loop *loop, struct hr__task *task)
{
    if (hr_likely(task->fiber != NULL))
        return true;
    if (task->must_cancel || task->stack_size)
        return false;
    return (task->fiber = hr__fiber_reuse(&loop->fibers, task)) != NULL;
}

/* Takes the tasks at the head of the queue for as long as one cannot run; yields the stack on which
 * the first that can goes on, else the loop's own. */
struct hr__coro *hr__sched_find(hr_loop *loop);

/* The same where the next is a task and warm, as most are; else NULL: then hr__sched_find() has to
 * be asked. In two steps, so that the first needs no registers kept over a call. */
static inline struct hr__coro *hr__sched_next(hr_loop *loop)
{
    struct hr__ready *entry = hr__sched_peek(loop);
    if (hr_likely(entry && entry->run == hr__task_run && !loop->slow_slice &&
                  hr__sched_has_stack(loop, hr_container_of(entry, struct hr__task, ready))))
        return hr__sched_go_on(loop, hr__sched_take(loop, entry));
    loop->pass = entry;
    return NULL;
}
