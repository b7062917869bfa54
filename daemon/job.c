/* SPDX-License-Identifier: MIT */
/*
 * Workers take turns at waiting: one asks for the next batch while the others are busy with theirs,
 * so the claim of the next batch overlaps with the insert of the last, and an item that comes into
 * an idle list is taken by the one that waits for it, without a hop.
 */
#include "daemon/job.h"

#include <stdio.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/plural.h"
#include "daemon/process.h"
#include "daemon/retry.h"

/* Between two looks at a configuration that does not work. */
#define PROBE_EVERY hr_seconds(30)

/* What a hand-back may take when the grace is over. */
#define LAST_WORDS hr_seconds(2)

const char *job_state_name(enum job_state state)
{
    static const char *const names[] = {
        [JOB_RUNNING] = "running",
        [JOB_WAITING] = "waiting",
        [JOB_PAUSED] = "paused",
        [JOB_FULL] = "dead letters full",
        [JOB_MISCONFIGURED] = "misconfigured",
        [JOB_STOPPED] = "stopped",
    };
    return names[state];
}

static const char foreign_text[] =
    "batches wait that were claimed for another sink or delivery: run the configuration they were "
    "claimed under until they are done";

void job_set_state(struct job *job, enum job_state state, enum error_class class, const char *text)
{
    if (state == JOB_RUNNING && job->foreign > 0) {
        state = JOB_MISCONFIGURED;
        class = CLASS_CONFIG;
        text = foreign_text;
    }
    if (job->state == JOB_STOPPED ||
        (job->state == state && strcmp(job->reason, text ? text : "") == 0))
        return;
    bool changed = job->state != state;
    job->state = state;
    snprintf(job->reason, sizeof(job->reason), "%s", text ? text : "");
    if (!changed)
        return;
    if (text)
        log_job(state == JOB_MISCONFIGURED ? LOG_ERR : LOG_WARNING, job->conf->name, class,
                "%s: %s", job_state_name(state), text);
    else
        log_job(LOG_INFO, job->conf->name, class, "%s", job_state_name(state));
}

void job_set_state_error(struct job *job, enum job_state state, int code)
{
    char text[HR_ERROR_MESSAGE_MAX];
    error_describe(code, hr_last_error(), text, sizeof(text));
    job_set_state(job, state, error_classify(code, hr_last_error()), text);
}

void job_set_foreign(struct job *job, uint64_t batches)
{
    job->foreign = batches;
    bool was_said = strcmp(job->reason, foreign_text) == 0;
    if (batches > 0 ? job->state == JOB_RUNNING : was_said)
        job_set_state(job, JOB_RUNNING, CLASS_UNKNOWN, NULL);
}

bool job_healthy(const struct job *job)
{
    return job->state == JOB_RUNNING || job->state == JOB_PAUSED;
}

uint64_t job_held(const struct job *job)
{
    uint64_t items = 0;
    hr_list_foreach (node, &job->held) {
        items += hr_list_entry(node, struct batch, link)->n;
    }
    return items;
}

/* A sink or a queue waits for its server (code < 0), or works again. */
static void server_changed(void *cookie, int code)
{
    struct job *job = cookie;
    if (code < 0)
        job_set_state_error(job, JOB_WAITING, code);
    else
        job_set_state(job, JOB_RUNNING, CLASS_UNKNOWN, NULL);
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
    sink->changed = server_changed;
    sink->cookie = job;
    if (source->queue) {
        source->queue->changed = server_changed;
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

/* The sink or its server is not as the configuration has it: nothing is begun until it is. */
static void disable(struct job *job)
{
    if (!job->stopping)
        hr_event_clear(&job->able);
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
            job_set_state(job, JOB_RUNNING, CLASS_UNKNOWN, NULL);
            hr_event_set(&job->able);
            r = hr_event_wait(&job->doubt);
            if (r >= 0)
                r = job_nap(job, PROBE_EVERY);
        } else if (error_is_outage(error_classify(r, hr_last_error()))) {
            job_set_state(job, JOB_WAITING, error_classify(r, hr_last_error()),
                          hr_error_message(r));
            r = job_nap(job, hr_backoff_next(&outage));
        } else {
            job_set_state_error(job, JOB_MISCONFIGURED, r);
            disable(job);
            r = job_nap(job, PROBE_EVERY);
        }
        if (r < 0)
            return r;
    }
}

/* Decides a batch: 0 and every item's fate is final, or a code and nothing was done. */
static int decide(struct job *job, struct batch *batch)
{
    struct sink *sink = job->sink;
    if (batch->generation > 1 && sink->ops->ask) {
        enum ledger_answer answer;
        int r = sink->ops->ask(sink, batch, &answer);
        if (r < 0)
            return r;
        if (batch->learned)
            return 0;
    }
    if (batch->crashes >= job->conf->retry.crash_limit) {
        if (batch->n > 1)
            return sink->ops->commit(sink, batch, VERDICT_SPLIT);
        retry_bury_crashed(batch);
    } else {
        int r = process_batch(job, batch);
        if (r < 0)
            return r;
        size_t held = batch_memory(batch);
        budget_adjust(job->budget, batch->charged, held);
        batch->charged = held;
    }
    batch_settle(batch);
    if (job->stopping && batch_is_kept(batch) && !batch->begun)
        return SINK_STOPPED;
    return sink->ops->commit(sink, batch, VERDICT_ITEMS);
}

/* An error that no table knows met the whole batch: it counts as an attempt of each of its items.
 */
static int decide_again(struct job *job, struct batch *batch, int code)
{
    struct failure failure;
    failure_set(&failure, error_class_name(CLASS_UNKNOWN), hr_last_error()->native, "%s",
                hr_error_message(code));
    for (size_t i = 0; i < batch->n; i++) {
        if (batch->items[i].fate == FATE_LIVE)
            retry_or_bury(job->conf, batch, i, &failure);
    }
    batch_settle(batch);
    return job->sink->ops->commit(job->sink, batch, VERDICT_ITEMS);
}

/* How long items waited from their first claim to their final outcome. Those without an envelope
 * were claimed with the batch. */
static void count_waits(struct job_stats *stats, const struct batch *batch)
{
    uint64_t fresh = 0;
    for (size_t i = 0; i < batch->n; i++) {
        if (batch->items[i].fate == FATE_RETRY)
            continue;
        if (batch->items[i].envelope)
            histogram_add(&stats->item_wait, hr_walltime() - 1000 * batch_first_seen(batch, i), 1);
        else
            fresh++;
    }
    histogram_add(&stats->item_wait, hr_now() - batch->came, fresh);
}

static void count_items(struct job *job, const struct batch *batch)
{
    struct job_stats *stats = &job->stats;
    if (!batch->split)
        count_waits(stats, batch);
    if (batch->generation == 1)
        stats->taken += batch->n - batch->n_envelopes;
    for (size_t i = 0; i < batch->n && !batch->split; i++) {
        const struct item *item = &batch->items[i];
        stats->ok += item->fate == FATE_LIVE;
        stats->dropped += item->fate == FATE_DROPPED;
        stats->duplicate += item->fate == FATE_DUPLICATE;
        stats->retried += item->fate == FATE_RETRY;
        stats->dead += item->fate == FATE_DEAD;
        if (item->fate == FATE_DEAD)
            stats->dead_by_class[error_class_named(item->failure->error_class)]++;
    }
}

static void count(struct job *job, const struct batch *batch, hr_usec took)
{
    struct job_stats *stats = &job->stats;
    count_items(job, batch);
    stats->batches_ok++;
    stats->ledger_hits += batch->learned;
    stats->batch_rows = (unsigned)batch->n;
    stats->last_progress = (double)hr_walltime() / 1e6;
    histogram_add(&stats->sink_duration, took, 1);
}

/* Half of a batch meeting errors that nobody knows is not the items' fault. */
static bool suspicious(const struct batch *batch)
{
    size_t unknown = 0;
    for (size_t i = 0; i < batch->n; i++) {
        const struct item *item = &batch->items[i];
        unknown += item->fate == FATE_RETRY &&
                   error_class_named(item->failure->error_class) == CLASS_UNKNOWN;
    }
    return unknown >= 10 && unknown * 2 > batch->n;
}

static int give_back(struct job *job, struct batch *batch)
{
    if (batch->stale || !job->source->ops->give_back)
        return 0;
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, job->stopping ? LAST_WORDS : HR_FOREVER);
    if (r >= 0)
        r = hr_timeout_leave(&limit, job->source->ops->give_back(job->source, batch));
    if (r < 0)
        log_job(LOG_WARNING, job->conf->name, CLASS_CONNECTION,
                "batch %s could not be handed back (%s); it is taken over when its lease is over",
                batch->id, hr_error_text(r));
    else
        job->stats.handed_back++;
    return r;
}

/* Has the source carry out what was decided. What it cannot do stays for the next owner, or is lost
 * where there is none: nobody else would tell. */
static int finish(struct job *job, struct batch *batch)
{
    int r = job->source->ops->finish ? job->source->ops->finish(job->source, batch) : 0;
    if (r >= 0 || r == -ECANCELED)
        return r;
    char text[HR_ERROR_MESSAGE_MAX];
    error_describe(r, hr_last_error(), text, sizeof(text));
    enum error_class class = error_classify(r, hr_last_error());
    job->stats.batches_failed[class]++;
    log_job(LOG_ERR, job->conf->name, class, "batch %s is decided but not acknowledged: %s; %s",
            batch->id, text,
            batch_is_kept(batch) ? "again when its lease is over" : "its dead letters are lost");
    return r;
}

/* A batch that nobody keeps for another attempt: what did not go in becomes dead letters, unless a
 * COMMIT of unknown outcome may have taken it in. */
static void bury(struct job *job, struct batch *batch, int code)
{
    if (batch->unknown && job->conf->delivery == AT_MOST_ONCE) {
        size_t live = batch_count(batch, FATE_LIVE);
        log_job(LOG_WARNING, job->conf->name, CLASS_CONNECTION,
                "batch %s: whether its %zu %s in is not known; nothing of it is tried again",
                batch->id, live, plural(live, "item is", "items are"));
        return;
    }
    struct failure failure;
    failure_set(&failure, error_class_name(error_classify(code, hr_last_error())),
                hr_last_error()->native, "not taken in: %s",
                code == SINK_STOPPED ? "the job has ended" : hr_error_message(code));
    for (size_t i = 0; i < batch->n; i++) {
        if (batch->items[i].fate == FATE_LIVE)
            batch_fail(batch, i, FATE_DEAD, &failure);
    }
    count_items(job, batch);
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, job->stopping ? LAST_WORDS : HR_FOREVER);
    if (r >= 0)
        r = hr_timeout_leave(&limit, finish(job, batch));
    if (r < 0)
        log_job(LOG_WARNING, job->conf->name, CLASS_CONNECTION, "batch %s is lost: %s", batch->id,
                hr_error_text(r));
}

/* A batch that was not decided: who is at fault, and what becomes of it. */
static int undecided(struct job *job, struct batch *batch, int code)
{
    enum error_class class = error_classify(code, hr_last_error());
    if (code == SINK_NOT_OURS)
        return batch->collided ? finish(job, batch) : 0;
    bool kept = batch_is_kept(batch);
    if (code != SINK_STOPPED && code != -ECANCELED && (kept || !error_is_outage(class))) {
        job->stats.batches_failed[class]++;
        job_set_state_error(job, JOB_MISCONFIGURED, code);
        disable(job);
    }
    if (kept)
        give_back(job, batch);
    else
        bury(job, batch, code);
    return code == -ECANCELED ? code : 0;
}

/* Errors that no table knows; those of a batch, not of an item. */
static bool unexplained(int code)
{
    return code < 0 && code != -ECANCELED && code != SINK_NOT_OURS && code != SINK_STOPPED &&
           error_classify(code, hr_last_error()) == CLASS_UNKNOWN;
}

int job_handle(struct job *job, struct batch *batch)
{
    hr_list_append(&job->held, &batch->link);
    hr_usec began = hr_now();
    int r = decide(job, batch);
    if (unexplained(r))
        r = decide_again(job, batch, r);
    if (r < 0) {
        r = undecided(job, batch, r);
    } else {
        bool doubtful = suspicious(batch);
        count(job, batch, hr_now() - began);
        r = finish(job, batch);
        if (doubtful) {
            job_set_state(job, JOB_MISCONFIGURED, CLASS_UNKNOWN,
                          "more than half of a batch met errors of class unknown");
            disable(job);
        }
    }
    hr_list_remove(&batch->link);
    budget_adjust(job->budget, batch->charged, 0);
    batch_free(batch);
    return r == -ECANCELED ? r : 0;
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
        r = job_handle(job, batch);
        solitude_leave(job->solitude);
    } while (r >= 0);
    if (r == HR_EEND)
        job_drain(job, false);
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
    job_set_state(job, JOB_STOPPED, CLASS_UNKNOWN, NULL);
    return r < 0 ? r : ended;
}

void job_drain(struct job *job, bool hurry)
{
    job->stopping = true;
    job->sink->stopping = true;
    hr_event_set(&job->ending);
    hr_event_set(&job->able);
    if (job->looking)
        hr_task_cancel(job->looking, "the job is to end");
    for (size_t i = 0; hurry && i < job->workers.count; i++)
        hr_future_cancel(job->workers.items[i], "the grace is over");
}
