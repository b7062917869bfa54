/* SPDX-License-Identifier: MIT */
/*
 * Workers take turns at waiting: one asks for the next batch while the others are busy with theirs,
 * so the claim of the next batch overlaps with the insert of the last, and an item that comes into
 * an idle list is taken by the one that waits for it, without a hop.
 */
#include "daemon/job.h"

#include "daemon/handle.h"

uint64_t job_held(const struct job *job)
{
    uint64_t items = 0;
    hr_list_foreach (node, &job->held) {
        items += hr_list_entry(node, struct batch, link)->n;
    }
    return items;
}

static void queue_changed(void *cookie, int code)
{
    struct job *job = cookie;
    if (code < 0)
        status_say_error(&job->status, SPEAKER_QUEUE, JOB_WAITING, code);
    else
        status_works(&job->status, SPEAKER_QUEUE);
}

static bool uses_env(const struct job_conf *conf)
{
    bool uses = false;
    for (size_t i = 0; i < conf->n_steps; i++)
        uses |= expr_uses_job(conf->steps[i].expr) || expr_uses_meta(conf->steps[i].expr);
    for (size_t i = 0; i < conf->sink.n_params; i++) {
        const struct expr *expr = conf->sink.params[i].expr;
        uses |= expr_uses_job(expr) || expr_uses_meta(expr);
    }
    return uses;
}

void job_init(struct job *job, const struct job_conf *conf, struct source *source,
              struct sink *sink)
{
    job->conf = conf;
    job->source = source;
    job->sink = sink;
    job->uses_env = uses_env(conf);
    job->most_items = conf->sink.batch_rows;
    job->status.job = conf->name;
    sink->wait = handle_sink_wait;
    sink->cookie = job;
    if (source->queue) {
        source->queue->changed = queue_changed;
        source->queue->cookie = job;
    }
    hr_list_init(&job->held);
    hr_lock_init(&job->turn);
    hr_event_init(&job->able);
    hr_event_init(&job->doubt);
    hr_event_init(&job->ending);
}

void job_done(struct job *job)
{
    hr_assert(hr_list_empty(&job->held));
    job->source = source_free(job->source);
    job->sink = sink_free(job->sink);
    hr_lock_done(&job->turn);
    hr_event_done(&job->able);
    hr_event_done(&job->doubt);
    hr_event_done(&job->ending);
}

int job_nap(struct job *job, hr_usec span)
{
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, span);
    if (r < 0)
        return r;
    r = hr_timeout_leave(&limit, hr_event_wait(&job->ending));
    return r == -ETIMEDOUT ? 0 : r < 0 ? r : HR_ESHUTDOWN;
}

void job_look_begin(struct job *job)
{
    job->looking = hr_current_task();
}

int job_look_end(struct job *job, int result)
{
    hr_task *task = job->looking;
    job->looking = NULL;
    if (!job->stopping || hr_task_uncancel(task) > 0)
        return result;
    return HR_ESHUTDOWN;
}

int job_until_able(struct job *job)
{
    int r = hr_event_wait(&job->able);
    return r < 0 ? r : job->stopping ? HR_ESHUTDOWN : 0;
}

void job_doubt(struct job *job, hr_usec ask_after)
{
    if (!job->stopping)
        hr_event_clear(&job->able);
    job->ask_after = ask_after;
    hr_event_set(&job->doubt);
}

/* Asks the sink whether it works, at the start and whenever there is doubt. */
static int probe(void *arg)
{
    struct job *job = arg;
    struct hr_backoff outage = {hr_ms(50), hr_seconds(5), 2, true, 0};
    for (;;) {
        int r = job->sink->ops->probe ? job->sink->ops->probe(job->sink) : 0;
        if (r == -ECANCELED)
            return r;
        if (r >= 0) {
            hr_backoff_reset(&outage);
            hr_event_clear(&job->doubt);
            hr_event_set(&job->able);
            status_works(&job->status, SPEAKER_PROBE);
            status_works(&job->status, SPEAKER_SINK);
            r = hr_event_wait(&job->doubt);
            if (r >= 0)
                r = job_nap(job, job->ask_after);
        } else if (error_is_outage(error_classify(r, hr_last_error()))) {
            status_say_error(&job->status, SPEAKER_PROBE, JOB_WAITING, r);
            r = job_nap(job, hr_backoff_next(&outage));
        } else {
            status_say_error(&job->status, SPEAKER_PROBE, JOB_MISCONFIGURED, r);
            job_doubt(job, JOB_PROBE_EVERY);
            r = job_nap(job, JOB_PROBE_EVERY);
        }
        if (r < 0)
            return r == HR_ESHUTDOWN ? 0 : r;
    }
}

static int next(struct job *job, struct batch **ret)
{
    int r = hr_lock_acquire(&job->turn);
    if (r < 0)
        return r;
    r = job_until_able(job);
    if (r >= 0)
        r = job->source->ops->next(job->source, ret);
    hr_lock_release(&job->turn);
    return r;
}

/* Its source can go on no longer: that is the end of the job, once what was begun is finished. */
static void source_failed(struct job *job, int code)
{
    job->broken = code;
    status_say_error(&job->status, SPEAKER_SOURCE, JOB_STOPPED, code);
    job_drain(job, false);
}

/* A worker: batch after batch until there are no more or the job is to end. How a batch fared was
 * dealt with where it happened, so ending is never an error. */
static int work(void *arg)
{
    struct job *job = arg;
    int r;
    do {
        struct batch *batch = NULL;
        r = next(job, &batch);
        if (r < 0)
            break;
        job->stats.claimed += batch->n;
        r = handle_batch(job, batch);
        solitude_leave(job->solitude);
    } while (r >= 0);
    if (r == HR_EEND)
        job_drain(job, false);
    else if (r != HR_ESHUTDOWN && r != -ECANCELED && !job->broken)
        source_failed(job, r);
    return 0;
}

static int recover(void *arg)
{
    struct job *job = arg;
    int r = job->source->ops->recover(job->source);
    return r == HR_ESHUTDOWN || r == -ECANCELED ? 0 : r;
}

static int attend(void *arg)
{
    struct job *job = arg;
    return job->source->ops->attend(job->source);
}

static void start(struct job *job)
{
    hr_futures_add(&job->attendants, hr_create_task("probe", probe, job));
    if (job->source->ops->attend)
        hr_futures_add(&job->attendants, hr_create_task("leases", attend, job));
    if (job->source->ops->recover)
        hr_futures_add(&job->workers, hr_create_task("recovery", recover, job));
    for (unsigned i = 0; i < job->conf->concurrency; i++)
        hr_futures_add(&job->workers, hr_create_task("worker", work, job));
}

int job_run(struct job *job)
{
    start(job);
    int r = hr_gather(&job->workers, HR_RETURN_ERRORS);
    for (size_t i = 0; i < job->attendants.count; i++)
        hr_future_cancel(job->attendants.items[i], NULL);
    int ended = hr_gather(&job->attendants, HR_RETURN_ERRORS);
    hr_futures_done(&job->workers);
    hr_futures_done(&job->attendants);
    status_stop(&job->status);
    return job->broken ? job->broken : r < 0 ? r : ended;
}

void job_drain(struct job *job, bool hurry)
{
    job->stopping = true;
    hr_event_set(&job->ending);
    hr_event_set(&job->able);
    if (job->looking)
        hr_task_cancel(job->looking, "the job is to end");
    for (size_t i = 0; hurry && i < job->workers.count; i++)
        hr_future_cancel(job->workers.items[i], "the grace is over");
}
