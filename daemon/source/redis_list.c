/* SPDX-License-Identifier: MIT */
/*
 * A list in Redis that anyone writes to: claimed in batches, acknowledged when they are decided.
 *
 * Waiting is a blocking look at the list, never longer than a second or than the next retry is due,
 * and every return of it is followed by a claim (R3).
 */
#include <string.h>

#include "daemon/acknowledge.h"
#include "daemon/claim.h"
#include "daemon/job.h"
#include "daemon/lease.h"
#include "daemon/recover.h"

#define LOOK_AT_MOST hr_seconds(1)

struct redis_list {
    struct source source;
    hr_usec quiet_until; /* the last claim left nothing: look before the next one */
    struct hr_backoff outage;
};

/* Asks for a batch with the memory and the company that it takes. */
static int claim(struct redis_list *list, struct claim *ret)
{
    struct job *job = list->source.job;
    const struct sink_conf *sink = &job->conf->sink;
    int r = budget_charge(job->budget, sink->batch_bytes);
    if (r < 0)
        return r;
    r = solitude_join(job->solitude);
    if (r >= 0 && job->stopping) {
        solitude_leave(job->solitude);
        r = HR_ESHUTDOWN;
    }
    if (r >= 0) {
        r = claim_batch(list->source.queue, job->most_items, sink->batch_bytes, ret);
        if (r < 0 || ret->answer != CLAIM_BATCH)
            solitude_leave(job->solitude);
    }
    bool got = r >= 0 && ret->answer == CLAIM_BATCH;
    size_t held = got ? batch_memory(ret->batch) : 0;
    budget_adjust(job->budget, sink->batch_bytes, held);
    if (got)
        ret->batch->charged = held;
    return r;
}

/* Looks at the list until something may be there. */
static int look(struct redis_list *list)
{
    struct job *job = list->source.job;
    hr_usec span = list->quiet_until - hr_now();
    list->quiet_until = 0;
    if (span <= 0)
        return 0;
    job_look_begin(job);
    int r = queue_wait(list->source.queue, span < LOOK_AT_MOST ? span : LOOK_AT_MOST);
    r = job_look_end(job, r);
    /* A server without memory refuses the look, not the claim that frees some. */
    bool full = r == HR_EREPLY && strcmp(hr_last_error()->kind, "OOM") == 0;
    return full ? job_nap(job, hr_ms(50)) : r;
}

static void tell(struct job *job, int code)
{
    bool config = error_classify(code, hr_last_error()) == CLASS_CONFIG;
    status_say_error(&job->status, SPEAKER_SOURCE, config ? JOB_MISCONFIGURED : JOB_WAITING, code);
}

/* batch.wait: gives a list that does not fill a batch so long to fill up. */
static int let_fill(struct redis_list *list)
{
    struct job *job = list->source.job;
    const struct sink_conf *sink = &job->conf->sink;
    if (sink->batch_wait == 0)
        return 0;
    hr_auto(hr_reply_freep) hr_reply *length = NULL;
    int r =
        hr_redis_command(list->source.queue->redis, &length, "LLEN %s", list->source.queue->list);
    if (r < 0)
        return r;
    int64_t ready = hr_reply_int(length);
    return ready > 0 && ready < job->most_items ? job_nap(job, sink->batch_wait) : 0;
}

/* What an answer means, and the wait that it asks for. An empty list is looked at when the next
 * batch is wanted. */
static int answered(struct redis_list *list, const struct claim *claim)
{
    struct job *job = list->source.job;
    hr_backoff_reset(&list->outage);
    switch (claim->answer) {
    case CLAIM_FULL:
        status_say(&job->status, SPEAKER_SOURCE, JOB_FULL, CLASS_CONFIG,
                   "remove or retry some dead letters");
        return job_nap(job, LOOK_AT_MOST);
    case CLAIM_PAUSED:
        status_say(&job->status, SPEAKER_SOURCE, JOB_PAUSED, CLASS_CONFIG, "by hand");
        return job_nap(job, LOOK_AT_MOST);
    case CLAIM_NOTHING:
    case CLAIM_AGAIN:
    case CLAIM_BATCH:
    default:
        status_works(&job->status, SPEAKER_SOURCE);
        list->quiet_until = claim->soonest > 0 ? hr_later(hr_now(), claim->soonest) : 0;
        return 0;
    }
}

static int redis_list_next(struct source *source, struct batch **ret)
{
    struct redis_list *list = hr_container_of(source, struct redis_list, source);
    struct job *job = source->job;
    for (;;) {
        if (job->stopping)
            return HR_ESHUTDOWN;
        struct claim answer = {0};
        int r = look(list);
        if (r >= 0)
            r = let_fill(list);
        if (r >= 0)
            r = job_until_able(job);
        if (r >= 0)
            r = claim(list, &answer);
        if (r >= 0) {
            job->stats.taken += answer.oversized;
            job->stats.dead += answer.oversized;
            job->stats.claimed += answer.oversized;
            job->stats.dead_by_class[CLASS_MAX_PAYLOAD] += answer.oversized;
            r = answered(list, &answer);
        }
        if (r >= 0 && answer.batch) {
            *ret = answer.batch;
            return 0;
        }
        if (r == HR_ESHUTDOWN || r == -ECANCELED)
            return r;
        if (r < 0) {
            tell(job, r);
            r = job_nap(job, hr_backoff_next(&list->outage));
        }
        if (r < 0)
            return r;
    }
}

/* Retries that were just put aside may be due before the last claim could know (R3). */
static void expect_retries(struct redis_list *list, const struct batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        hr_usec due = hr_later(hr_now(), batch->items[i].delay);
        if (batch->items[i].fate == FATE_RETRY && due < list->quiet_until)
            list->quiet_until = due;
    }
}

static int redis_list_finish(struct source *source, struct batch *batch)
{
    struct redis_list *list = hr_container_of(source, struct redis_list, source);
    if (!batch_is_kept(batch)) /* at most once */
        return acknowledge_apart(source->job, source->queue, batch);
    if (batch->collided)
        return recover_rename(source->queue, batch);
    if (batch->split)
        return recover_split(source->queue, batch);
    int r = acknowledge(source->job, source->queue, batch);
    if (r >= 0)
        expect_retries(list, batch);
    return r;
}

static int redis_list_give_back(struct source *source, struct batch *batch)
{
    return claim_hand_back(source->queue, batch);
}

static int redis_list_attend(struct source *source)
{
    return lease_keep(&(struct lease_keeper){source->queue, &source->job->held});
}

static int redis_list_recover(struct source *source)
{
    return recover_batches(source->job, source->queue);
}

static void redis_list_free(struct source *source)
{
    struct redis_list *list = hr_container_of(source, struct redis_list, source);
    queue_free(source->queue);
    free(list);
}

static const struct source_ops redis_list_ops = {
    .kind = "redis_list",
    .next = redis_list_next,
    .finish = redis_list_finish,
    .give_back = redis_list_give_back,
    .attend = redis_list_attend,
    .recover = redis_list_recover,
    .free = redis_list_free,
};

struct source *source_redis_list_new(struct job *job, struct queue *queue)
{
    struct redis_list *list = calloc(1, sizeof(*list));
    if (!list)
        return NULL;
    list->source = (struct source){&redis_list_ops, job, queue};
    list->outage = (struct hr_backoff){hr_ms(50), hr_seconds(3), 2, true, 0};
    return &list->source;
}
