/* SPDX-License-Identifier: MIT */
/*
 * An item has failed: is it tried again, and when, or is it a dead letter?
 */
#pragma once

#include "daemon/batch.h"
#include "daemon/settings.h"

/* Counts an attempt of item i that failed for a reason that may pass: it is put aside for a while
 * (exponential, with full jitter), or buried when its attempts or its age are used up. */
void retry_or_bury(const struct job_conf *conf, struct batch *batch, size_t i,
                   const struct failure *failure);

/* The last item of a batch that keeps crashing whoever works on it is a dead letter. */
void retry_bury_crashed(struct batch *batch);
