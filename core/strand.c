/* SPDX-License-Identifier: MIT */
/*
 * How it works: the scheduler saves and finds a task in its fiber's coro, so that is where the
 * bounds of the stack have to stand on which the task runs at the moment.
 */
#include "core/strand.h"

#include <errno.h>

#include "core/loop_impl.h"

/* What runs in this thread outside of tasks. */
static _Thread_local struct hr__coro outside;
static _Thread_local bool outside_known;

static struct hr__coro *running(void)
{
    struct hr__task *task = hr__task_running();
    if (task)
        return &task->fiber->coro;
    if (!outside_known)
        hr__coro_init_thread(&outside);
    outside_known = true;
    return &outside;
}

int hr__strand_init(struct hr__strand *strand, size_t stack_size, void (*entry)(void *arg),
                    void *arg)
{
    int r = hr__stack_borrow(stack_size, &strand->lent);
    if (r < 0)
        return r;
    const struct hr__stack *stack = &strand->lent.stack;
    hr__coro_init(&strand->coro, stack->bottom, stack->size, entry, arg);
    return 0;
}

void hr__strand_done(struct hr__strand *strand)
{
    if (!strand->lent.store)
        return;
    hr__coro_done(&strand->coro);
    hr__stack_return(&strand->lent);
}

/* The tools' view of who runs; sp and the rest change hands with the switch. */
static void become(struct hr__coro *now, const struct hr__coro *to)
{
    now->stack = to->stack;
    now->size = to->size;
    now->tsan_fiber = to->tsan_fiber;
}

void hr__strand_switch(struct hr__coro *from, struct hr__coro *to)
{
    int *place = &errno, saved = *place;
    struct hr__coro *now = running();
    become(from, now);
    become(now, to);
    hr__coro_switch(from, to);
    *place = saved;
}

_Noreturn void hr__strand_exit(struct hr__coro *from, struct hr__coro *to)
{
    become(running(), to);
    hr__coro_exit(from, to);
}
