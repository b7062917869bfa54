/* SPDX-License-Identifier: MIT */
/*
 * A pool of worker processes: functions of this program run in processes of their own, bytes in and
 * bytes out. For work that may crash, leak, or needs more than one core in code that has no
 * threads.
 *
 *     static int digest(const void *in, size_t size, struct hr_buf *out) { … }
 *     static const struct hr_process_function functions[] = {{"digest", digest}, {NULL, NULL}};
 *
 *     int main(int argc, char **argv)
 *     {
 *         hr_process_pool_main(argc, argv, functions);   first of all: a worker does not come back
 *         …
 *     hr_process_pool *pool = hr_process_pool_new(&(struct hr_process_pool_options){.workers = 4});
 *     hr_auto(hr_future_unrefp) hr_future *f = hr_run_in_process(pool, "digest", text, size);
 *     int r = hr_await(f);
 *     struct hr_process_bytes *bytes = hr_future_result(f);
 *
 * A worker is this program, run anew by /proc/self/exe: the one that runs now, also when its file
 * was replaced or deleted. It shares no memory, lock or thread with its parent, has a process group
 * of its own (Ctrl-C at the terminal passes it by), standard input from /dev/null and the parent's
 * output and error; what is asked and answered has a descriptor of its own. It ends with the
 * parent, however that ends.
 *
 * A worker that dies fails its job and all that wait, and from then on every submission, with
 * HR_EBROKEN; jobs of other workers that run then go on to their end.
 */
#pragma once

#include "core/buf.h"
#include "core/executor.h"
#include "core/submit.h"

typedef struct hr_process_pool hr_process_pool;

/* Runs in a worker, with the bytes that were submitted (aligned for anything). What it appends to
 * out is the answer, at most the pool's max_bytes (then -ENOBUFS). ≥ 0 becomes the future's status;
 * a negative code, explained by hr_fail(), its error: code, message and the server's own words
 * travel, causes do not. */
typedef int hr_process_fn(const void *in, size_t size, struct hr_buf *out);

struct hr_process_function {
    const char *name; /* NULL ends the table */
    hr_process_fn *fn;
};

/* Names the functions that workers run. Called once, at the top of main() and before there are
 * threads; functions has to stay. In a worker it runs jobs and then ends the process; else it
 * returns. */
HR_PUBLIC void hr_process_pool_main(int argc, char **argv,
                                    const struct hr_process_function *functions);

struct hr_process_pool_options {
    const char *name;     /* for messages and ps; NULL: "pool" */
    unsigned workers;     /* at most so many (> 0), each started when work comes and none is idle */
    unsigned worker_jobs; /* a worker is replaced after so many; 0: never */
    size_t max_bytes;     /* of one argument, and of one answer; 0: 64 MiB */
};

/* A pool without workers yet. NULL, with a record: -EINVAL (no workers), HR_EINVALIDSTATE
 * (hr_process_pool_main() was not called), -ENOMEM, -EAGAIN (no thread), -EMFILE and -ENFILE.
 * Serves the loops of many threads. */
HR_PUBLIC hr_owned hr_process_pool *
hr_process_pool_new(const struct hr_process_pool_options *options);

/* As hr_executor_shutdown() and hr_executor_free(): refuses new work (HR_ESHUTDOWN), finishes or
 * drops what is queued, waits for jobs that run. free also ends the workers: those that are not
 * gone five seconds after their last job are killed. Blocks; not to be called by one of them. */
HR_PUBLIC void hr_process_pool_shutdown(hr_process_pool *pool, int flags);
HR_PUBLIC void hr_process_pool_free(hr_process_pool *pool, bool cancel);

/* For hr_auto(): frees it once everything that is queued has been done. */
HR_PUBLIC void hr_process_pool_freep(hr_process_pool **pool);

/* Kills all workers with what they have started. Jobs that run or wait fail with HR_EBROKEN, and so
 * does every submission from now on. By any thread. */
HR_PUBLIC void hr_process_pool_kill(hr_process_pool *pool);

/* What a job gave: the future's value, destroyed by free(). A NUL byte follows. */
struct hr_process_bytes {
    size_t size;
    char bytes[];
};

/* Queues a job with a copy of the bytes; jobs start in the order of submission. Yields a future of
 * the running loop; cancelling it takes a job back that waits, one that runs goes on and its answer
 * is dropped. Its status is the function's, its value a struct hr_process_bytes; or
 *   HR_EBROKEN       a worker died; the record's sent tells: at this job, else it only waited
 *   HR_ESHUTDOWN     the pool was shut down before the job started
 *   -EAGAIN · -EMFILE · …       no worker could be started for it; the pool is none the worse
 *   -ENOMEM          no memory here for its answer
 * NULL, with a record: -ENOENT (no such function), -EINVAL (NULL for one), -EMSGSIZE (more than
 * max_bytes), HR_EBROKEN, HR_ESHUTDOWN, -ENOMEM, HR_ENOLOOP; a pool that is NULL: the record stays
 * that of the call that could not make it. */
HR_PUBLIC hr_owned hr_future *hr_run_in_process(hr_process_pool *pool, const char *function,
                                                const void *bytes, size_t size);

/* The same without a loop, by any thread: a handle that a thread can block on, as
 * hr_executor_submit() gives it. */
HR_PUBLIC hr_owned hr_thread_future *
hr_process_pool_submit(hr_process_pool *pool, const char *function, const void *bytes, size_t size);

struct hr_process_input {
    const void *bytes;
    size_t size;
};

/* Queues the function for each of count inputs at once and adds the futures in their order, as
 * hr_executor_map() does. */
HR_PUBLIC void hr_process_pool_map(hr_process_pool *pool, const char *function,
                                   const struct hr_process_input *inputs, size_t count,
                                   struct hr_futures *futures);
