/* SPDX-License-Identifier: MIT */
/*
 * A batch that may have crashed its owner is handled with nothing else in the process (R7): first
 * be alone, then take it over. One that was let go cleanly and never crashed anyone keeps company.
 * A batch whose outcome would be written elsewhere, as its print tells, is not even taken over.
 */
#include "daemon/recover.h"

#include <stdio.h>
#include <string.h>

#include "daemon/handle.h"
#include "daemon/hash.h"
#include "daemon/item/plural.h"
#include "daemon/log.h"
#include "daemon/lua/scripts.h"

/* Batches listed at once, and children of a split: 10 of them find one bad item among 1,000 in 3
 * rounds, where halves would need 10. */
#define LIST_MAX 64
#define CHILDREN 10

/* Between two looks, however long a lease is: a batch that was let go waits for anyone. */
#define LOOK_AT_MOST hr_seconds(5)

struct orphan {
    char id[33];
    int64_t generation;
    bool clean;
    int64_t crashes;
};

/* Never had an owner (a child of a split), or crashed one: it may be the poison. */
static bool is_suspect(const struct orphan *orphan)
{
    return !orphan->clean || orphan->crashes > 0 || orphan->generation < 1;
}

static const char foreign_text[] =
    "batches wait that were claimed for another sink or delivery: run the configuration they were "
    "claimed under until they are done";

static int list(struct job *job, struct queue *queue, bool predecessor, struct orphan *ret,
                size_t *ret_n)
{
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    const struct hr_redis_arg keys[] = {hr_redis_str(queue->own), hr_redis_str(queue->leases)};
    const struct hr_redis_arg whose[] = {hr_redis_str(queue->instance), hr_redis_str(queue->print)};
    const struct hr_redis_arg most[] = {hr_redis_int(LIST_MAX), hr_redis_str(queue->print)};
    const struct queue_call mine = {&script_mine, keys, whose, 1, 2};
    const struct queue_call expired = {&script_expired, keys, most, 2, 2};
    int r = queue_ask(queue, &reply, predecessor ? &mine : &expired);
    if (r < 0)
        return r;

    if (hr_reply_int(hr_reply_at(reply, 0)) > 0)
        status_say(&job->status, SPEAKER_RECOVERY, JOB_MISCONFIGURED, CLASS_CONFIG, foreign_text);
    else
        status_works(&job->status, SPEAKER_RECOVERY);
    size_t n = hr_reply_len(reply) / 4;
    if (n > LIST_MAX)
        n = LIST_MAX;
    for (size_t i = 0; i < n; i++) {
        const char *id = hr_reply_str(hr_reply_at(reply, 4 * i + 1), NULL);
        snprintf(ret[i].id, sizeof(ret[i].id), "%s", id ? id : "");
        ret[i].generation = hr_reply_int(hr_reply_at(reply, 4 * i + 2));
        ret[i].clean = hr_reply_int(hr_reply_at(reply, 4 * i + 3)) == 1;
        ret[i].crashes = hr_reply_int(hr_reply_at(reply, 4 * i + 4));
    }
    *ret_n = n;
    return 0;
}

/* A reply of takeover.lua as a batch: generation, crashes, d, print, then the entries. */
static int as_batch(const struct orphan *orphan, const char *token, hr_reply *reply, hr_usec until,
                    struct batch **ret)
{
    int64_t generation = hr_reply_int(hr_reply_at(reply, 0));
    int64_t crashes = hr_reply_int(hr_reply_at(reply, 1));
    size_t d = (size_t)hr_reply_int(hr_reply_at(reply, 2));
    struct batch *batch = batch_new(orphan->id, token, reply, 4, d);
    if (!batch)
        return -ENOMEM;
    batch->generation = (unsigned)generation;
    batch->crashes = (unsigned)crashes;
    batch->begun = true; /* an earlier owner may have */
    batch->inherited = true;
    batch->until = until;
    *ret = batch;
    return 0;
}

/* 1 and a batch, 0 when it is not to be had any more, or a code. */
static int take_over(struct job *job, struct queue *queue, const struct orphan *orphan,
                     bool predecessor, struct batch **ret)
{
    char token[33], name[QUEUE_BATCH_KEY_MAX];
    queue_random_id(token);
    const struct hr_redis_arg keys[] = {
        hr_redis_str(queue->own),
        hr_redis_str(queue->leases),
        queue_batch_key(queue, orphan->id, name),
    };
    const struct hr_redis_arg args[] = {
        hr_redis_str(orphan->id),      hr_redis_int(orphan->generation),
        hr_redis_str(token),           hr_redis_int(queue->conf->source.lease / 1000),
        hr_redis_str(queue->instance), hr_redis_int(predecessor ? 1 : 0),
    };
    hr_usec asked = hr_boottime();
    hr_reply *reply = NULL;
    int r = queue_insist(queue, &reply, &(struct queue_call){&script_takeover, keys, args, 3, 6});
    if (r < 0)
        return r;
    if (hr_reply_type(reply) != HR_REPLY_ARRAY) {
        if (hr_reply_equals(reply, "MISSING"))
            log_job(LOG_ERR, job->conf->name, CLASS_UNKNOWN,
                    "batch %s has lost its items: somebody deleted its list in Redis", orphan->id);
        hr_reply_free(reply);
        return 0;
    }
    r = as_batch(orphan, token, reply, asked + queue->conf->source.lease, ret);
    return r < 0 ? r : 1;
}

/* 1 when the batch was ours and is dealt with, 0 when it was not to be had, or a code. */
static int handle(struct job *job, struct queue *queue, const struct orphan *orphan,
                  bool predecessor)
{
    struct batch *batch = NULL;
    int r = take_over(job, queue, orphan, predecessor, &batch);
    if (r <= 0)
        return r;
    job->stats.recovered++;
    log_job(LOG_INFO, job->conf->name, CLASS_CRASH,
            "batch %s of %zu %s taken over, generation %u, crashes %u", batch->id, batch->n,
            plural(batch->n, "item", "items"), batch->generation, batch->crashes);
    budget_adjust(job->budget, 0, batch->bytes);
    batch->charged = batch->bytes;
    r = handle_batch(job, batch);
    return r < 0 ? r : 1;
}

static int recover_one(struct job *job, struct queue *queue, const struct orphan *orphan,
                       bool predecessor)
{
    bool alone = is_suspect(orphan);
    int r = alone ? solitude_begin(job->solitude) : solitude_join(job->solitude);
    if (r < 0)
        return r;
    if (!job->stopping)
        r = handle(job, queue, orphan, predecessor);
    if (alone)
        solitude_end(job->solitude);
    else
        solitude_leave(job->solitude);
    return r;
}

/* After an outage of Redis the living renew first: nothing that may have a living owner is taken
 * over until the connection has been up for one lease. */
static bool settled(const struct queue *queue)
{
    hr_usec up = hr_redis_up_since(queue->redis);
    return up != HR_FOREVER && hr_now() - up >= queue->conf->source.lease;
}

/* How many batches were taken over and dealt with, or a code. */
static int recover_all(struct job *job, struct queue *queue, bool predecessor)
{
    struct orphan orphans[LIST_MAX];
    size_t n = 0;
    int handled = 0;
    int r = list(job, queue, predecessor, orphans, &n);
    for (size_t i = 0; i < n && r >= 0 && !job->stopping && job->able.set; i++) {
        /* A batch that was let go, or is the child of a split, has no owner who could renew. */
        if (!predecessor && !orphans[i].clean && !settled(queue))
            continue;
        r = recover_one(job, queue, &orphans[i], predecessor);
        handled += r > 0;
    }
    return r < 0 ? r : handled;
}

/* Outages are told by those who claim; whatever else keeps batches from being recovered is not. */
static void tell(struct job *job, int code)
{
    enum error_class class = error_classify(code, hr_last_error());
    char text[HR_ERROR_MESSAGE_MAX];
    error_describe(code, hr_last_error(), text, sizeof(text));
    if (!error_is_outage(class) && code != HR_ESHUTDOWN)
        log_job(LOG_ERR, job->conf->name, class, "looking for batches to recover: %s", text);
}

int recover_batches(struct job *job, struct queue *queue)
{
    hr_usec third = queue->conf->source.lease / 3;
    hr_usec tick = third < LOOK_AT_MOST ? third : LOOK_AT_MOST;
    bool predecessor = true;
    for (;;) {
        int r = job_until_able(job);
        if (r < 0)
            return r;
        r = recover_all(job, queue, predecessor);
        if (r == -ECANCELED)
            return r;
        if (r < 0)
            tell(job, r);
        /* What it has split or renamed is waiting already. */
        bool more = r > 0 || (predecessor && r >= 0);
        predecessor = predecessor && r < 0;
        if (more)
            continue;
        r = job_nap(job, predecessor ? hr_ms(200) : tick);
        if (r < 0)
            return r;
    }
}

int recover_split(struct queue *queue, const struct batch *batch)
{
    bool crashed = batch->crashes >= queue->conf->retry.crash_limit;
    char names[CHILDREN + 1][QUEUE_BATCH_KEY_MAX], ids[CHILDREN][33];
    struct hr_redis_arg keys[3 + CHILDREN] = {
        hr_redis_str(queue->own),
        hr_redis_str(queue->leases),
        queue_batch_key(queue, batch->id, names[CHILDREN]),
    };
    struct hr_redis_arg args[3 + CHILDREN] = {
        hr_redis_str(batch->id),
        hr_redis_str(batch->token),
        hr_redis_int(crashed ? queue->conf->retry.crash_limit : 0),
    };
    for (unsigned k = 0; k < CHILDREN; k++) {
        hash_child_id(batch->id, k, ids[k]);
        keys[3 + k] = queue_batch_key(queue, ids[k], names[k]);
        args[3 + k] = hr_redis_str(ids[k]);
    }
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    return queue_insist(
        queue, &reply, &(struct queue_call){&script_split, keys, args, 3 + CHILDREN, 3 + CHILDREN});
}

int recover_rename(struct queue *queue, const struct batch *batch)
{
    char id[33], name[QUEUE_BATCH_KEY_MAX], new_name[QUEUE_BATCH_KEY_MAX];
    queue_random_id(id);
    const struct hr_redis_arg keys[] = {
        hr_redis_str(queue->own),
        hr_redis_str(queue->leases),
        queue_batch_key(queue, batch->id, name),
        queue_batch_key(queue, id, new_name),
    };
    const struct hr_redis_arg args[] = {
        hr_redis_str(batch->id),
        hr_redis_str(batch->token),
        hr_redis_str(id),
    };
    log_job(LOG_ERR, queue->conf->name, CLASS_UNKNOWN,
            "the ledger knows batch %s with another content; it goes on as batch %s. Two systems "
            "share a ledger, or one was restored from a backup",
            batch->id, id);
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    return queue_insist(queue, &reply, &(struct queue_call){&script_rename, keys, args, 4, 3});
}
