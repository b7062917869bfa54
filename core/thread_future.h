/* SPDX-License-Identifier: MIT */
/*
 * A handle that a thread can block on, from the inside: the part that is the same for a task of a
 * loop (submit.c) and a job of an executor (executor_submit.c). Inside core/ only.
 */
#pragma once

#include <stdatomic.h>

#include "core/submit.h"
#include "core/task_impl.h"

struct hr__thread_callback;

enum {
    HR__TF_DONE = 1,    /* the outcome is written before */
    HR__TF_NOTICED = 2, /* somebody has had the lock: whoever completes it takes it, too */
};

struct hr__thread_future_ops {
    int (*may_wait)(hr_thread_future *future);      /* 0, or why that would never end, recorded */
    bool (*cancel)(hr_thread_future *future);       /* false: it is over, or goes on anyway */
    const char *(*state)(hr_thread_future *future); /* of one that is not done */
    void (*free)(hr_thread_future *future);         /* the struct around it */
};

/* The first member of a larger struct. */
struct hr_thread_future {
    atomic_uint refs;   /* the handles', and that of whoever completes it */
    atomic_uchar state; /* HR__TF_… */
    bool settled; /* with its lock held, as the callbacks: they have run, and one that is added
                     runs at once */
    int status;
    const struct hr__thread_future_ops *ops;
    struct hr__thread_callback *callbacks; /* newest first */
    union { /* nobody may read the name once it can be completed: it is the outcome then */
        struct hr__outcome {
            void *value; /* once it is done: with the lock held */
            hr_free_fn *free_value;
            struct hr_error *error; /* on the heap; NULL with a code < 0: memory was out */
        } outcome;
        char name[HR__TASK_NAME_MAX]; /* of a task that has not begun */
    };
};

/* With two references: the caller's, and the one that completing gives back. */
void hr__thread_future_init(hr_thread_future *future, const struct hr__thread_future_ops *ops);

/* Whether it is not done yet; then whoever completes it waits, before he goes on, until the lock is
 * free. Never held over a call of the user's. */
bool hr__thread_future_lock(hr_thread_future *future);
void hr__thread_future_unlock(hr_thread_future *future);

/* In debug mode: -EDEADLK where a loop runs in this thread. */
int hr__thread_may_block(void);

/* Makes it done, once; its outcome was written before, or is this error. Runs the callbacks. */
void hr__thread_future_complete(hr_thread_future *future);
void hr__thread_future_fail(hr_thread_future *future, int code, const char *why);
