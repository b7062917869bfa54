/* SPDX-License-Identifier: MIT */
/*
 * What happens to items between claim and commit: decode, contract, steps. Items fail alone.
 */
#pragma once

#include "daemon/job.h"

/* Decodes all live items of the batch and takes them through the job's contract and steps; what
 * fails is a dead letter, what a rule drops is dropped. Where our own memory is out, the items that
 * found none wait for a while, which is not their fault; what finds none even then has used up an
 * attempt, so that an item which can never fit ends as a dead letter. 0, SINK_STOPPED when the job
 * is to end while they wait, -E2BIG when the items are too much together (batch_is_crowded()), or
 * -ECANCELED. */
hr_async int process_batch(struct job *job, struct batch *batch);
