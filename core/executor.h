/* SPDX-License-Identifier: MIT */
/*
 * An executor: threads that run what would block the loop.
 *
 * Jobs start in submit order. A job must not touch futures, tasks or the loop, except through
 * hr_call_soon_threadsafe().
 */
#pragma once

#include "core/gather.h"
#include "core/loop.h"
#include "core/submit.h"

typedef struct hr_executor hr_executor;

/* Runs in a thread of the pool: ≥ 0 and *ret_value, or a negative code explained by hr_fail(). */
typedef int hr_job_fn(void *arg, void **ret_value);

/* At most threads (> 0) are started, each when work comes and none is idle. They bear the name, of
 * which 15 bytes are kept (NULL: "executor"). NULL, with a record: -EINVAL, -ENOMEM. One executor
 * may serve the loops of many threads. */
HR_PUBLIC hr_owned hr_executor *hr_executor_new(const char *name, unsigned threads);

/* How long an idle thread looks for the next job before it sleeps, one of them at a time: 0, as it
 * is made, for 20 µs where there is a second CPU; < 0: not at all. Looks in vain become rare. */
HR_PUBLIC void hr_executor_set_spin(hr_executor *executor, hr_usec span);

enum hr_shutdown_flags {
    HR_SHUTDOWN_CANCEL = 1, /* drop what has not started; futures end with HR_ESHUTDOWN */
    HR_SHUTDOWN_WAIT = 2,   /* block until the last job is over; not by one of them */
};

/* Refuses new work from now on (HR_ESHUTDOWN) and finishes what is queued; may be called again,
 * with other flags, and needs hr_executor_free() all the same. */
HR_PUBLIC void hr_executor_shutdown(hr_executor *executor, int flags);

/* Refuses new work, finishes (or with cancel drops) what is queued, joins the threads, frees.
 * Blocks the calling thread as long as running jobs take; not to be called by one of them. The
 * futures of dropped jobs end with HR_ESHUTDOWN. NULL is fine. */
HR_PUBLIC void hr_executor_free(hr_executor *executor, bool cancel);

/* For hr_auto(): frees it once everything that is queued has been done. */
HR_PUBLIC void hr_executor_freep(hr_executor **executor);

/* Queues fn(arg) and yields a future of the running loop; executor NULL is the loop's default pool
 * (made on first use, min(32, cores + 4) threads). Cancelling the future drops a queued job; a
 * running one goes on and its value is destroyed by free_value. Futures of earlier jobs that are
 * over may be completed by this call. NULL, with a record and arg still the caller's: -ENOMEM,
 * HR_ENOLOOP, HR_ECLOSED, HR_ESHUTDOWN, -EAGAIN (no thread to be had), -EINVAL (no fn).
 *
 * When the loop closes, its default pool drops what is queued there and waits for running jobs (ten
 * seconds, or the loop's shutdown_limit), then reports and goes on. What comes for a closed loop is
 * dropped in silence. */
HR_PUBLIC hr_owned hr_future *hr_run_in_executor(hr_executor *executor, hr_job_fn *fn, void *arg,
                                                 hr_free_fn *free_value);

/* On the default pool, with the caller's task-local values (core/local.h) inside the job. */
HR_PUBLIC hr_owned hr_future *hr_to_thread(hr_job_fn *fn, void *arg, hr_free_fn *free_value);

/* Queues fn for each of count args at once and adds the futures in their order: wait for them one
 * after the other, under one limit for all if need be. A job that cannot be queued marks the array
 * as failed. */
HR_PUBLIC void hr_executor_map(hr_executor *executor, hr_job_fn *fn, void *const *args,
                               size_t count, hr_free_fn *free_value, struct hr_futures *futures);

/* What hr_executor_map_chunks() gives: the outcome of each call, in the order of args. */
struct hr_outcome {
    int status;  /* as fn returned it */
    void *value; /* destroyed with the future; whoever takes it writes NULL here */
};
struct hr_outcomes {
    size_t count;
    struct hr_outcome items[];
};

/* For many short calls: as hr_executor_map(), but with one future for all, whose value, which
 * stays the future's, is a struct hr_outcomes *, and as few jobs as the executor has threads. Each
 * takes chunk args at a time (0: a fair number; 1,024 at most) until none is left. The array is
 * copied. A call that fails stops no other; it leaves its code, and no record. Cancelling the
 * future begins no more chunks. Fails with HR_ESHUTDOWN if calls were dropped. NULL, with a record,
 * as hr_run_in_executor(). */
HR_PUBLIC hr_owned hr_future *hr_executor_map_chunks(hr_executor *executor, hr_job_fn *fn,
                                                     void *const *args, size_t count, size_t chunk,
                                                     hr_free_fn *free_value);

struct hr_job_options {
    hr_executor *executor;  /* NULL: the loop's default pool */
    hr_free_fn *free_value; /* destroys the value if nobody takes it */
    hr_free_fn *free_arg;   /* destroys arg, in the loop's thread, if fn never runs */
    bool with_locals;       /* the caller's task-local values can be read in fn */
};

/* As hr_run_in_executor(), for an arg that has to go away with a job that is dropped; NULL options
 * mean the defaults. */
HR_PUBLIC hr_owned hr_future *hr_run_in_executor_with(const struct hr_job_options *options,
                                                      hr_job_fn *fn, void *arg);

/* Without a loop: queues fn(arg) and yields a handle that a thread can block on (core/submit.h),
 * whose status and value are the job's. Cancelling it takes back a job that waits, and is refused
 * (false) for one that has begun; one dropped by a shutdown ends with HR_ESHUTDOWN. Its callbacks
 * run in the thread that ran or dropped the job, or took it back. By any thread. NULL, with a
 * record and arg still the caller's: -ENOMEM, HR_ESHUTDOWN, -EAGAIN (no thread to be had), -EINVAL
 * (no fn, or the executor is NULL: a default pool belongs to a loop). */
HR_PUBLIC hr_owned hr_thread_future *hr_executor_submit(hr_executor *executor, hr_job_fn *fn,
                                                        void *arg, hr_free_fn *free_value);
HR_PUBLIC hr_owned hr_thread_future *hr_executor_submit_with(const struct hr_job_options *options,
                                                             hr_job_fn *fn, void *arg);
