/* SPDX-License-Identifier: MIT */
/*
 * Claiming: items of the list become a batch of ours under a lease (protocol.md 4.2), and the way
 * back for a batch that was not begun (4.7).
 */
#pragma once

#include "daemon/batch.h"
#include "daemon/queue.h"

enum claim_answer {
    CLAIM_BATCH,   /* a batch, now the caller's */
    CLAIM_NOTHING, /* nothing there */
    CLAIM_AGAIN,   /* everything taken was too long and is a dead letter: claim again */
    CLAIM_FULL,    /* the dead letters are at their limit */
    CLAIM_PAUSED,  /* by hand, for all daemons */
};

struct claim {
    enum claim_answer answer;
    struct batch *batch;
    /* How long nothing more can be claimed unless somebody pushes: 0, until the next delayed item
     * is due, or HR_FOREVER. Of no meaning with CLAIM_FULL and CLAIM_PAUSED. */
    hr_usec soonest;
    uint64_t oversized; /* items that went to the dead letters unread */
};

/* Asks for up to max_items and max_bytes. A reply that was lost is asked for again by the batch's
 * id, which creates nothing; the claim itself is never sent twice (R4). 0, or a code of
 * hr_redis_eval() with nothing held. */
hr_async int claim_batch(struct queue *queue, unsigned max_items, size_t max_bytes,
                         struct claim *ret);

/* Gives up a batch: one that nobody ever began goes back to the list, any other is let go for the
 * next owner, who asks the ledger. No attempt and no crash is counted. Frees nothing. 0, -ECANCELED
 * or a code: then its lease runs out. */
hr_async int claim_hand_back(struct queue *queue, struct batch *batch);
