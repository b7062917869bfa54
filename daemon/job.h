/* SPDX-License-Identifier: MIT */
/*
 * A job's life: batches come from its source, are processed, committed to its sink, finished.
 */
#pragma once

#include "daemon/budget.h"
#include "daemon/sink/sink.h"
#include "daemon/solitude.h"
#include "daemon/source/source.h"
#include "daemon/stats.h"

enum job_state {
    JOB_RUNNING,
    JOB_WAITING,       /* for a server; goes on by itself */
    JOB_PAUSED,        /* by hand, for all daemons */
    JOB_FULL,          /* the dead letters are at their limit */
    JOB_MISCONFIGURED, /* the statement or the grants are wrong; asked again every 30 s */
    JOB_STOPPED,       /* drained, or its source has ended */
};

struct job {
    const struct job_conf *conf;
    const char *instance, *host;
    struct budget *budget;
    struct solitude *solitude;
    struct source *source;
    struct sink *sink;
    bool uses_env; /* a program mentions $job or $meta */
    struct job_stats stats;

    enum job_state state;
    char reason[HR_ERROR_MESSAGE_MAX]; /* why it is not running; never data of items */
    uint64_t foreign; /* abandoned batches that only another configuration can finish */

    struct hr_list held;          /* batches that we own */
    struct hr_lock turn;          /* whoever holds it waits for the next batch */
    struct hr_event able;         /* set while the configuration works */
    struct hr_event doubt;        /* set when the sink is to be probed again */
    struct hr_event ending;       /* set when the job is to end */
    struct hr_futures workers;    /* tasks that handle batches; recovery is one of them */
    struct hr_futures attendants; /* tasks that go on as long as there are workers */
    hr_task *looking; /* waits for its source in a way that the end of the job may interrupt */
    bool stopping;
};

/* "running", "waiting", … for status and logs. */
const char *job_state_name(enum job_state state);

/* Sets the state and the reason (text may be NULL), and logs a change once. */
void job_set_state(struct job *job, enum job_state state, enum error_class class, const char *text);

/* As job_set_state(), with what the running task's error record tells about code. */
void job_set_state_error(struct job *job, enum job_state state, int code);

/* Notes how many abandoned batches were claimed for another sink or delivery. While there are any,
 * the job does its own work and is unhealthy, as nobody does theirs. */
void job_set_foreign(struct job *job, uint64_t batches);

/* A job that works: running, waiting for nothing but items. For /readyz and /healthz. */
bool job_healthy(const struct job *job);

/* Items in the batches that it holds. */
uint64_t job_held(const struct job *job);

/* Fills in a struct whose members up to solitude are set; source and sink belong to the job then.
 */
void job_init(struct job *job, const struct job_conf *conf, struct source *source,
              struct sink *sink);
void job_done(struct job *job);

/* Runs until it is drained (job_drain) or its source has ended; all its tasks are over then. 0. */
hr_async int job_run(struct job *job);

/* Asks it to end: nothing is claimed any more, what is begun is finished, the rest handed back. A
 * second call with hurry cancels what still runs, because the grace is over. Does not wait. */
void job_drain(struct job *job, bool hurry);

/* Takes a batch through its stages and frees it: decode, steps, commit, finish; whatever happens,
 * it is decided, handed back, or left to its next owner. Called by workers and by recovery. Returns
 * 0, or -ECANCELED. */
hr_async int job_handle(struct job *job, struct batch *batch);

/* Waits for so long, or until the job is to end. 0, HR_ESHUTDOWN, -ECANCELED. */
hr_async int job_nap(struct job *job, hr_usec span);

/* Around a wait of a source that the end of the job may interrupt: look_end() turns the
 * interruption into HR_ESHUTDOWN and passes any other result of the wait through. */
void job_look_begin(struct job *job);
int job_look_end(struct job *job, int result);

/* Waits until the configuration works, or the job is to end. Codes as job_nap(). */
hr_async int job_until_able(struct job *job);
