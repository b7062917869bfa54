/* SPDX-License-Identifier: MIT */
/*
 * Where items come from. One kind a file behind this vtable; claim and acknowledge are hidden
 * behind next and finish.
 *
 * Hooks run in tasks of the job's and may wait. next is called by one task at a time.
 */
#pragma once

#include "daemon/batch.h"
#include "daemon/queue.h"
#include "daemon/settings.h"

struct job;
struct source;

struct source_ops {
    const char *kind;
    /* Waits for a batch, which becomes the caller's, charged to the budget and with the company
     * joined (daemon/solitude.h). 0; HR_EEND: none will ever come; HR_ESHUTDOWN: the job is to end;
     * -ECANCELED. Outages are waited out; any other code means that it cannot go on. */
    int (*next)(struct source *source, struct batch **ret);
    /* Carries out what was decided about a batch. 0, or a code: its lease runs out, and the next
     * owner asks the ledger. Missing: nothing to do. */
    int (*finish)(struct source *source, struct batch *batch);
    /* Gives up a batch that was not decided. Missing: nothing to do. */
    int (*give_back)(struct source *source, struct batch *batch);
    /* Keeps what we hold while anything is held; ends when cancelled. Missing: nothing. */
    int (*attend)(struct source *source);
    /* Looks for batches whose owner is gone and handles them with job_handle(); ends by itself when
     * the job is to end. Missing: nothing. */
    int (*recover)(struct source *source);
    void (*free)(struct source *source); /* does not wait */
};

struct source {
    const struct source_ops *ops;
    struct job *job;
    struct queue *queue; /* NULL for kinds that have none */
};

/* The source of a job whose conf is set; takes the queue over on success. Lines have a queue only
 * for their dead letters, and none (NULL) when these go to standard error; their file is opened
 * here. NULL: the record says why. */
struct source *source_redis_list_new(struct job *job, struct queue *queue);
struct source *source_lines_new(struct job *job, struct queue *dead);

static inline struct source *source_free(struct source *source)
{
    if (source)
        source->ops->free(source);
    return NULL;
}
