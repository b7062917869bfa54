/* SPDX-License-Identifier: MIT */
/*
 * A watch on each child counts it out. The first failure asks all others and the body to
 * end, once; the exit takes the request to the body back.
 */
#include "core/group.h"

#include <stdio.h>
#include <string.h>

#include "core/error_impl.h"
#include "core/park.h"

struct child {
    struct hr_list link;
    struct hr__watch watch;
    struct hr_task_group *group;
    hr_task *task;           /* a reference */
    struct starter *starter; /* who waits until it is ready; NULL: nobody */
};

/* A task in hr_task_group_start(), with what it waits for. */
struct starter {
    struct hr_list link; /* in the group's list */
    struct hr__waiter waiter;
    struct child *child; /* NULL: over, or ready */
    void *value;
    bool ready;
};

int hr_task_group_enter(struct hr_task_group *group)
{
    if (group->entered)
        return hr_fail(-EBUSY, "task group: entered already");

    *group = (struct hr_task_group){0};
    int r = hr__request_init(&group->request, "hr_task_group_enter()", __builtin_return_address(0));
    if (r < 0)
        return r;
    struct hr__task *task = hr__task(group->request.task);
    group->outer = task->group;
    task->group = group;
    group->entered = true;
    hr_list_init(&group->children);
    hr_list_init(&group->starting);
    return 0;
}

/* Asks everybody to end: the children, each once, and the body, unless it has reached the exit. */
static void end_all(struct hr_task_group *group, const char *reason)
{
    group->ending_all = true;
    for (struct hr_list *node; (node = hr_list_pop(&group->children));)
        hr_task_cancel(hr_list_entry(node, struct child, link)->task, reason);
    if (!group->leaving)
        hr__request_make(&group->request, reason);
}

/* Puts a failure behind the others, under the child's name. */
static void add_member(struct hr_task_group *group, const char *who, const struct hr_error *error)
{
    struct hr_error *member = hr__error_dup(error);
    if (!member) {
        group->cut = true;
        return;
    }
    snprintf(member->task, sizeof member->task, "%s", who);
    if (group->last)
        group->last->next = member;
    else
        group->members = member;
    group->last = member;
}

static void add_failure(struct hr_task_group *group, const char *who, const struct hr_error *error)
{
    size_t used = strlen(group->quotes);

    snprintf(group->quotes + used, sizeof group->quotes - used, "%s%s: %s", used ? "; " : "", who,
             error->message);
    add_member(group, who, error);
    if (group->failures++ == 0 || error->code == HR_EFATAL) {
        hr_error_done(&group->error);
        hr_error_copy(&group->error, error);
    }
}

static void child_over(struct hr__watch *watch)
{
    struct child *child = hr_container_of(watch, struct child, watch);
    struct hr_task_group *group = child->group;
    hr_task *task = child->task;
    struct starter *starter = child->starter;

    hr_list_remove(&child->link);
    free(child);
    group->running--;
    group->sent |= hr__future_has_sent(task);
    if (starter) {
        starter->child = NULL;
        hr__wake(&starter->waiter, 0);
    } else if (hr__future_peek(task) < 0 && !hr_future_cancelled(task)) {
        add_failure(group, hr_task_name(task), hr_future_error(task));
        end_all(group, "another task of the group failed");
    }
    if (group->running == 0 && group->exit)
        hr__wake(group->exit, 0);
    hr_future_unref(task);
}

static struct child *spawn(struct hr_task_group *group, const char *name, hr_task_fn *fn, void *arg)
{
    if (!group->entered || group->ending_all) {
        hr_fail(HR_ESHUTDOWN, "task group: %s", group->entered ? "ending" : "not entered");
        return NULL;
    }
    struct child *child = malloc(sizeof *child);
    if (!child) {
        hr_fail(-ENOMEM, "task group: no memory for a child");
        return NULL;
    }
    *child = (struct child){.watch.done = child_over, .group = group};
    child->task = hr_create_task(name, fn, arg);
    if (!child->task) {
        free(child);
        return NULL;
    }
    hr_list_append(&group->children, &child->link);
    hr__future_watch(child->task, &child->watch);
    group->running++;
    return child;
}

hr_task *hr_task_group_spawn(struct hr_task_group *group, const char *name, hr_task_fn *fn,
                             void *arg)
{
    struct child *child = spawn(group, name, fn, arg);
    return child ? hr__task_made_at(child->task, __builtin_return_address(0)) : NULL;
}

/* Waits until the child is ready or over. A cancel goes on to it; true when there was one. */
static bool wait_until_ready(struct starter *starter)
{
    bool cancelled = false;

    while (starter->child) {
        if (hr__park(&starter->waiter, "a task to be ready") == 0)
            continue;
        if (!cancelled)
            hr__be_patient(true);
        cancelled = true;
        if (starter->child)
            hr_task_cancel(starter->child->task, "the task that started it was cancelled");
        (void)hr__waiter_init(&starter->waiter);
    }
    if (cancelled)
        hr__be_patient(false);
    return cancelled;
}

int hr_task_group_start(struct hr_task_group *group, const char *name, hr_task_fn *fn, void *arg,
                        void **ret_value)
{
    struct starter starter = {0};
    int r = hr__waiter_init(&starter.waiter);
    if (r < 0)
        return r;
    struct child *child = starter.child = spawn(group, name, fn, arg);
    if (!child)
        return hr_last_error()->code;
    child->starter = &starter;
    hr__task_made_at(child->task, __builtin_return_address(0));
    hr_auto(hr_future_unrefp) hr_task *task = hr_future_ref(child->task);
    hr_list_append(&group->starting, &starter.link);
    bool cancelled = wait_until_ready(&starter);
    hr_list_remove(&starter.link);

    if (cancelled) {
        if (starter.ready)
            hr_task_cancel(task, "the task that started it was cancelled");
        else
            (void)hr_future_status(task); /* nobody's but the starter's to read */
        return hr_fail(-ECANCELED, "cancelled while waiting for %s to be ready",
                       hr_task_name(task));
    }
    if (!starter.ready) {
        r = hr__future_receive(task);
        return r < 0 ? r : hr_fail(HR_EBROKEN, "%s ended before it was ready", hr_task_name(task));
    }
    if (ret_value)
        *ret_value = starter.value;
    return 0;
}

int hr_task_group_ready(struct hr_task_group *group, void *value)
{
    if (!group->entered)
        return hr_fail(HR_EINVALIDSTATE, "the group is not entered");
    hr_task *task = hr_current_task();
    hr_list_foreach (node, &group->starting) {
        struct starter *starter = hr_list_entry(node, struct starter, link);
        if (!starter->child || starter->child->task != task)
            continue;
        starter->ready = true;
        starter->value = value;
        starter->child->starter = NULL;
        starter->child = NULL;
        hr__wake(&starter->waiter, 0);
        return 0;
    }
    return hr_fail(HR_EINVALIDSTATE, "nobody waits until this task is ready");
}

void hr_task_group_cancel(struct hr_task_group *group)
{
    if (!group->entered)
        return;
    group->stopped = true;
    end_all(group, "the group was cancelled");
}

/* Waits for the last child. A cancel goes on to the children, once; true when there was one. */
static bool wait_for_children(struct hr_task_group *group)
{
    bool cancelled = false;

    while (group->running > 0) {
        struct hr__waiter waiter;
        int r = hr__waiter_init(&waiter);
        hr_assert(r == 0);
        group->exit = &waiter;
        r = hr__park(&waiter, "the tasks of its group");
        group->exit = NULL;
        if (r < 0) {
            if (!cancelled)
                hr__be_patient(true);
            cancelled = true;
            end_all(group, "the task that waits for its group was cancelled");
        }
    }
    if (cancelled)
        hr__be_patient(false);
    return cancelled;
}

/* The error that comes out when children failed. */
static int raise_failures(struct hr_task_group *group)
{
    if (group->error.code == HR_EFATAL)
        return hr_error_raise(&group->error);
    /* A group that failed is among the members with its own: not twice. */
    hr__error_free(hr_take(group->error.members));
    hr_error_raise(&group->error);
    hr_fail_because(HR_EGROUP, "%zu failed in a group: %s", group->failures, group->quotes);
    return hr__error_adopt(hr_take(group->members), group->cut);
}

static int outcome(struct hr_task_group *group, int code, bool cancelled)
{
    bool body_failed = code < 0 && code != -ECANCELED;
    bool foreign = hr__request_settle(&group->request);

    if (group->failures == 0) {
        if (cancelled && code != -ECANCELED)
            return hr_fail(-ECANCELED, "cancelled while waiting for the tasks of a group");
        return code == -ECANCELED && group->stopped && !foreign ? 0 : code;
    }
    /* A cancel that the error hides is not lost. */
    if (foreign)
        hr__task(group->request.task)->must_cancel |= HR__CANCEL_ASKED;
    return group->failures > body_failed ? raise_failures(group) : hr_error_raise(&group->error);
}

int hr_task_group_leave(struct hr_task_group *group, int code)
{
    if (!group->entered || group->request.task != hr_current_task())
        return hr_fail(-EINVAL, "task group: left by a task that has not entered it");
    struct hr__task *task = hr__task(group->request.task);
    if (task->group != group)
        return hr_fail(-EINVAL, "task group: left before one that was entered later");

    group->leaving = true;
    if (code < 0 && code != -ECANCELED) {
        struct hr_error bare = {.code = code};
        const struct hr_error *error = hr_last_error();
        add_failure(group, "the body", error->code == code ? error : &bare);
    }
    if (code < 0)
        end_all(group, "the body of the group ended with an error");

    /* Our own request must not interrupt the wait for the children. */
    hr__request_settle(&group->request);
    bool cancelled = wait_for_children(group);
    group->entered = false;
    task->group = group->outer;
    hr__request_over(&group->request);

    int r = outcome(group, code, cancelled);
    if (r < 0 && group->sent)
        hr__error_note_sent();
    hr_error_done(&group->error);
    hr__error_free(hr_take(group->members));
    return r;
}

/* Its own request is settled inside; one that comes while the children end is somebody else's and
 * goes on, as the caller returns what it was about to. */
void hr_task_group_done(struct hr_task_group *group)
{
    if (!group->entered)
        return;
    hr_auto(hr_error_done) struct hr_error before = {0};
    hr_error_copy(&before, hr_last_error());
    struct hr__task *task = hr__task(group->request.task);
    unsigned asked = task->cancelling - group->request.made;
    int r = hr_task_group_leave(group, -ECANCELED);
    if (group->entered)
        hr__request_misused("hr_task_group_done()");
    if (task->cancelling > asked)
        task->must_cancel |= HR__CANCEL_ASKED;
    if (r < 0 && r != -ECANCELED)
        hr__report(task->future.loop, "a group was left on an early way out, and its error with it",
                   hr_last_error(), hr__task_name(task));
    hr_error_raise(&before);
}
