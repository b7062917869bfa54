/* SPDX-License-Identifier: MIT */
/*
 * A batch's way through a job: decode, steps, commit, finish.
 */
#pragma once

#include "daemon/job.h"

/* Takes a batch through its stages and frees it: whatever happens, it is decided, handed back, or
 * left to its next owner. Called by workers and by recovery, who are in company or alone. Returns
 * 0, or -ECANCELED. */
hr_async int handle_batch(struct job *job, struct batch *batch);

/* The sink_wait of a job's sink (cookie). While others wait to be alone, or for one that is, a
 * batch is let go rather than waited with: its outage is not theirs. */
hr_async int handle_sink_wait(void *cookie, struct batch *batch, int code, hr_usec span);
