/* SPDX-License-Identifier: MIT */
/*
 * What happens to items between claim and commit: decode, contract, steps. Items fail alone.
 */
#pragma once

#include "daemon/job.h"

/* Decodes all live items of the batch and takes them through the job's contract and steps; what
 * fails is a dead letter, what a rule drops is dropped. Never waits. */
void process_batch(struct job *job, struct batch *batch);
