/* SPDX-License-Identifier: MIT */
/*
 * The count of outstanding requests tells whose they are: what is above the count at entry, and is
 * not the scope's own, is foreign. A foreign request that was pending at entry is delivered inside,
 * so it counts as one that came inside.
 */
#include "core/request.h"

#include <stdio.h>

#include "core/error_impl.h"
#include "core/loop_impl.h"
#include "core/place.h"

int hr__request_init(struct hr__request *request, const char *name, const void *site)
{
    struct hr__task *task = hr__task_running();
    if (!task)
        return hr_fail(HR_ENOTASK, "%s outside of a task", name);

    *request = (struct hr__request){
        .task = &task->future,
        .before =
            task->cancelling - ((task->must_cancel & HR__CANCEL_ASKED) && task->cancelling > 0),
        .outer = task->scope.name,
        .outer_site = task->scope.site,
    };
    task->scopes++;
    task->scope = (struct hr__scope){name, site};
    return 0;
}

/* The names of those around it are kept in it, not looked up in them: who forgets to leave one has
 * given up its memory. */
void hr__request_over(struct hr__request *request)
{
    struct hr__task *task = hr__task(request->task);
    task->scopes--;
    task->scope = (struct hr__scope){request->outer, request->outer_site};
}

void hr__request_misused(const char *call)
{
    char how[160];
    snprintf(how, sizeof(how),
             "%s: by a task that has not entered it, or before a scope inside it was left", call);
    hr__misused(how);
}

void hr__task_ended_inside(struct hr__task *task)
{
    char place[HR__PLACE_MAX];
    if (task->scopes)
        fprintf(stderr,
                "headrace: task %s ended inside %s of %s: each way out of a scope has to leave "
                "it\n",
                hr__task_name(task), task->scope.name,
                hr__place_text(task->scope.site, place, sizeof(place)));
    else
        fprintf(stderr, "headrace: task %s ended inside hr_shield_enter()\n", hr__task_name(task));
    abort();
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
