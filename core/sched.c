/* SPDX-License-Identifier: MIT */
/*
 * Who runs next: passes over the ready queue, from task to task without a detour.
 *
 * How it works: whoever stops running looks for the next entry itself. A task is switched to
 * directly, on whichever stack that decision is made; callbacks and looking around are left to the
 * loop's own stack. A pass is the queue as it stood when the pass began.
 *
 * Looking at clock and descriptors costs as much as dozens of switches. So it is not done before
 * every pass but when nothing is ready, when a timer is armed that is due at once, and when enough
 * slices have run; and only where there is more to see than the clock, a look takes the way over
 * the loop's own stack. How many are enough is learnt: one after a sleep and while passes are slow,
 * and twice as many after each look that found the slices before it quick, LOOK_EVERY at most. So
 * tasks that turn slow are noticed after LOOK_EVERY slices in the worst case. On a virtual clock a
 * look is taken before every pass, so that what happens depends on nothing but the program.
 */
#include "core/sched_impl.h"

#define LOOK_EVERY 64

/* Says how many slices may run until the next look. */
static void plan_look(hr_loop *loop, bool slow)
{
    unsigned more = 2 * loop->unseen + 1;
    loop->unseen = slow ? 0 : more < LOOK_EVERY ? more : LOOK_EVERY;
    loop->look_at = loop->stopping ? 0 : loop->slices + loop->unseen;
}

/* The next entry, after a look on whatever stack runs where one is due and a quick one will do. */
static struct hr__ready *next_entry(hr_loop *loop)
{
    bool due = !loop->pass && loop->ready.first && loop->slices >= loop->look_at;
    if (due && loop->look_at > 0 && hr__poll_quiet(loop)) /* 0: somebody wants a real one */
        plan_look(loop, false);
    return loop->pass = hr__sched_peek(loop);
}

static struct hr__fibers *fibers_of_size(hr_loop *loop, size_t size)
{
    for (struct hr__fibers *pool = loop->more_fibers; pool; pool = pool->next) {
        if (pool->size == size)
            return pool;
    }
    struct hr__fibers *pool = malloc(sizeof(*pool));
    if (!pool)
        return NULL;
    hr__fibers_init(pool, size, loop->fibers.stacks.how);
    pool->next = loop->more_fibers;
    loop->more_fibers = pool;
    return pool;
}

/* Gives a task its stack. A task that gets none, or that was cancelled before, ends here. */
static bool start_task(hr_loop *loop, struct hr__task *task)
{
    if (task->must_cancel) {
        hr__task_end_unstarted(task, -ECANCELED);
        return false;
    }
    struct hr__fibers *pool =
        task->stack_size ? fibers_of_size(loop, task->stack_size) : &loop->fibers;
    int r = pool ? 0 : hr_fail(-ENOMEM, "no memory");
    if (pool && !(task->fiber = hr__fiber_reuse(pool, task)))
        r = hr__fiber_new(pool, task, &task->fiber);
    if (r < 0) {
        hr__task_end_unstarted(task, r);
        return false;
    }
    return true;
}

struct hr__coro *hr__sched_find(hr_loop *loop)
{
    loop->current = NULL;
    for (struct hr__ready *entry; (entry = next_entry(loop)) && entry->run == hr__task_run;) {
        struct hr__task *task = hr__sched_take(loop, entry);
        if (!task->fiber && !start_task(loop, task))
            continue;
        if (hr_unlikely(loop->slow_slice))
            hr__slice_mark(loop, hr__task_name(task));
        return hr__sched_go_on(loop, task);
    }
    if (hr_unlikely(loop->slow_slice))
        hr__slice_mark(loop, NULL);
    return &loop->main;
}

static __attribute__((noinline)) void suspend_anyhow(hr_loop *loop, struct hr__coro *self)
{
    struct hr__coro *next = hr__sched_find(loop);
    if (next != self)
        hr__coro_switch(self, next);
}

void hr__sched_suspend(hr_loop *loop, struct hr__task *task)
{
    struct hr__fiber *self = task->fiber;
    self->saved_errno = *loop->errno_place;
    struct hr__coro *next = hr__sched_next(loop);
    if (hr_unlikely(!next))
        suspend_anyhow(loop, &self->coro);
    else if (next != &self->coro)
        hr__coro_switch(&self->coro, next);
}

/* Marks the entries that are tasks, and runs one from the loop's own stack. */
void hr__task_run(struct hr__ready *entry, bool drop)
{
    if (drop) /* left when the loop closed: it never runs again */
        return;
    hr_loop *loop = hr_container_of(entry, struct hr__task, ready)->future.loop;
    struct hr__coro *next = hr__sched_find(loop);
    if (next == &loop->main)
        return;
    loop->away = true;
    hr__coro_switch(&loop->main, next);
    loop->away = false;
}

/* Where a callback goes on after the task that it started: never run, but found in front. */
static void callback_goes_on(struct hr__ready *entry, bool drop) {}

void hr__sched_start(hr_loop *loop, struct hr__task *child)
{
    struct hr__task *self = loop->current;
    struct hr__ready back = {.run = callback_goes_on};

    if (!self && loop->away) { /* a destructor, on a stack that has no task any more */
        hr__ready_append(&loop->ready, &child->ready);
        return;
    }
    struct hr__ready *then = self ? &self->ready : &back;
    then->next = loop->pass;
    child->ready.next = then;
    loop->pass = &child->ready;
    if (self) {
        hr__sched_suspend(loop, self);
    } else {
        hr__task_run(&child->ready, false);
        loop->pass = back.next;
    }
}

static void run_pass(hr_loop *loop)
{
    for (struct hr__ready *entry; (entry = next_entry(loop));) {
        if (entry->run == hr__task_run) {
            hr__task_run(entry, false);
            continue;
        }
        loop->pass = entry->next;
        loop->slices++;
        if (hr_unlikely(loop->slow_slice))
            hr__slice_mark(loop, "a callback");
        entry->run(entry, false);
        if (hr_unlikely(loop->slow_slice))
            hr__slice_mark(loop, NULL);
    }
}

void hr__sched_drop(hr_loop *loop)
{
    while (loop->ready.first) {
        for (struct hr__ready *next, *entry = hr__ready_take_all(&loop->ready); entry;
             entry = next) {
            next = entry->next;
            entry->run(entry, true);
        }
    }
}

void hr__sched_run(hr_loop *loop)
{
    do {
        plan_look(loop, hr__poll(loop));
        loop->pass = hr__sched_begin_pass(loop);
        run_pass(loop);
    } while (!loop->stopping);
    loop->stopping = false;
}
