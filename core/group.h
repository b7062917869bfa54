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

#include "core/loop.h"

struct hr_task_group {
    hr_task *parent;
    struct hr__group_member *members; /* unfinished children, then the failed ones */
    size_t running, failures;
    struct hr_error error;         /* the first failure, a record of its own */
    hr_future *idle;               /* completed when the last child ends while the exit waits */
    bool entered, aborting, asked; /* asked: the group's own cancel of the parent is outstanding */
};

/* 0, HR_ENOTASK or -EBUSY. */
HR_PUBLIC int hr_task_group_enter(struct hr_task_group *group);

/* Spawns a child; the handle is borrowed, valid until the group is left. May be called from other
 * tasks of the loop. NULL when memory is out, when the group is aborting or left: see the record.
 */
HR_PUBLIC hr_task *hr_task_group_spawn(struct hr_task_group *group, const char *name,
                                       hr_task_fn *fn, void *arg);

/* Ends the group early: cancels the children and is no error. */
HR_PUBLIC void hr_task_group_cancel(struct hr_task_group *group);

/* Waits for all children. code is how the body ended: a negative one cancels the children. Returns
 * code when nobody failed; HR_EGROUP when children did (the record counts them and quotes the
 * first; its native and kind stay readable as the cause); -ECANCELED when the parent was cancelled
 * and nobody failed. */
HR_PUBLIC hr_async int hr_task_group_leave(struct hr_task_group *group, int code);
