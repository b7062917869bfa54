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
 *
 * Every way out has to pass leave: children that outlive their scope would count into memory that
 * has become somebody else's, so a task that ends inside a group ends the program, which says where
 * the group was entered. Where there may be a return in between,
 *     hr_auto(hr_task_group_done) struct hr_task_group group = { 0 };
 * leaves it by itself.
 */
#pragma once

#include "core/list.h"
#include "core/loop.h"
#include "core/request.h"

struct hr__waiter;

/* Starts with { 0 } and stays where it is from enter to leave; may be entered again afterwards. */
struct hr_task_group {
    struct hr__request request;        /* the group's own cancel of the body */
    struct hr_task_group *outer;       /* that the task had entered before; NULL: none */
    struct hr_list children;           /* unfinished, not asked to end yet */
    struct hr_list starting;           /* those whose starter waits until they are ready */
    size_t running, failures;          /* children; failures count the body's own as well */
    struct hr_error error;             /* the first failure, or the fatal one */
    struct hr_error *members, *last;   /* all failures, in order */
    char quotes[HR_ERROR_MESSAGE_MAX]; /* what failed and why, as far as it fits */
    bool cut;                          /* members are missing for want of memory */
    struct hr__waiter *exit;           /* leave() while it waits */
    bool entered, leaving;
    bool ending_all; /* no more children are taken */
    bool stopped;    /* hr_task_group_cancel() was called */
    bool sent;       /* a child that failed or was cancelled had sent a request */
};

/* 0; HR_ENOTASK; -EBUSY: it is entered. */
HR_PUBLIC int hr_task_group_enter(struct hr_task_group *group);

/* Spawns a child. The handle is borrowed and valid until the child is over: take a reference to
 * read its value later. May be called from other tasks of the loop, until the last child is over
 * while leave waits. NULL when memory is out (-ENOMEM), when the group is ending or was not entered
 * (HR_ESHUTDOWN), see the record; arg then stays the caller's. */
HR_PUBLIC hr_task *hr_task_group_spawn(struct hr_task_group *group, const char *name,
                                       hr_task_fn *fn, void *arg);

/* Spawns a child and waits until it says that it is ready, by hr_task_group_ready(): 0, with the
 * value that it said in *ret_value (NULL: not wanted), and the child is one like others from then
 * on. A child that ends before is no failure of the group:
 *   its error     it failed
 *   HR_EBROKEN    it returned without being ready
 *   -ECANCELED    the running task was cancelled; the child was, too, and is over or will be
 *   HR_ESHUTDOWN · -ENOMEM · HR_ENOTASK    as hr_task_group_spawn(); arg stays the caller's */
HR_PUBLIC hr_async int hr_task_group_start(struct hr_task_group *group, const char *name,
                                           hr_task_fn *fn, void *arg, void **ret_value);

/* Called by a child of hr_task_group_start(): whoever started it goes on, with that value, which is
 * his. 0; HR_EINVALIDSTATE, and value stays the caller's, when nobody waits for it: said twice, an
 * ordinary child, or a group that is not entered. */
HR_PUBLIC int hr_task_group_ready(struct hr_task_group *group, void *value);

/* Ends the group early: cancels the children and the body's next suspension, and is no error. By
 * any task or callback of the loop; without effect on a group that is not entered. */
HR_PUBLIC void hr_task_group_cancel(struct hr_task_group *group);

/* Waits for all children. code is how the body ended: a negative one cancels the children. Returns
 * code when no child failed (0 for a body that hr_task_group_cancel() cut short), or
 *   HR_EGROUP    children failed: the record counts the failures, the body's own included, and
 *                quotes them as far as they fit; the first one, with native and kind, is the cause.
 *                All are its members (core/error.h), each with its child's name as the task
 *   HR_EFATAL    as it came from a child
 *   -ECANCELED   the task was cancelled and nobody failed. When somebody did, the cancel comes at
 *                the next suspension
 *   -EINVAL      not entered, by another task, or before a group that was entered later */
HR_PUBLIC hr_async int hr_task_group_leave(struct hr_task_group *group, int code);

/* For hr_auto(): leaves a group that is entered, and does nothing to one that was left or never
 * entered. It cancels the children and waits for them; the function returns what it was about to,
 * and its error record stays. The error of a child is reported; a cancel that comes meanwhile is
 * delivered at the next suspension. By another task, or before a group inside, it ends the program.
 */
HR_PUBLIC void hr_task_group_done(struct hr_task_group *group);
