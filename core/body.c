/* SPDX-License-Identifier: MIT */
/*
 * What runs on a fiber: the bodies of tasks, one after the other; and how a task ends.
 */
#include <string.h>

#include "core/greenlet_impl.h"
#include "core/local_impl.h"
#include "core/park.h"
#include "core/sched_impl.h"

_Static_assert(offsetof(struct hr__task, shielded) ==
                   offsetof(struct hr__task, rare) + HR__TASK_END_WORD * sizeof(uint64_t),
               "the word starts there");

/* In a scope, which would go on in memory that is no longer its own, or while the loop closes. */
static __attribute__((noinline)) void end_specially(struct hr__task *task)
{
    hr_loop *loop = task->future.loop;
    if (task->scopes || task->shielded)
        hr__task_ended_inside(task);
    if (task->close_round == loop->close_round && --loop->close_left == 0)
        hr__sched_stop(loop);
}

/* Completes a task that has left its stack, and lets go of the loop's reference. */
static inline __attribute__((always_inline)) void end(struct hr__task *task, int status)
{
    hr_loop *loop = task->future.loop;
    hr_list_unlink(&task->all);
    loop->task_count--;
    if (hr_unlikely(task->locals)) {
        hr__locals_unref(task->locals);
        task->locals = NULL;
    }
    if (hr_unlikely(task->rare[HR__TASK_END_WORD]))
        end_specially(task);
    if (hr_likely(status >= 0))
        hr__future_complete(&task->future, HR__FINISHED, status);
    else if (status == -ECANCELED)
        hr__future_finish_cancelled(&task->future);
    else
        hr__future_finish(&task->future, status);
    hr__future_drop(&task->future);
}

void hr__task_end_unstarted(struct hr__task *task, int code)
{
    if (code != -ECANCELED) {
        task->future.error = malloc(sizeof(struct hr_error));
        if (task->future.error)
            hr_error_copy(task->future.error, hr_last_error());
    }
    if (task->free_arg)
        task->free_arg(task->arg);
    end(task, code);
}

/* Moves the record, causes and all, from the fiber into the future. */
static void keep_error(struct hr__fiber *fiber, struct hr__task *task, int code)
{
    struct hr_error *record = &fiber->error;
    if (record->code != code)
        hr_fail_at(NULL, code, "%s", hr_error_text(code)); /* wherever that was */
    task->future.error = malloc(sizeof(*record));
    if (!task->future.error)
        return; /* the code alone has to do */
    *task->future.error = *record;
    record->cause = record->members = NULL;
}

/* A fatal error stops the loop, which will tell it. */
static void stop_for(hr_loop *loop, hr_future *future, int code)
{
    loop->fatal = code;
    hr_error_done(&loop->fatal_error);
    if (future->error)
        hr_error_copy(&loop->fatal_error, future->error);
    else
        loop->fatal_error = (struct hr_error){.code = code, .cut = true};
    future->error_seen = true;
    hr__sched_stop(loop);
}

/* What a body comes to that has failed or was asked to end. */
static __attribute__((noinline)) int judge(struct hr__fiber *fiber, struct hr__task *task,
                                           int status)
{
    if (status == -ECANCELED && fiber->error.code == status)
        hr__future_keep_sent(&task->future, &fiber->error);
    if (status >= 0 || status == -ECANCELED)
        return -ECANCELED; /* it had nothing left to wait for */
    keep_error(fiber, task, status);
    if (status == HR_EFATAL)
        stop_for(task->future.loop, &task->future, status);
    return status;
}

/* What a body has left on its fiber. */
static __attribute__((noinline)) void clean(struct hr__fiber *fiber)
{
    if (fiber->home)
        hr__home_leave(hr_take(fiber->home));
    hr_error_done(&fiber->error);
    fiber->error.code = 0;
    fiber->error.cut = false;
}

/* Runs the body, then completes the task and lets go of it. */
static inline void run(struct hr__fiber *fiber, struct hr__task *task)
{
    int status = task->fn(task->arg);
    if (hr_unlikely(status < 0 || task->must_cancel))
        status = judge(fiber, task, status);
    if (hr_unlikely(fiber->home || fiber->error.code))
        clean(fiber);
    task->fiber = NULL;
    fiber->loop->current = NULL;
    end(task, status);
}

/* Before it looks for what runs next it puts itself into the cache; if that is a task which has not
 * started yet, it takes itself out again and goes on without a switch, on a warm stack. It keeps
 * nothing in its frame that it would miss when it begins anew. */
void hr__fiber_main(void *arg)
{
    struct hr__fiber *fiber = arg;
    struct hr__coro *next = &fiber->coro;
    while (!fiber->leaving && next == &fiber->coro) {
        run(fiber, fiber->task);
        hr__fiber_put(fiber);
        next = hr__sched_next(fiber->loop);
        if (hr_unlikely(!next))
            next = hr__sched_find(fiber->loop);
    }
    if (hr_unlikely(fiber->leaving))
        hr__coro_exit(&fiber->coro, &fiber->loop->main);
    hr__coro_idle(&fiber->coro, next);
}
