/* SPDX-License-Identifier: MIT */
/*
 * A task group: tasks that all end before the scope that spawned them does.
 *
 *     struct hr_task_group group = { 0 };
 *     hr_task_group_enter(&group);
 *     hr_task_group_spawn(&group, "reader", reader, &r);
 *     int r = something();
 *     r = hr_task_group_leave(&group, r);
 *
 * A child that fails cancels its siblings and the body; a cancelled child affects nobody.
 */
#pragma once

#include "core/list.h"
#include "core/loop.h"
#include "core/request.h"

struct hr__waiter;

/* Starts with { 0 } and stays where it is from enter to leave; may be entered again afterwards. */
struct hr_task_group {
    struct hr__request request;        /* the group's own cancel of the body */
    struct hr_list children;           /* unfinished, not asked to end yet */
    struct hr_list ending;             /* unfinished, cancelled by the group */
    size_t running, failures;          /* children; failures count the body's own as well */
    struct hr_error error;             /* the first failure, or the fatal one */
    char quotes[HR_ERROR_MESSAGE_MAX]; /* what failed and why, as far as it fits */
    struct hr__waiter *exit;           /* leave() while it waits */
    bool entered, leaving;
    bool ending_all; /* no more children are taken */
    bool stopped;    /* hr_task_group_cancel() was called */
};

/* 0, HR_ENOTASK or -EBUSY. */
HR_PUBLIC int hr_task_group_enter(struct hr_task_group *group);

/* Spawns a child. The handle is borrowed and valid until the child is over: take a reference to
 * read its value later. May be called from other tasks of the loop, until the last child is over
 * while leave waits. NULL when memory is out (-ENOMEM), when the group is ending or was not entered
 * (HR_ESHUTDOWN), see the record; arg then stays the caller's. */
HR_PUBLIC hr_task *hr_task_group_spawn(struct hr_task_group *group, const char *name,
                                       hr_task_fn *fn, void *arg);

/* Ends the group early: cancels the children and the body's next suspension, and is no error. */
HR_PUBLIC void hr_task_group_cancel(struct hr_task_group *group);

/* Waits for all children. code is how the body ended: a negative one cancels the children. Returns
 * code when no child failed (0 for a body that hr_task_group_cancel() cut short), or
 *   HR_EGROUP    children failed: the record counts the failures, the body's own included, and
 *                quotes them as far as they fit; the first one, with native and kind, is the cause
 *   HR_EFATAL    as it came from a child
 *   -ECANCELED   the task was cancelled and nobody failed. When somebody did, the cancel comes at
 *                the next suspension
 *   -EINVAL      not entered, or by another task */
HR_PUBLIC hr_async int hr_task_group_leave(struct hr_task_group *group, int code);
