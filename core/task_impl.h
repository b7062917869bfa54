/* SPDX-License-Identifier: MIT */
/*
 * A task from the inside. Inside core/ only.
 */
#pragma once

#include "core/future_impl.h"
#include "core/ready.h"
#include "core/task.h"
#include "core/timer.h"

#define HR__TASK_NAME_MAX 24

struct hr__fiber;
struct hr__locals;
struct hr_task_group;
struct hr__waiter;

/* A scope by its name, and where its enter returns to. */
struct hr__scope {
    const char *name;
    const void *site;
};

/* Why the next suspension gives -ECANCELED; 0: it does not. */
enum {
    HR__CANCEL_ASKED = 1,  /* a request waits to be delivered, once */
    HR__CANCEL_STANDS = 2, /* the task is in a cancelled scope: delivered each time */
};

#define HR__TASK_RARE     8
#define HR__TASK_END_WORD 1

/* What a sleep, a wait and a wake touch stands together, in two or three cache lines. */
struct hr__task {
    struct hr_future future;
    struct hr__locals *locals; /* its own values; NULL: none */
    bool in_cancel;            /* a request is on its way down through it */
    bool reached;              /* asked since this was last set to false */
    hr_task_fn *fn;
    void *arg;
    struct hr__timer nap; /* of hr_sleep(), which a task is in once at most: core/sleep.c */
    struct hr__ready ready;
    const char *waits_for;     /* a literal, while it is parked: see hr__task_waits_for() */
    hr_usec since;             /* when it was parked or spawned */
    struct hr__fiber *fiber;   /* its stack; NULL before the first slice and after the end */
    struct hr__waiter *parked; /* what it waits with; NULL while it runs or is on its way to */
    /* What most tasks never have. A spare struct has none of it. */
    union {
        struct {
            unsigned cancelling;       /* requests outstanding */
            unsigned short standing;   /* cancelled scopes that it is in */
            unsigned char patient;     /* depth of waits that only a new request may interrupt */
            unsigned char must_cancel; /* HR__CANCEL_… */
            /* What the end of a task looks at, in a word: HR__TASK_END_WORD. */
            unsigned short shielded; /* depth of shielded scopes: no cancel is delivered in one */
            unsigned char scopes;    /* timeouts, groups and cancel scopes that it is in, mod 256 */
            bool mortal;             /* its struct is not kept for the next one */
            unsigned close_round; /* the round of the loop's closing that cancelled it; 0: none */
            struct hr_task_group *group; /* the innermost one that it has entered; NULL: none */
            hr_free_fn *free_arg;
            size_t stack_size;            /* 0: the loop's default */
            char name[HR__TASK_NAME_MAX]; /* "" until somebody asks for a generated one */
        };
        uint64_t rare[HR__TASK_RARE]; /* all of that, to be looked at in a moment */
    };
    const void *site;       /* where the call that has made it returns to */
    uint64_t number;        /* for the generated name */
    struct hr_list all;     /* in the loop's list of unfinished tasks, in spawn order */
    struct hr__scope scope; /* the innermost of its scopes, while it is in one */
};

/* The task behind a handle. */
static inline struct hr__task *hr__task(const hr_future *handle)
{
    return hr_container_of(handle, struct hr__task, future);
}

/* What it waits for, in words. */
static inline const char *hr__task_waits_for(const struct hr__task *task)
{
    if (!task->fiber)
        return "its first turn";
    return task->parked ? task->waits_for : "its turn";
}

/* For calls that make tasks by others: the task (NULL: none), as one made where they return to. */
static inline hr_task *hr__task_made_at(hr_task *task, const void *site)
{
    if (task)
        hr__task(task)->site = site;
    return task;
}

/* Its name, given or generated. */
const char *hr__task_name(struct hr__task *task);

/* Asks every task of the loop to end, each once: who is asked passes it on to whom he waits for. */
void hr__task_cancel_all(hr_loop *loop, const char *reason);

/* Takes the pending cancel, if one may be delivered now: then -ECANCELED, told in the record. */
int hr__task_deliver_cancel(struct hr__task *task);
static inline int hr__task_take_cancel(struct hr__task *task)
{
    return hr_likely(!task->must_cancel) ? 0 : hr__task_deliver_cancel(task);
}

/* Whether the task (NULL: there is none) may wait for the future: 0, or a code of hr_await(). */
int hr__await_check(hr_future *future, struct hr__task *task);

/* The ready queue's entry of a task; fibers compare with it. */
void hr__task_run(struct hr__ready *entry, bool drop);

/* Ends the program, as the body of that task returned inside a scope. core/request.c. */
_Noreturn void hr__task_ended_inside(struct hr__task *task);

/* Ends a task that never got a stack. */
void hr__task_end_unstarted(struct hr__task *task, int code);
