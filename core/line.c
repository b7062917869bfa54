/* SPDX-License-Identifier: MIT */
/*
 * Records of the waiting tasks, in a list in the order of coming.
 */
#include "core/line.h"

#include "core/park.h"

/* The line is of the loop whose task is the first to wait there. */
__attribute__((noinline)) int hr__line_settle(struct hr__line *line, const char *what)
{
    if (line->loop == hr__loop_running)
        return 0;
    if (line->loop)
        return hr_fail(HR_EWRONGLOOP, "tasks of another loop wait for %s", what);
    line->loop = hr__loop_running;
    return 0;
}

int hr__line_wait(struct hr__line *line, const char *what, bool *ret_turn)
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

bool hr__line_call(struct hr__line *line, int result)
{
    if (hr__line_empty(line))
        return false;
    hr__demand_own_thread(line->loop, "waiting tasks are called");
    hr__wake(hr_list_entry(line->waiters.next, struct hr__waiter, link), result);
    return true;
}

void hr__line_call_all(struct hr__line *line, int result)
{
    while (hr__line_call(line, result))
        ;
}
