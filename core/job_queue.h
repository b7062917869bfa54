/* SPDX-License-Identifier: MIT */
/*
 * The queue of an executor: any thread adds to it without a lock, who takes from it has one. Inside
 * core/ only.
 *
 * New jobs come in over a lock-free stack; whoever has the lock moves them, in the order they came,
 * to the end of the queue proper.
 */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>

#include "core/list.h"

/* A job, embedded in a larger struct. Exactly one of these happens to a job that was submitted: it
 * is run, dropped, or removed. */
struct hr__job {
    struct hr_list link;
    void (*run)(struct hr__job *job);  /* in a thread of the executor */
    void (*drop)(struct hr__job *job); /* in the thread that frees the executor */
    bool queued;                       /* under the executor's lock */
};

#define HR__JOBS_LINE 64 /* who adds and who takes have a cache line each */

struct hr__jobs {
    alignas(HR__JOBS_LINE) _Atomic(struct hr_list *) incoming; /* newest first, linked by next;
                                                                  closed: the queue's head */
    alignas(HR__JOBS_LINE) struct hr_list queue;
    atomic_size_t count; /* of the queue; written with the lock held */
};

static inline void hr__jobs_init(struct hr__jobs *jobs)
{
    jobs->incoming = NULL;
    jobs->count = 0;
    hr_list_init(&jobs->queue);
}

/* False: closed. Needs no lock. */
static inline bool hr__jobs_add(struct hr__jobs *jobs, struct hr__job *job)
{
    struct hr_list *newest = atomic_load(&jobs->incoming);
    do {
        if (newest == &jobs->queue)
            return false;
        job->link.next = newest;
    } while (!atomic_compare_exchange_weak(&jobs->incoming, &newest, &job->link));
    return true;
}

/* Whether it is worth while to take the lock: there are jobs, or it is closed. */
static inline bool hr__jobs_changed(struct hr__jobs *jobs)
{
    return jobs->incoming || jobs->count > 0;
}

/* The others are called with the lock held. */

/* Whether jobs are still to be moved. */
static inline bool hr__jobs_incoming(struct hr__jobs *jobs)
{
    struct hr_list *newest = atomic_load(&jobs->incoming);
    return newest && newest != &jobs->queue;
}

/* Nobody else writes it: no need for a locked instruction. */
static inline void hr__jobs_set_count(struct hr__jobs *jobs, size_t count)
{
    atomic_store_explicit(&jobs->count, count, memory_order_relaxed);
}

/* Moves what came in to the end of the queue; with close, for the last time. */
static inline void hr__jobs_move(struct hr__jobs *jobs, bool close)
{
    struct hr_list *where = &jobs->queue, *next;
    size_t n = 0;
    struct hr_list *node = atomic_exchange(&jobs->incoming, close ? &jobs->queue : NULL);
    for (; node; node = next) {
        next = node->next;
        hr_list_insert_before(where, node);
        hr_list_entry(node, struct hr__job, link)->queued = true;
        where = node;
        n++;
    }
    if (n > 0)
        hr__jobs_set_count(jobs, jobs->count + n);
}

static inline void hr__jobs_remove(struct hr__jobs *jobs, struct hr__job *job)
{
    hr_list_remove(&job->link);
    job->queued = false;
    hr__jobs_set_count(jobs, jobs->count - 1);
}

/* The oldest one that was moved, of one at least. */
static inline struct hr__job *hr__jobs_take(struct hr__jobs *jobs)
{
    struct hr__job *job = hr_list_entry(jobs->queue.next, struct hr__job, link);
    hr__jobs_remove(jobs, job);
    return job;
}

/* All that were moved, to an empty list. */
static inline void hr__jobs_take_all(struct hr__jobs *jobs, struct hr_list *list)
{
    hr_list_foreach (node, &jobs->queue)
        hr_list_entry(node, struct hr__job, link)->queued = false;
    hr_list_splice(list, &jobs->queue);
    hr__jobs_set_count(jobs, 0);
}
