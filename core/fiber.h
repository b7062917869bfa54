/* SPDX-License-Identifier: MIT */
/*
 * Fibers: the stacks that tasks run on, one after the other. Inside core/ only.
 *
 * A fiber is a coroutine on a stack of its own that runs task bodies. Its struct sits at the top of
 * the stack, in a page that is in use anyway. When a task ends, its fiber goes on with the next
 * task that has not started yet, without a switch; else it waits in the cache, last in, first out.
 */
#pragma once

#include "core/coro.h"
#include "core/error.h"
#include "core/stack.h"

struct hr__home;
struct hr__task;
struct hr_loop;

/* What a switch and the end of a task touch stands first, in two cache lines. */
struct hr__fiber {
    struct hr__coro coro;
    int saved_errno; /* while something else runs */
    bool leaving;    /* asked to exit instead of running a task */
    struct hr__task *task;
    struct hr_loop *loop;
    struct hr__fibers *pool;
    struct hr__fiber *next; /* in the cache */
    struct hr__home *home;  /* of the greenlets that the task has made; NULL: none */
    struct hr_error error;  /* the record of the task that runs here */
    struct hr__stack stack;
};

/* The fibers of one stack size. */
struct hr__fibers {
    struct hr__fibers *next;
    size_t size; /* as asked for */
    struct hr__stacks stacks;
    struct hr__fiber *cache;
    size_t cached;
    hr_usec crowded; /* since when there are too many of them; HR_FOREVER: there are not */
};

void hr__fibers_init(struct hr__fibers *pool, size_t size, enum hr__guard guard);

/* All fibers have to be in the cache. Called on the loop's own stack. */
void hr__fibers_done(struct hr__fibers *pool, struct hr_loop *loop);

/* What runs on a fiber, its argument: task after task, until it is asked to leave. core/body.c. */
void hr__fiber_main(void *arg);

/* A fiber on a fresh stack, for the task. 0, -ENOMEM, -EAGAIN (see core/stack.h). */
int hr__fiber_new(struct hr__fibers *pool, struct hr__task *task, struct hr__fiber **ret);

/* A warm fiber for the task; NULL when none is kept. */
static inline struct hr__fiber *hr__fiber_reuse(struct hr__fibers *pool, struct hr__task *task)
{
    struct hr__fiber *fiber = pool->cache;
    if (hr_unlikely(!fiber))
        return NULL;
    pool->cache = fiber->next;
    pool->cached--;
    fiber->task = task;
    if (fiber->saved_errno != 0)
        fiber->saved_errno = 0;
    return fiber;
}

/* Keeps a fiber whose task is over for the next one. */
static inline void hr__fiber_put(struct hr__fiber *fiber)
{
    struct hr__fibers *pool = fiber->pool;
    fiber->next = pool->cache;
    pool->cache = fiber;
    pool->cached++;
}

/* Frees some of the cached fibers that have been too many for a while. Called on the loop's own
 * stack when it is idle; yields the moment at which to call it again, HR_FOREVER: it need not be.
 */
hr_usec hr__fibers_trim(struct hr_loop *loop);
