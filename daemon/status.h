/* SPDX-License-Identifier: MIT */
/*
 * What a job says about itself. Several speakers know a part of it each; what the gravest of them
 * says is the job's state, so nobody's good news hides another's trouble.
 */
#pragma once

#include "core/error.h"
#include "daemon/errors.h"

/* In order of gravity. */
enum job_state {
    JOB_RUNNING,
    JOB_PAUSED,        /* by hand, for all daemons */
    JOB_WAITING,       /* for a server; goes on by itself */
    JOB_FULL,          /* the dead letters are at their limit */
    JOB_MISCONFIGURED, /* the statement or the grants are wrong; asked again every 30 s */
    JOB_STOPPED,       /* drained, or its source has ended or failed: the last word */
};

enum speaker {
    SPEAKER_PROBE,    /* does the sink work as configured? */
    SPEAKER_SINK,     /* commits wait for their server */
    SPEAKER_SOURCE,   /* claims are answered, or not */
    SPEAKER_QUEUE,    /* acknowledgements, hand-backs and takeovers wait for Redis */
    SPEAKER_RECOVERY, /* abandoned batches that only another configuration can finish */
    SPEAKERS,
};

struct status {
    const char *job; /* its name, for the log */
    enum speaker gravest;
    bool stopped;
    struct statement {
        enum job_state state;
        enum error_class class;            /* for the log */
        char reason[HR_ERROR_MESSAGE_MAX]; /* never data of items */
    } says[SPEAKERS];
};

/* "running", "waiting", … for status and logs. */
const char *job_state_name(enum job_state state);

/* Replaces what the speaker said before; reason may be NULL. A change of the job's state is logged.
 */
void status_say(struct status *status, enum speaker speaker, enum job_state state,
                enum error_class class, const char *reason);

/* As status_say(), with what the running task's error record tells about code (< 0). */
void status_say_error(struct status *status, enum speaker speaker, enum job_state state, int code);

/* The speaker has no trouble (any more). */
void status_works(struct status *status, enum speaker speaker);

/* The job has ended: nothing that is said later counts. */
void status_stop(struct status *status);

enum job_state status_state(const struct status *status);

/* What the speaker said last. */
static inline enum job_state status_said(const struct status *status, enum speaker speaker)
{
    return status->says[speaker].state;
}

/* Why the job is not running; "" when it is, or has ended as it should. */
const char *status_reason(const struct status *status);

/* The job works, waiting for nothing but items or the hand that paused it. */
bool status_healthy(const struct status *status);
