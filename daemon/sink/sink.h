/* SPDX-License-Identifier: MIT */
/*
 * Where items end. One kind a file behind this vtable.
 *
 * Each hook runs in a task of the job's and may wait, unless it says otherwise. Hooks left NULL are
 * skipped.
 */
#pragma once

#include "daemon/batch.h"
#include "daemon/ledger.h"
#include "daemon/settings.h"

/* Codes of the hooks besides the drivers' own, on which error_classify() decides. */
enum {
    SINK_NOT_OURS = -2001, /* the batch is somebody else's now: drop it */
    SINK_STOPPED = -2002,  /* given up because of the drain: hand the batch back */
    SINK_LET_GO = -2003,   /* given up because others would wait with it: hand the batch back */
    SINK_TOO_SLOW = -2004, /* its rows take longer than a transaction may: fewer of them, or none */
};

struct sink;

struct sink_ops {
    const char *kind;
    /* Does it work as configured? 0, or a code of class config (the job pauses and asks again
     * later), or of an outage. Called before the first batch and while paused. */
    int (*probe)(struct sink *sink);
    /* What became of a batch that had an owner before us. Missing: nobody can know. */
    int (*ask)(struct sink *sink, struct batch *batch, enum ledger_answer *ret);
    /* Makes what was decided final: all live items go in, or the verdict alone. Returns 0 when it
     * is final, with each item's fate in the batch (an item that is still live went in); or a code
     * with nothing done. Waits out outages by wait(). */
    int (*commit)(struct sink *sink, struct batch *batch, enum verdict verdict);
    void (*free)(struct sink *sink); /* does not wait */
};

/* How the sink waits for its server before another attempt with a batch: tells why (the code, which
 * the running task's error record explains), and sleeps for so long. 0: try again; SINK_STOPPED,
 * SINK_LET_GO: give up; -ECANCELED. */
typedef int sink_wait(void *cookie, struct batch *batch, int code, hr_usec span);

struct sink {
    const struct sink_ops *ops;
    const struct job_conf *conf;
    sink_wait *wait;
    void *cookie;
};

/* The sink of a job with ledger rows named by queue; pool is NULL for kinds that need none. NULL:
 * no memory. */
struct sink *sink_mysql_new(const struct job_conf *conf, hr_mysql_pool *pool, const char *queue);
struct sink *sink_print_new(const struct job_conf *conf);

static inline struct sink *sink_free(struct sink *sink)
{
    if (sink)
        sink->ops->free(sink);
    return NULL;
}
