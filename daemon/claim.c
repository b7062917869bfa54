/* SPDX-License-Identifier: MIT */
#include "daemon/claim.h"

#include <string.h>

#include "daemon/errors.h"
#include "daemon/item/deadletter.h"
#include "daemon/item/plural.h"
#include "daemon/lua/scripts.h"

/* What a command that failed in this way may have done at the server all the same. */
static bool may_have_happened(int code)
{
    return code == HR_ELOST || code == -ETIMEDOUT;
}

/* The claim was sent and its reply did not come: was it carried out? */
static int adopt(struct queue *queue, const char *id, const char *token, hr_reply **ret)
{
    char name[QUEUE_BATCH_KEY_MAX];
    const struct hr_redis_arg keys[] = {
        hr_redis_str(queue->own),
        queue_batch_key(queue, id, name),
    };
    const struct hr_redis_arg args[] = {hr_redis_str(id), hr_redis_str(token)};
    return queue_insist(queue, ret, &(struct queue_call){&script_adopt, keys, args, 2, 2});
}

/* What stands around the place of the payload in the dead letter of an item that is too long, which
 * the script writes. */
static int frame_letter(struct queue *queue, const char **ret_before, const char **ret_after)
{
    int64_t now = hr_walltime() / 1000;
    struct deadletter letter = {
        .job = queue->conf->name,
        .host = queue->host,
        .first_seen = now,
        .last_seen = now,
    };
    failure_set(&letter.error, error_class_name(CLASS_MAX_PAYLOAD), 0,
                "the payload is longer than %zu %s", queue->conf->source.max_payload,
                plural(queue->conf->source.max_payload, "byte", "bytes"));
    arena_reset(queue->scratch);
    int r = deadletter_frame(queue->scratch, &letter, ret_before, ret_after);
    return r < 0 ? hr_fail(-ENOMEM, "claiming from %s: out of memory", queue->list) : 0;
}

static int ask(struct queue *queue, const char *id, const char *token, unsigned max_items,
               size_t max_bytes, hr_reply **ret)
{
    const struct job_conf *conf = queue->conf;
    char name[QUEUE_BATCH_KEY_MAX];
    const struct hr_redis_arg keys[] = {
        hr_redis_str(queue->list),     hr_redis_str(queue->paused),      hr_redis_str(queue->own),
        hr_redis_str(queue->leases),   hr_redis_str(queue->delayed),     hr_redis_str(queue->later),
        hr_redis_str(queue->oversize), queue_batch_key(queue, id, name), hr_redis_str(queue->dead),
    };
    bool limited = conf->dead.limit_items != UINT64_MAX && !queue->dead_remote;
    const char *before, *after;
    int r = frame_letter(queue, &before, &after);
    if (r < 0)
        return r;

    const struct hr_redis_arg args[] = {
        hr_redis_str(id),
        hr_redis_str(token),
        hr_redis_int(max_items),
        hr_redis_int((int64_t)max_bytes),
        hr_redis_int(queue->dead_remote ? 0 : (int64_t)conf->source.max_payload),
        hr_redis_int(conf->source.lease / 1000),
        hr_redis_int(limited ? (int64_t)conf->dead.limit_items : 0),
        hr_redis_str(queue->print),
        hr_redis_str(queue->instance),
        hr_redis_str(conf->source.head_right ? "right" : "left"),
        hr_redis_str(before),
        hr_redis_str(after),
    };
    return queue_ask(queue, ret,
                     &(struct queue_call){&script_claim, keys, args,
                                          HR_ARRAY_LEN(keys) - (queue->dead_remote ? 1 : 0),
                                          HR_ARRAY_LEN(args)});
}

/* A batch whose lease began no later than asked. */
static int begin_batch(struct queue *queue, const char *id, const char *token, hr_reply *reply,
                       size_t first, hr_usec asked, struct batch **ret)
{
    size_t d = (size_t)hr_reply_int(hr_reply_at(reply, 0));
    struct batch *batch = batch_new(id, token, reply, first, d);
    if (!batch)
        return -ENOMEM;
    batch->generation = 1;
    batch->until = batch_is_kept(batch) ? asked + queue->conf->source.lease : HR_FOREVER;
    *ret = batch;
    return 0;
}

/* Whether dead letters on another server, which the script cannot see, are at their limit. */
static int is_remote_full(struct queue *queue)
{
    uint64_t limit = queue->conf->dead.limit_items;
    if (!queue->dead_remote || limit == UINT64_MAX)
        return 0;
    hr_auto(hr_reply_freep) hr_reply *length = NULL;
    int r = hr_redis_command(queue->dead_redis, &length, "LLEN %s", queue->dead);
    return r < 0 ? r : (uint64_t)hr_reply_int(length) >= limit;
}

int claim_batch(struct queue *queue, unsigned max_items, size_t max_bytes, struct claim *ret)
{
    bool keep = queue->conf->delivery != AT_MOST_ONCE;
    struct claim claim = {.answer = CLAIM_NOTHING, .soonest = HR_FOREVER};
    char id[33], token[33] = "";
    queue_random_id(id);
    if (keep)
        queue_random_id(token);

    int r = is_remote_full(queue);
    if (r != 0) {
        claim.answer = CLAIM_FULL;
        if (r > 0)
            *ret = claim;
        return r < 0 ? r : 0;
    }
    hr_usec asked = hr_boottime(); /* the lease begins later, and adopting does not renew it */
    hr_reply *reply = NULL;
    size_t first = 3;
    r = ask(queue, id, token, max_items, max_bytes, &reply);
    if (keep && may_have_happened(r)) {
        first = 1;
        claim.soonest = 0;
        r = adopt(queue, id, token, &reply);
    }
    if (r < 0)
        return r;

    if (hr_reply_type(reply) == HR_REPLY_INT)
        claim.soonest = hr_ms(hr_reply_int(reply));
    else if (hr_reply_equals(reply, "FULL"))
        claim.answer = CLAIM_FULL;
    else if (hr_reply_equals(reply, "PAUSED"))
        claim.answer = CLAIM_PAUSED;
    if (hr_reply_type(reply) != HR_REPLY_ARRAY) {
        hr_reply_free(reply);
        *ret = claim;
        return 0;
    }

    if (first == 3) {
        int64_t rest = hr_reply_int(hr_reply_at(reply, 2));
        claim.oversized = (uint64_t)hr_reply_int(hr_reply_at(reply, 1));
        claim.soonest = rest < 0 ? HR_FOREVER : hr_ms(rest);
    }
    claim.answer = hr_reply_len(reply) > first ? CLAIM_BATCH : CLAIM_AGAIN;
    if (claim.answer == CLAIM_BATCH)
        r = begin_batch(queue, id, token, reply, first, asked, &claim.batch);
    else
        hr_reply_free(reply);
    if (r >= 0)
        *ret = claim;
    return r;
}

int claim_hand_back(struct queue *queue, struct batch *batch)
{
    char name[QUEUE_BATCH_KEY_MAX];
    const struct hr_redis_arg keys[] = {
        hr_redis_str(queue->own),
        hr_redis_str(queue->leases),
        queue_batch_key(queue, batch->id, name),
        hr_redis_str(queue->delayed),
        hr_redis_str(queue->later),
        hr_redis_str(queue->list),
    };
    const struct hr_redis_arg args[] = {
        hr_redis_str(batch->id),
        hr_redis_str(batch->token),
        hr_redis_str(queue->conf->source.head_right ? "right" : "left"),
    };
    const struct hr_redis_arg kept[] = {args[0], args[1], hr_redis_int(batch->crashes)};
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    if (batch->begun || batch->generation != 1)
        return queue_insist(queue, &reply, &(struct queue_call){&script_release, keys, kept, 2, 3});
    return queue_insist(queue, &reply, &(struct queue_call){&script_giveback, keys, args, 6, 3});
}
