/* SPDX-License-Identifier: MIT */
/*
 * Many commands, sent at once, and an outcome for each of them.
 *
 *     hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
 *     hr_redis_pipeline_add(p, "INCR visits:%s", page);
 *     hr_redis_pipeline_add(p, "EXPIRE visits:%s 3600", page);
 *     int r = hr_redis_pipeline_run(redis, p);
 *
 * run sends them like so many commands; exec makes them one transaction, MULTI … EXEC in one piece,
 * on the shared connection as well: no other task's command comes in between. A pipeline may be run
 * again. Nothing in it is sent a second time by itself.
 */
#pragma once

#include "drivers/redis.h"
#include "drivers/redis/script.h"

typedef struct hr_redis_pipeline hr_redis_pipeline;

/* How one command ended. */
struct hr_redis_outcome {
    int code;              /* 0, or what hr_redis_command() would have returned; after a transaction
                              that was not carried out -ENOEXEC for those that were not refused */
    bool sent;             /* it left whole: the server may have carried it out */
    const hr_reply *reply; /* the pipeline's; HR_EREPLY: the error; NULL for other codes */
};

/* Empty; NULL: no memory. NULL is taken everywhere below, as a pipeline that has no memory. */
HR_PUBLIC hr_owned hr_redis_pipeline *hr_redis_pipeline_new(void);
HR_PUBLIC hr_redis_pipeline *hr_redis_pipeline_free(hr_redis_pipeline *pipeline);
HR_PUBLIC void hr_redis_pipeline_freep(hr_redis_pipeline **pipeline);

/* Adds a command; words as for hr_redis_command(), copied. 0, -EINVAL or -ENOMEM: then run and exec
 * say so, too, and send nothing, so that a row of adds needs no checks. */
HR_PUBLIC int hr_redis_pipeline_add(hr_redis_pipeline *pipeline, const char *fmt, ...);
HR_PUBLIC int hr_redis_pipeline_add_args(hr_redis_pipeline *pipeline, size_t n,
                                         const struct hr_redis_arg *args);

/* Adds a call of a script, which must stay until the run is over. It is loaded ahead of the other
 * commands, so that it is known whatever the server has forgotten. */
HR_PUBLIC int hr_redis_pipeline_add_script(hr_redis_pipeline *pipeline,
                                           const struct hr_redis_script *script, size_t n_keys,
                                           const struct hr_redis_arg *keys, size_t n_args,
                                           const struct hr_redis_arg *args);

/* Sends all and waits for all replies. 0 when every command succeeded, else the code of the first
 * that did not, with its record, whose message names it: "command 3 of 5, INCR: …". Outcomes are
 * there whenever something was sent. A client with patience waits for its connection, as with a
 * command: -ETIMEDOUT. -EINVAL: there is nothing to send. */
HR_PUBLIC hr_async int hr_redis_pipeline_run(hr_redis *redis, hr_redis_pipeline *pipeline);

/* The same as one transaction. Codes as run, and
 *   HR_EREPLY with the kind EXECABORT   a command was refused, whose reason the message tells, and
 *                                       nothing was carried out
 *   -EAGAIN                             a key that was watched has changed; nothing was carried out
 *   -ENOBUFS                            longer than max_pending
 * HR_ELOST says that all of it may have been carried out, or nothing. An error of a single command,
 * as in run, does not undo the others: that is Redis' idea of a transaction. */
HR_PUBLIC hr_async int hr_redis_pipeline_exec(hr_redis *redis, hr_redis_pipeline *pipeline);

/* Both on a connection of one's own. */
HR_PUBLIC hr_async int hr_redis_conn_pipeline_run(hr_redis_conn *conn, hr_redis_pipeline *pipeline);
HR_PUBLIC hr_async int hr_redis_conn_pipeline_exec(hr_redis_conn *conn,
                                                   hr_redis_pipeline *pipeline);

/* Borrows a connection and watches keys on it: what is read there and then written by
 * hr_redis_conn_pipeline_exec() is written only if none of them has changed (-EAGAIN). Give it back
 * with hr_redis_release(): without exec it is closed, so that it watches no more. Codes as
 * hr_redis_acquire(). */
HR_PUBLIC hr_async int hr_redis_watch(hr_redis *redis, size_t n, const char *const *keys,
                                      hr_redis_conn **ret);

/* Commands added, and how the last run ended for one of them; NULL past the end or when nothing was
 * sent. Valid until the next run, clear or free. */
HR_PUBLIC size_t hr_redis_pipeline_len(const hr_redis_pipeline *pipeline);
HR_PUBLIC const struct hr_redis_outcome *hr_redis_pipeline_at(const hr_redis_pipeline *pipeline,
                                                              size_t i);

/* Empty again, its memory kept. */
HR_PUBLIC void hr_redis_pipeline_clear(hr_redis_pipeline *pipeline);

/* A failure names the caller's place in the program. */
#define hr_redis_pipeline_run(...)       hr_from_here(hr_redis_pipeline_run(__VA_ARGS__))
#define hr_redis_pipeline_exec(...)      hr_from_here(hr_redis_pipeline_exec(__VA_ARGS__))
#define hr_redis_conn_pipeline_run(...)  hr_from_here(hr_redis_conn_pipeline_run(__VA_ARGS__))
#define hr_redis_conn_pipeline_exec(...) hr_from_here(hr_redis_conn_pipeline_exec(__VA_ARGS__))
#define hr_redis_watch(...)              hr_from_here(hr_redis_watch(__VA_ARGS__))
