/* SPDX-License-Identifier: MIT */
/*
 * Shields: waiting that a cancel of the waiter does not spread from, and scopes that it does not
 * enter.
 */
#include "core/park.h"
#include "core/timeout.h"
#include "core/wait.h"

int hr_shield(hr_future *future)
{
    int r = hr__wait_done(future, HR_FOREVER, "a shielded future");
    if (r == 0)
        r = hr_await(future);
    hr_future_unref(future);
    return r;
}

void hr_shield_enter(void)
{
    hr_task *task = hr_current_task();
    if (task)
        hr__task_hold_cancels(task, true);
}

void hr_shield_leave(void)
{
    hr_task *task = hr_current_task();
    if (task)
        hr__task_hold_cancels(task, false);
}
