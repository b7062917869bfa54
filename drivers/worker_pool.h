/* SPDX-License-Identifier: MIT */
/*
 * Programs that are kept at work: each reads a line from its standard input, writes a line to its
 * standard output, and waits for the next one. JSON mostly, which is not looked at here.
 *
 *     hr_worker_pool *pool = hr_worker_pool_new(&(struct hr_worker_pool_options){
 *         .argv = (const char *const[]){"python3", "score.py", NULL}, .workers = 4});
 *     char *answer;
 *     int r = hr_worker_pool_ask(pool, line, size, &answer, NULL);
 *
 * One request at a time is with a worker, so an answer never reaches another request: a worker that
 * is late, ends, or says more than it was asked is replaced, and so is one that was heard to speak
 * before. A worker must say nothing of its own on standard output: a banner that comes after the
 * first request is taken for its answer, and the answer for the next one's where it comes late
 * enough, unless is_answer can tell them apart. What it crashes over is that request's error and
 * nobody else's. Python writes its lines at once with print(…, flush=True).
 */
#pragma once

#include <sys/types.h>

#include "core/loop.h"
#include "drivers/backoff.h"

typedef struct hr_worker_pool hr_worker_pool;

/* Zeros mean the defaults; argv, env and the texts are copied. */
struct hr_worker_pool_options {
    const char *const *argv;   /* ends with NULL; argv[0] by PATH, if it has no slash */
    const char *const *env;    /* ends with NULL; NULL: the caller's environment */
    const char *directory;     /* where they start; NULL: the caller's */
    unsigned workers;          /* at most, started as requests come; 0: 1 */
    hr_usec limit;             /* of one request at a worker; 0: 30 s */
    size_t max_line;           /* of a request, and of an answer, without the line end; 0: 1 MiB */
    unsigned max_requests;     /* of a worker, which is then replaced; 0: no limit */
    hr_usec grace;             /* that a worker has to end, once its input has; 0: 2 s */
    struct hr_backoff backoff; /* between starts, while they end without an answer; zeros: from
                                * 100 ms to 10 s, with jitter */
    /* Whether a line can be an answer: line[0] == '{' tells most banners from JSON. What cannot
     * fails its request, with the line in the record, and its worker is killed. NULL: each can. */
    bool (*is_answer)(const char *line, size_t size, void *cookie);
    /* Gets each line that a worker says on standard error, NUL-terminated, those longer than
     * max_line in pieces; called in a task, whose worker it holds up. NULL: that is the caller's
     * own. */
    void (*said)(pid_t worker, const char *line, size_t size, void *cookie);
    void *cookie;
};

/* NULL, with a record: -EINVAL (no argv), -ENOMEM. Nothing is started yet. */
HR_PUBLIC hr_owned hr_worker_pool *hr_worker_pool_new(const struct hr_worker_pool_options *options);

/* Waits for a worker, first come first served, and for its answer, the caller's to free(),
 * NUL-terminated and without its line end; *ret_size (or NULL) is its length. 0, or
 *   HR_ELOST     the worker ended, or ended its output, before it answered; the record says how
 *   -ETIMEDOUT   limit passed; the worker was killed
 *   -EMSGSIZE    the request or the answer is longer than max_line (in the latter case the worker
 *                was killed, and the record's sent is set)
 *   -EPROTO      is_answer refused what it said; the worker was killed, and sent is set
 *   -EINVAL      there is a line end in the request
 *   -ECANCELED   the task was cancelled; a worker that had the request was killed
 *   -ENOENT · -EACCES · -EMFILE · …   no worker can be started: see hr_process_start()
 *   -ENOTCONN    three workers or more in a row ended without an answer, and the backoff lasts; no
 *                worker has seen the request, and the record says how the latest ended
 *   HR_ECLOSED · -ENOMEM · HR_ENOTASK · HR_EWRONGLOOP */
HR_PUBLIC hr_async int hr_worker_pool_ask(hr_worker_pool *pool, const char *line, size_t size,
                                          char **ret, size_t *ret_size);

/* Refuses new requests, waits for those at work, ends the workers' input and waits until all are
 * over, killing who is not after grace. 0, or -ECANCELED: may be called again. Then free; free
 * alone kills them, also after the loop's end. A pool belongs to the first loop that it is used on:
 * another gets HR_EWRONGLOOP, from close as well. */
HR_PUBLIC hr_async int hr_worker_pool_close(hr_worker_pool *pool);
HR_PUBLIC hr_worker_pool *hr_worker_pool_free(hr_worker_pool *pool);
HR_PUBLIC void hr_worker_pool_freep(hr_worker_pool **pool);

struct hr_worker_pool_stats {
    unsigned workers, busy, waiting;
    uint64_t started;  /* since the pool was made */
    uint64_t answered; /* requests */
    uint64_t lost;     /* workers that ended or were killed over a request */
};
/* Of NULL zeros. */
HR_PUBLIC void hr_worker_pool_get_stats(const hr_worker_pool *pool,
                                        struct hr_worker_pool_stats *ret);

/* A failure names the caller's place in the program. */
#define hr_worker_pool_ask(...) hr_from_here(hr_worker_pool_ask(__VA_ARGS__))
