/* SPDX-License-Identifier: MIT */
/*
 * Acknowledging: the batch disappears from Redis, its failed items go where their fates say
 * (protocol.md 4.5).
 */
#pragma once

#include "daemon/job.h"

/* Carries out a decided batch, again and again until Redis has answered. 0, or -ECANCELED or a
 * code: then the next owner does it, from the ledger. */
hr_async int acknowledge(struct job *job, struct queue *queue, struct batch *batch);

/* Writes the dead letters of a batch that Redis does not hold: to the dead list of the queue, or to
 * standard error when it is NULL. Codes as acknowledge(). */
hr_async int acknowledge_apart(struct job *job, struct queue *queue, struct batch *batch);
