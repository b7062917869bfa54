/* SPDX-License-Identifier: MIT */
/*
 * The count of outstanding requests tells whose they are: what is above the count at entry, and is
 * not the scope's own, is foreign. A foreign request that was pending at entry is delivered inside,
 * so it counts as one that came inside.
 */
#include "core/request.h"

#include "core/loop_impl.h"

int hr__request_init(struct hr__request *request, const char *what)
{
    struct hr__task *task = hr__task_running();
    if (!task)
        return hr_fail(HR_ENOTASK, "%s: entered outside of a task", what);

    *request = (struct hr__request){
        .task = &task->future,
        .before =
            task->cancelling - ((task->must_cancel & HR__CANCEL_ASKED) && task->cancelling > 0),
    };
    return 0;
}

void hr__request_make(struct hr__request *request, const char *reason)
{
    if (!request->made)
        request->made = hr_task_cancel(request->task, reason);
}

bool hr__request_settle(struct hr__request *request)
{
    struct hr__task *task = hr__task(request->task);

    if (!request->made)
        return task->cancelling > request->before;
    request->made = false;
    if (hr_task_uncancel(request->task) > request->before)
        return true;
    /* It is nobody's but ours: the code after the scope never sees it. */
    task->must_cancel &= HR__CANCEL_STANDS;
    return false;
}
