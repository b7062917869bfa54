/* SPDX-License-Identifier: MIT */
/*
 * Leases: what we hold is renewed at a third of its time, all batches of a job in one call.
 *
 * A batch that is held is one whose task makes progress: each of its waits has a limit of its own
 * (limits.timeout, timeouts.command), after which it is tried again. So while the loop turns there
 * is nothing to tell a live batch from a stuck one by; and when it does not turn, nothing is
 * renewed.
 *
 * A lease that is over and was not taken is still ours (protocol.md 4.3). A batch that turns out to
 * be somebody else's is marked stale, and its task drops it when it next looks.
 */
#pragma once

#include "daemon/batch.h"
#include "daemon/queue.h"

struct lease_keeper {
    struct queue *queue;
    struct hr_list *held; /* batches of the job (struct batch, link) */
};

/* Renews until it is cancelled; arg is a struct lease_keeper. -ECANCELED. */
hr_async int lease_keep(void *arg);
