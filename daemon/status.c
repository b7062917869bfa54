/* SPDX-License-Identifier: MIT */
#include "daemon/status.h"

#include <stdio.h>

#include "daemon/log.h"

const char *job_state_name(enum job_state state)
{
    static const char *const names[] = {
        [JOB_RUNNING] = "running",
        [JOB_PAUSED] = "paused",
        [JOB_WAITING] = "waiting",
        [JOB_FULL] = "dead letters full",
        [JOB_MISCONFIGURED] = "misconfigured",
        [JOB_STOPPED] = "stopped",
    };
    return names[state];
}

static enum speaker find_gravest(const struct status *status)
{
    enum speaker gravest = 0;
    for (enum speaker i = 1; i < SPEAKERS; i++) {
        if (status->says[i].state > status->says[gravest].state)
            gravest = i;
    }
    return gravest;
}

static void log_state(const struct status *status)
{
    const struct statement *gravest = &status->says[status->gravest];
    enum job_state state = status_state(status);
    const char *reason = status_reason(status);
    if (reason[0])
        log_job(state >= JOB_MISCONFIGURED ? LOG_ERR : LOG_WARNING, status->job, gravest->class,
                "%s: %s", job_state_name(state), reason);
    else
        log_job(LOG_INFO, status->job, gravest->class, "%s", job_state_name(state));
}

void status_say(struct status *status, enum speaker speaker, enum job_state state,
                enum error_class class, const char *reason)
{
    enum job_state before = status_state(status);
    struct statement *said = &status->says[speaker];
    said->state = state;
    said->class = class;
    snprintf(said->reason, sizeof(said->reason), "%s", reason ? reason : "");
    status->gravest = find_gravest(status);
    if (status_state(status) != before)
        log_state(status);
}

void status_say_error(struct status *status, enum speaker speaker, enum job_state state, int code)
{
    char text[HR_ERROR_MESSAGE_MAX];
    error_describe(code, hr_last_error(), text, sizeof(text));
    status_say(status, speaker, state, error_classify(code, hr_last_error()), text);
}

void status_works(struct status *status, enum speaker speaker)
{
    if (status_said(status, speaker) != JOB_RUNNING)
        status_say(status, speaker, JOB_RUNNING, CLASS_UNKNOWN, NULL);
}

void status_stop(struct status *status)
{
    bool said = status_state(status) == JOB_STOPPED;
    status->stopped = true;
    if (!said)
        log_state(status);
}

enum job_state status_state(const struct status *status)
{
    return status->stopped ? JOB_STOPPED : status->says[status->gravest].state;
}

const char *status_reason(const struct status *status)
{
    const struct statement *gravest = &status->says[status->gravest];
    return status->stopped && gravest->state != JOB_STOPPED ? "" : gravest->reason;
}

bool status_healthy(const struct status *status)
{
    return status_state(status) <= JOB_PAUSED;
}
