/* SPDX-License-Identifier: MIT */
/*
 * Recovery: batches whose owner is gone are taken over, one at a time (protocol.md 4.6).
 */
#pragma once

#include "daemon/job.h"

/* Takes over what our predecessor of the same instance name left, then looks for leases that are
 * over, every third of a lease and at least every five seconds, until the job is to end.
 * HR_ESHUTDOWN or -ECANCELED. */
hr_async int recover_batches(struct job *job, struct queue *queue);

/* Cuts a batch whose split is in the ledger into smaller ones. 0, or a code of queue_insist(). */
hr_async int recover_split(struct queue *queue, const struct batch *batch);

/* Gives a batch that met a foreign ledger row a new id (R6). 0, or a code of queue_insist(). */
hr_async int recover_rename(struct queue *queue, const struct batch *batch);
