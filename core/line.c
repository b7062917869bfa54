/* SPDX-License-Identifier: MIT */
/*
 * Records of the waiting tasks, in a list in the order of coming.
 */
#include "core/line.h"

int hr__line_wait(struct hr_list *line, const char *what, bool *ret_turn)
{
    struct hr__waiter waiter;

    *ret_turn = false;
    int r = hr__waiter_init(&waiter);
    if (r < 0)
        return r;
    hr_list_append(line, &waiter.link);
    r = hr__park(&waiter, what);
    *ret_turn = waiter.woken && waiter.result == 0;
    return r;
}

bool hr__line_call(struct hr_list *line, int result)
{
    if (hr_list_empty(line))
        return false;
    hr__wake(hr_list_entry(line->next, struct hr__waiter, link), result);
    return true;
}

void hr__line_call_all(struct hr_list *line, int result)
{
    while (hr__line_call(line, result))
        ;
}
