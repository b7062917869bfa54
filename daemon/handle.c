/* SPDX-License-Identifier: MIT */
#include "daemon/handle.h"

#include "daemon/item/plural.h"
#include "daemon/log.h"
#include "daemon/process.h"
#include "daemon/retry.h"

/* What a hand-back may take when the grace is over. */
#define LAST_WORDS hr_seconds(2)

/* Of a batch that is too much for a transaction. */
#define PARTS 10

/* A conflict is over in a moment; one that is not is trouble like any other. */
#define MOMENT hr_seconds(5)

int handle_sink_wait(void *cookie, struct batch *batch, int code, hr_usec span)
{
    struct job *job = cookie;
    enum error_class class = error_classify(code, hr_last_error());
    if (error_is_outage(class))
        job->stats.batches_failed[class]++;
    if (job->stopping)
        return SINK_STOPPED;
    if (class != CLASS_TRANSIENT || hr_now() - batch->came >= MOMENT)
        status_say_error(&job->status, SPEAKER_SINK, JOB_WAITING, code);
    if (!solitude_is_awaited(job->solitude))
        return hr_sleep(span);
    if (!batch_is_kept(batch)) /* so a crash is never blamed on it: it need not be let go */
        return solitude_pause(job->solitude, span);
    job_doubt(job, span);
    return SINK_LET_GO;
}

static int commit(struct job *job, struct batch *batch, enum verdict verdict)
{
    hr_usec began = hr_now();
    int r = job->sink->ops->commit(job->sink, batch, verdict);
    if (r >= 0)
        histogram_add(&job->stats.sink_duration, hr_now() - began, 1);
    return r;
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
            return commit(job, batch, VERDICT_SPLIT);
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
    return commit(job, batch, VERDICT_ITEMS);
}

/* Counts as an attempt of each item that is still live. */
static int fail_all(struct job *job, struct batch *batch, const struct failure *failure)
{
    for (size_t i = 0; i < batch->n; i++) {
        if (batch->items[i].fate == FATE_LIVE)
            retry_or_bury(job->conf, batch, i, failure);
    }
    batch_settle(batch);
    return commit(job, batch, VERDICT_ITEMS);
}

/* An error that no table knows met the whole batch. */
static int decide_again(struct job *job, struct batch *batch, int code)
{
    struct failure failure;
    failure_set(&failure, error_class_name(CLASS_UNKNOWN), hr_last_error()->native, "%s",
                hr_error_message(code));
    return fail_all(job, batch, &failure);
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
    /* A batch that went in with much time to spare: twice as many will fit. */
    unsigned rows = job->conf->sink.batch_rows;
    if (batch->n >= job->most_items && took < job->conf->timeout / 4)
        job->most_items = job->most_items > rows / 2 ? rows : 2 * job->most_items;
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
    if (code == SINK_NOT_OURS) {
        if (status_said(&job->status, SPEAKER_SINK) != JOB_RUNNING)
            job_doubt(job, 0); /* it waited, and will not see whether the sink works again */
        return batch->collided ? finish(job, batch) : 0;
    }
    bool kept = batch_is_kept(batch);
    bool given_up = code == SINK_STOPPED || code == SINK_LET_GO || code == -ECANCELED;
    if (!given_up && (kept || !error_is_outage(class))) {
        job->stats.batches_failed[class]++;
        status_say_error(&job->status, SPEAKER_PROBE, JOB_MISCONFIGURED, code);
        job_doubt(job, JOB_PROBE_EVERY);
    }
    if (code != SINK_LET_GO)
        batch->crashes = 0;
    if (kept)
        give_back(job, batch);
    else
        bury(job, batch, code);
    return code == -ECANCELED ? code : 0;
}

/* A batch that nobody keeps is cut where it is, and its parts are handled one after the other, so
 * that nothing of it is left; or, without memory for that, it fails. */
static int handle_parts(struct job *job, struct batch *batch, const struct failure *failure)
{
    struct batch *parts[PARTS] = {NULL};
    unsigned made = 0;
    for (; made < PARTS; made++) {
        size_t first = batch->n * made / PARTS, next = batch->n * (made + 1) / PARTS;
        parts[made] = batch_part(batch, made, first, next - first);
        if (!parts[made])
            break;
    }
    if (made < PARTS) {
        while (made > 0)
            batch_free(parts[--made]);
        return fail_all(job, batch, failure);
    }
    int r = 0;
    for (unsigned k = 0; k < PARTS; k++) {
        if (parts[k]->n > 0 && r >= 0) {
            r = handle_batch(job, parts[k]);
            continue;
        }
        if (parts[k]->n > 0) /* the grace is over */
            undecided(job, parts[k], SINK_STOPPED);
        batch_free(parts[k]);
    }
    batch->n = 0;
    return r;
}

/* The batch is more than a transaction can take, in time (SINK_TOO_SLOW) or in memory (-E2BIG): it
 * is cut into smaller ones, and so are the next to come. An item that is too much all alone has
 * failed by its own fault. */
static int decide_smaller(struct job *job, struct batch *batch, int code)
{
    enum error_class class = code == SINK_TOO_SLOW ? CLASS_TRANSIENT : CLASS_SIZE;
    unsigned part = batch->n < PARTS ? 1 : (unsigned)batch->n / PARTS;
    if (job->most_items > part)
        job->most_items = part;
    job->stats.batches_failed[class]++;
    status_say(&job->status, SPEAKER_SINK, JOB_WAITING, class, hr_error_message(code));
    struct failure failure;
    failure_set(&failure, error_class_name(class), hr_last_error()->native, "%s",
                hr_error_message(code));
    if (batch->n == 1)
        return fail_all(job, batch, &failure);
    log_job(LOG_WARNING, job->conf->name, class, "%s; it is cut into smaller ones",
            hr_error_message(code));
    return batch_is_kept(batch) ? commit(job, batch, VERDICT_SPLIT)
                                : handle_parts(job, batch, &failure);
}

/* Errors that no table knows; those of a batch, not of an item. */
static bool unexplained(int code)
{
    return code < 0 && code != -ECANCELED && code != SINK_NOT_OURS && code != SINK_STOPPED &&
           code != SINK_LET_GO && error_classify(code, hr_last_error()) == CLASS_UNKNOWN;
}

static int decided(struct job *job, struct batch *batch, bool too_much, hr_usec took)
{
    bool doubtful = suspicious(batch);
    bool again = batch->split || batch_count(batch, FATE_RETRY) > 0;
    if (!too_much || !again)
        status_works(&job->status, SPEAKER_SINK);
    count(job, batch, took);
    int r = finish(job, batch);
    if (doubtful) {
        status_say(&job->status, SPEAKER_PROBE, JOB_MISCONFIGURED, CLASS_UNKNOWN,
                   "more than half of a batch met errors of class unknown");
        job_doubt(job, JOB_PROBE_EVERY);
    }
    return r;
}

int handle_batch(struct job *job, struct batch *batch)
{
    hr_list_append(&job->held, &batch->link);
    hr_usec began = hr_now();
    int r = decide(job, batch);
    bool too_much = r == SINK_TOO_SLOW || r == -E2BIG;
    if (too_much)
        r = decide_smaller(job, batch, r);
    else if (unexplained(r))
        r = decide_again(job, batch, r);
    if (r < 0)
        r = undecided(job, batch, r);
    else if (batch->n > 0)
        r = decided(job, batch, too_much, hr_now() - began);
    hr_list_remove(&batch->link);
    budget_adjust(job->budget, batch->charged, 0);
    batch_free(batch);
    return r == -ECANCELED ? r : 0;
}
