/* SPDX-License-Identifier: MIT */
/*
 * Sweeping the ledger: rows older than `ledger.keep` go, unless Redis still holds their batch
 * (protocol.md 4.8, R11).
 *
 * By age alone, a batch that was committed, not acknowledged and left lying over a weekend would be
 * inserted again.
 */
#pragma once

#include "daemon/ledger.h"
#include "daemon/queue.h"

struct sweep {
    struct ledger ledger;
    struct queue *queue;
    hr_usec keep;
    struct hr_event *able; /* set while the sink works: the table is there then */
    uint64_t swept;        /* rows deleted since the start */
};

/* Sweeps as soon as the sink works and every few minutes from then on, one daemon at a time, until
 * cancelled; arg is a struct sweep. */
hr_async int sweep_run(void *arg);

/* Sweeps once. The number of rows deleted, or a code. */
hr_async int sweep_once(struct sweep *sweep);
