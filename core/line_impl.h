/* SPDX-License-Identifier: MIT */
/*
 * Waiting in a line and being called, inline for the busiest primitives. Inside core/ only.
 */
#pragma once

#include "core/debug.h"
#include "core/line.h"
#include "core/park.h"

/* As hr__line_wait(). */
static inline hr_async int hr__line_wait_inline(struct hr__line *line, const char *what,
                                                bool *ret_turn)
{
    struct hr__task *task = hr__task_running();

    *ret_turn = false;
    if (hr_unlikely(!task))
        return hr_fail(HR_ENOTASK, "only a task can wait");
    int r = hr_likely(line->loop == hr__loop_running) ? 0 : hr__line_settle(line, what);
    if (r == 0)
        r = hr__task_take_cancel(task);
    if (hr_unlikely(r < 0))
        return r;
    struct hr__waiter waiter = {.task = &task->future};
    hr_list_append(&line->waiters, &waiter.link);
    r = hr__park_quietly(task, &waiter, what);
    *ret_turn = waiter.woken && waiter.result == 0;
    return r;
}

/* As hr__line_call(), where somebody waits; who stands in a line was not called yet. */
static inline void hr__line_call_first(struct hr__line *line, int result)
{
    if (hr__wrong_thread(line->loop))
        hr__debug_end("a wake-up", line);
    hr__wake_first(hr_list_entry(line->waiters.next, struct hr__waiter, link), result);
}
