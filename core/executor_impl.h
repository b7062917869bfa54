/* SPDX-License-Identifier: MIT */
/*
 * An executor from the inside: threads that take jobs off a queue. Inside core/ only.
 */
#pragma once

#include "core/executor.h"
#include "core/job_queue.h"

#define HR__POOL_MAX 32 /* threads of a default pool, at most */

/* Queues a job. 0, HR_ESHUTDOWN, -EAGAIN. */
int hr__executor_submit(hr_executor *executor, struct hr__job *job);

/* Takes a job back. False when it has started. */
bool hr__executor_remove(hr_executor *executor, struct hr__job *job);

/* False in a forked child: its threads are in the parent, and what they were doing is left as it
 * was. */
bool hr__executor_here(const hr_executor *executor);

/* How many threads it may have. */
unsigned hr__executor_threads(const hr_executor *executor);

/* Whoever keeps a job keeps a reference; the struct outlives its threads. */
hr_executor *hr__executor_ref(hr_executor *executor);
void hr__executor_unref(hr_executor *executor);

/* hr_executor_free(executor, true), but waits no longer than the limit. False when it passed: the
 * threads that still run are on their own. */
bool hr__executor_close(hr_executor *executor, hr_usec limit);
