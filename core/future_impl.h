/* SPDX-License-Identifier: MIT */
/*
 * A future from the inside. Inside core/ only.
 */
#pragma once

#include "core/future.h"
#include "core/list.h"

struct hr__waiter;

/* HR__GONE: a task's whose last reference was given back, until its struct serves another one. */
enum hr__future_state { HR__PENDING, HR__FINISHED, HR__CANCELLED, HR__GONE };

struct hr_future {
    hr_loop *loop;
    unsigned refs;
    unsigned char state;
    bool is_task;
    bool error_seen; /* somebody read it: no report */
    bool marked;     /* a walk over several futures has been here; false between calls */
    int status;      /* ≥ 0, or the error's code */
    bool sent;       /* of a cancelled one: a request had left for a server */
    void *value;
    hr_free_fn *free_value; /* NULL once the value was taken */
    /* On the heap; NULL with a code < 0: memory was out. Of a cancelled one what tells of the
     * request that was sent, or NULL. */
    struct hr_error *error;
    char *cancel_reason;
    struct hr__waiter *awaiter; /* the task that waits alone, or came first; NULL: none such */
    struct hr_list watches;     /* of who came after, or waits otherwise, in that order */
};

/* How it ended, without counting as somebody who read the error. */
static inline int hr__future_peek(const hr_future *future)
{
    return future->state == HR__PENDING ? -EAGAIN : future->status;
}

/* Gives a reference back: hr_future_unref() for those who have one. */
void hr__future_free(hr_future *future);
static inline void hr__future_drop(hr_future *future)
{
    if (--future->refs == 0)
        hr__future_free(future);
}

/* The outcome as hr_await() returns it: a failed one's record becomes the running task's. */
int hr__future_receive(hr_future *future);

/* core/offload.c: whether a thread has begun the job that a pending future stands for. */
bool hr__job_begun(const hr_future *future);

/* For tasks: the common part of failing and cancelling. */
void hr__future_finish(hr_future *future, int status);
void hr__future_finish_cancelled(hr_future *future);
void hr__future_set_reason(hr_future *future, const char *reason);

/* Keeps of what a cancelled one failed with whether a request had been sent, for those who wait for
 * it: it may have been carried out. error may be NULL. */
void hr__future_keep_sent(hr_future *future, const struct hr_error *error);

/* Whether one that failed or was cancelled had sent a request. */
static inline bool hr__future_has_sent(const hr_future *future)
{
    return future->sent || (future->error && future->error->sent);
}
