/* SPDX-License-Identifier: MIT */
/*
 * What the admin server tells about jobs, and the pause by hand.
 */
#include <event2/buffer.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/admin.h"
#include "daemon/app.h"

/* The job's state and why. A pause lies in Redis: once it is taken back there, by whomever, the job
 * is not paused, although it looks there only once a second. */
static void put_state(struct evbuffer *to, const struct status *status,
                      const struct queue_counts *counts)
{
    enum job_state state = status_state(status);
    bool over = state == JOB_PAUSED && counts && !counts->paused;
    const char *reason = over ? "" : status_reason(status);
    evbuffer_add_printf(
        to, ",\"state\":\"%s\",\"reason\":", job_state_name(over ? JOB_RUNNING : state));
    admin_put_string(to, reason, strlen(reason));
}

static void put_job(struct evbuffer *to, const struct job *job, const struct queue_counts *counts)
{
    const struct job_stats *stats = &job->stats;
    evbuffer_add_printf(to, "{\"name\":");
    admin_put_string(to, job->conf->name, strlen(job->conf->name));
    put_state(to, &job->status, counts);
    evbuffer_add_printf(to, ",\"healthy\":%s,\"held\":%" PRIu64,
                        status_healthy(&job->status) ? "true" : "false", job_held(job));
    if (counts)
        evbuffer_add_printf(to,
                            ",\"ready\":%" PRIu64 ",\"leased\":%" PRIu64 ",\"delayed\":%" PRIu64
                            ",\"dead\":%" PRIu64 ",\"paused\":%s",
                            counts->ready, counts->leased, counts->delayed, counts->dead,
                            counts->paused ? "true" : "false");
    evbuffer_add_printf(
        to,
        ",\"claimed\":%" PRIu64 ",\"finished\":{\"ok\":%" PRIu64 ",\"dropped\":%" PRIu64
        ",\"duplicate\":%" PRIu64 ",\"dead\":%" PRIu64 "},\"retried\":%" PRIu64
        ",\"recovered\":%" PRIu64 ",\"ledger_hits\":%" PRIu64 ",\"handed_back\":%" PRIu64
        ",\"last_progress\":%.3f",
        stats->claimed, stats->ok, stats->dropped, stats->duplicate, stats->dead, stats->retried,
        stats->recovered, stats->ledger_hits, stats->handed_back, stats->last_progress);
    /* Which rows of headrace_ledger are this job's: those of former lists have to be told apart. */
    const struct app_job *whole = hr_container_of(job, struct app_job, job);
    if (job->conf->delivery == EXACTLY_ONCE)
        evbuffer_add_printf(to, ",\"ledger_queue\":\"%s\"", whole->sweep.ledger.queue);
    evbuffer_add_printf(to, "}");
}

/* The counts of a job's list in Redis; NULL where it has none, or Redis does not answer. */
static const struct queue_counts *ask_counts(const struct job *job, struct queue_counts *counts)
{
    if (job->conf->source.kind != SOURCE_REDIS_LIST)
        return NULL;
    return queue_count(job->source->queue, counts) < 0 ? NULL : counts;
}

static int get_jobs(struct admin_call *call)
{
    evbuffer_add_printf(call->answer, "{\"instance\":");
    admin_put_string(call->answer, call->app->settings->instance,
                     strlen(call->app->settings->instance));
    evbuffer_add_printf(call->answer, ",\"jobs\":[");
    for (size_t i = 0; i < call->app->n_jobs; i++) {
        const struct job *job = &call->app->jobs[i].job;
        struct queue_counts counts;
        const struct queue_counts *known = ask_counts(job, &counts);
        if (i > 0)
            evbuffer_add(call->answer, ",", 1);
        put_job(call->answer, job, known);
    }
    evbuffer_add_printf(call->answer, "]}\n");
    return 200;
}

static int get_job(struct admin_call *call)
{
    struct queue_counts counts;
    put_job(call->answer, call->job, ask_counts(call->job, &counts));
    evbuffer_add(call->answer, "\n", 1);
    return 200;
}

static int set_pause(struct admin_call *call, bool paused)
{
    if (call->job->conf->source.kind != SOURCE_REDIS_LIST)
        return admin_refuse(call, 400, "job %s has no list in Redis that could be paused",
                            call->job->conf->name);
    int r = queue_pause(call->job->source->queue, paused);
    return r < 0 ? r : get_job(call);
}

static int pause_job(struct admin_call *call)
{
    return set_pause(call, true);
}

static int resume_job(struct admin_call *call)
{
    return set_pause(call, false);
}

const struct admin_route admin_job_routes[] = {
    {"GET",  "/jobs",             get_jobs,   false},
    {"GET",  "/jobs/NAME",        get_job,    false},
    {"POST", "/jobs/NAME/pause",  pause_job,  false},
    {"POST", "/jobs/NAME/resume", resume_job, false},
    {NULL,   NULL,                NULL,       false},
};
