/* SPDX-License-Identifier: MIT */
/*
 * Records of the waiting tasks, in a list in the order of coming.
 */
#include "core/line.h"

#include "core/debug.h"
#include "core/line_impl.h"

void hr__line_init(struct hr__line *line)
{
    hr_list_init(&line->waiters);
    line->loop = NULL;
    line->maker = hr__debugging() ? hr__loop_running : NULL;
}

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
    return hr__line_wait_inline(line, what, ret_turn);
}

bool hr__line_call(struct hr__line *line, int result)
{
    if (hr__line_empty(line))
        return false;
    hr__line_call_first(line, result);
    return true;
}

void hr__line_call_all(struct hr__line *line, int result)
{
    while (hr__line_call(line, result))
        ;
}
