/* SPDX-License-Identifier: MIT */
/*
 * How it works: a fiber runs the endless loop of core/body.c. Only the loop's own stack frees it.
 */
#include "core/fiber.h"

#include "core/loop_impl.h"

/* Fibers of a size that stay warm. A loop that had more tasks for a while keeps the others for the
 * next rush; if they were too many for so long it gives them back when it is idle, some at a time,
 * so that what comes meanwhile does not wait. */
#define FIBERS_KEPT 1024
#define PATIENCE    hr_seconds(10)
#define AT_ONCE     32

void hr__fibers_init(struct hr__fibers *pool, size_t size, enum hr__guard guard)
{
    *pool = (struct hr__fibers){.size = size, .crowded = HR_FOREVER};
    hr__stacks_init(&pool->stacks, size, guard);
}

int hr__fiber_new(struct hr__fibers *pool, struct hr__task *task, struct hr__fiber **ret)
{
    struct hr__stack stack;
    int r = hr__stack_get(&pool->stacks, &stack);
    if (r < 0)
        return r;
    uintptr_t top = (uintptr_t)stack.bottom + stack.size;
    struct hr__fiber *fiber = (struct hr__fiber *)((top - sizeof(*fiber)) & ~(uintptr_t)63);
    *fiber = (struct hr__fiber){
        .task = task,
        .loop = task->future.loop,
        .pool = pool,
        .stack = stack,
    };
    hr__coro_init(&fiber->coro, stack.bottom, (size_t)((char *)fiber - (char *)stack.bottom),
                  hr__fiber_main, fiber);
    fiber->coro.control = fiber->loop->main.control;
    *ret = fiber;
    return 0;
}

/* Ends up to most cached fibers, as long as there are more than keep. True if there still are. */
static bool trim(struct hr__fibers *pool, struct hr_loop *loop, size_t keep, size_t most)
{
    for (; pool->cached > keep && most > 0; most--) {
        struct hr__fiber *fiber = pool->cache;
        pool->cache = fiber->next;
        pool->cached--;
        fiber->leaving = true;
        hr__coro_switch(&loop->main, &fiber->coro);
        hr__coro_done(&fiber->coro);
        struct hr__stack stack = fiber->stack; /* the fiber goes with it */
        hr__stack_put(&pool->stacks, &stack);
    }
    return pool->cached > keep;
}

/* As hr__fibers_trim(), of one size. */
static hr_usec trim_in_time(struct hr__fibers *pool, struct hr_loop *loop)
{
    if (pool->cached <= FIBERS_KEPT) {
        pool->crowded = HR_FOREVER;
        return HR_FOREVER;
    }
    if (pool->crowded == HR_FOREVER)
        pool->crowded = loop->now;
    if (loop->now - pool->crowded < PATIENCE)
        return pool->crowded + PATIENCE;
    return trim(pool, loop, FIBERS_KEPT, AT_ONCE) ? loop->now : HR_FOREVER;
}

hr_usec hr__fibers_trim(struct hr_loop *loop)
{
    hr_usec next = trim_in_time(&loop->fibers, loop);
    for (struct hr__fibers *pool = loop->more_fibers; pool; pool = pool->next) {
        hr_usec moment = trim_in_time(pool, loop);
        if (moment < next)
            next = moment;
    }
    return next;
}

void hr__fibers_done(struct hr__fibers *pool, struct hr_loop *loop)
{
    pool->stacks.closing = true;
    trim(pool, loop, 0, SIZE_MAX);
    hr__stacks_done(&pool->stacks);
}
