/* SPDX-License-Identifier: MIT */
/*
 * A job's life: workers take batches from its source until it is to end, and nothing is begun
 * while its sink does not work as configured.
 */
#pragma once

#include "daemon/budget.h"
#include "daemon/item/redact.h"
#include "daemon/sink/sink.h"
#include "daemon/solitude.h"
#include "daemon/source/source.h"
#include "daemon/stats.h"
#include "daemon/status.h"

/* Between two looks at a configuration that does not work. */
#define JOB_PROBE_EVERY hr_seconds(30)

struct job {
    const struct job_conf *conf;
    const char *instance, *host;
    struct redact redact; /* for dead letters on standard error */
    struct budget *budget;
    struct solitude *solitude;
    struct source *source;
    struct sink *sink;
    bool uses_env; /* a program mentions $job or $meta */
    struct job_stats stats;
    struct status status;
    unsigned most_items; /* of a batch: batch.rows, fewer while transactions take too long */

    struct hr_list held;          /* batches that we own */
    struct hr_lock turn;          /* whoever holds it waits for the next batch */
    struct hr_event able;         /* set while the configuration works */
    struct hr_event doubt;        /* set when the sink is to be probed again … */
    hr_usec ask_after;            /* … in so long */
    struct hr_event ending;       /* set when the job is to end */
    struct hr_futures workers;    /* tasks that handle batches; recovery is one of them */
    struct hr_futures attendants; /* tasks that go on as long as there are workers */
    hr_task *looking; /* waits for its source in a way that the end of the job may interrupt */
    bool stopping;
    int broken; /* the code its source failed with, or 0 */
};

/* Items in the batches that it holds. */
uint64_t job_held(const struct job *job);

/* Fills in a struct whose members up to solitude are set; source and sink belong to the job then.
 */
void job_init(struct job *job, const struct job_conf *conf, struct source *source,
              struct sink *sink);
void job_done(struct job *job);

/* Runs until it is drained (job_drain) or its source has ended; all its tasks are over then. 0, or
 * the code with which the source could not go on; what was begun before is finished all the same.
 */
hr_async int job_run(struct job *job);

/* Asks it to end: nothing is claimed any more, what is begun is finished, the rest handed back. A
 * second call with hurry cancels what still runs, because the grace is over. Does not wait. */
void job_drain(struct job *job, bool hurry);

/* Waits for so long, or until the job is to end. 0, HR_ESHUTDOWN, -ECANCELED. */
hr_async int job_nap(struct job *job, hr_usec span);

/* Around a wait of a source that the end of the job may interrupt: look_end() turns the
 * interruption into HR_ESHUTDOWN and passes any other result of the wait through. */
void job_look_begin(struct job *job);
int job_look_end(struct job *job, int result);

/* Waits until the configuration works, or the job is to end. Codes as job_nap(). */
hr_async int job_until_able(struct job *job);

/* The sink is not as the configuration has it, or its server is away: nothing is begun until a
 * probe, the next one after so long, says that it works. */
void job_doubt(struct job *job, hr_usec ask_after);
