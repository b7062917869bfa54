/* SPDX-License-Identifier: MIT */
/*
 * One worker of a pool: a program, the request that is with it, and the task that minds it.
 */
#pragma once

#include "core/buf.h"
#include "core/event.h"
#include "core/list.h"
#include "drivers/pool.h"
#include "drivers/process.h"
#include "drivers/worker_pool.h"

struct hr_worker_pool {
    struct hr_worker_pool_options options; /* every default put in; the texts are the pool's */
    char **argv, **env;
    char *directory;
    char name[80]; /* "python3 score.py", for messages */
    hr_pool *pool;
    struct hr_backoff backoff;
    hr_usec start_at;       /* no worker before: the latest ended without an answer */
    unsigned barren;        /* so many in a row did, over a request or by speaking before it */
    char last_end[96];      /* what the latest of them did */
    unsigned refs;          /* its owner, each request, each worker */
    struct hr_list workers; /* those that are minded */
    hr_event alone;         /* there are none */
    uint64_t started, answered, lost;
};

struct hr__worker {
    struct hr_list link;
    hr_worker_pool *pool;
    hr_process *process;
    hr_task *minder;     /* NULL once it is over; borrowed */
    hr_handle *patience; /* until it is killed that should have ended */
    bool closed;         /* no loan any more */
    bool fresh;          /* not asked yet */
    bool retired;        /* had as many requests as one may: it goes in peace */
    unsigned answered;
    struct hr_buf request;
};

extern const struct hr_conn_ops hr__worker_ops;

/* Asks and takes the answer. What is no success leaves a worker of no use. Codes of
 * hr_worker_pool_ask(). */
hr_async int hr__worker_exchange(struct hr__worker *worker, const char *line, size_t size,
                                 char **ret, size_t *ret_size);

/* Notes that it was of no use, since it spoke before it was asked. */
void hr__worker_spoke_early(struct hr__worker *worker);

void hr__worker_pool_unref(hr_worker_pool *pool);
