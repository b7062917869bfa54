/* SPDX-License-Identifier: MIT */
/*
 * Simulation: a program of tasks and its fake peers in a world that a seed decides.
 *
 *     static int program(void *arg)
 *     {
 *         int r = hr_sim_listen((struct sockaddr *)&address, sizeof(address), fake_server, NULL);
 *         return r < 0 ? r : client(&address);     // connects by hr_connect(), as it always does
 *     }
 *
 *     struct hr_sim_options options = {.seed = 7, .shuffle = true, .resets = 20};
 *     hr_sim *sim = hr_sim_new(&options);
 *     int r = hr_sim_run(sim, program, NULL);      // the same for seed 7, today and next year
 *
 * Time is virtual: a pass takes a microsecond, and where nothing is ready time jumps to the next
 * deadline or delivery. Streams are real sockets to whom they are given, so that read(2), writev(2)
 * or a client library work on them; behind them the simulation carries the bytes, late, in pieces,
 * or not at all. Whatever is left to chance is drawn from the seed, hr_random() included. What
 * stays real, and is not decided by the seed, is what a program does past the runtime: threads,
 * files, clock_gettime(). A job of an executor takes no time, but the order in which several come
 * back is their threads'.
 *
 * A run that goes wrong is repeated by its seed; its trace says what happened. To meet trouble at
 * every point where a task can be suspended, hr_sim_everywhere() runs a program once for each.
 */
#pragma once

#include <stdio.h>

#include "core/world.h"

typedef struct hr_sim hr_sim;

/* Chances are so many of a thousand. */
struct hr_sim_options {
    uint64_t seed;
    bool shuffle;      /* the seed decides which ready task is next; false: first in, first out */
    bool whole;        /* what was written at once arrives at once; false: in pieces of any size */
    bool threads;      /* threads of its own feed the program: to wait for them is no deadlock */
    hr_usec latency;   /* at most how long a piece or a connect takes; 0: 1 ms */
    unsigned resets;   /* pieces that end their stream: both ends get -ECONNRESET */
    unsigned silences; /* pieces after which nothing comes through any more, and nobody is told */
    unsigned refusals; /* connects that end with -ECONNREFUSED */
    unsigned spurious; /* waits for a descriptor that end although it is not ready */
    FILE *trace;       /* gets a line for each event; NULL: none */
};

/* A world; options are copied, NULL ones mean the defaults. NULL when memory is out. free returns
 * NULL. */
HR_PUBLIC hr_owned hr_sim *hr_sim_new(const struct hr_sim_options *options);
HR_PUBLIC hr_sim *hr_sim_free(hr_sim *sim);

/* For a loop of the caller's own: hr_loop_options.world. One loop a world. */
HR_PUBLIC struct hr_world *hr_sim_world(hr_sim *sim);

/* Runs fn(arg) as the main task of a loop in this world, as hr_run() would, and returns what it
 * returned. -EDEADLK when every task waits and nothing is due or under way: the record says who
 * waits for what. Tasks that do not end within an hour of virtual time after the main one are
 * reported and left. */
HR_PUBLIC int hr_sim_run(hr_sim *sim, hr_task_fn *fn, void *arg);

/* Same program, same seed: same hash of everything that happened, in order. */
HR_PUBLIC uint64_t hr_sim_trace(const hr_sim *sim);

/* How often a task was resumed, or begun. */
HR_PUBLIC uint64_t hr_sim_steps(const hr_sim *sim);

/* --- inside: for programs and peers, in a task of the world's loop */

/* The world of the running loop; NULL: it runs in the real one. */
HR_PUBLIC hr_sim *hr_sim_here(void);

/* From now on a connect to that address begins a task that runs serve(fd, arg), as often as it
 * comes. fd is non-blocking and is closed when serve() returns; what that returns is noted in the
 * trace. Peers still running when the program ends are cancelled. A second call replaces the first;
 * serve NULL: connects are refused, as they are where nobody ever listened. 0, -ENOMEM; -EINVAL
 * outside of a world, or for an address of more than 128 bytes. */
typedef int hr_sim_serve_fn(int fd, void *arg);
struct sockaddr;
HR_PUBLIC int hr_sim_listen(const struct sockaddr *address, unsigned len, hr_sim_serve_fn *serve,
                            void *arg);

/* Two ends of a stream, non-blocking, for the caller to close. 0, -ENOMEM, -EINVAL outside of a
 * world, -EMFILE and the like. */
HR_PUBLIC int hr_sim_stream(int ret[2]);

/* Trouble on the stream that fd is an end of. reset: both ends get -ECONNRESET, what was under way
 * is lost. silence: half-open; nothing comes through any more in either direction, the end neither,
 * and nobody is told. */
HR_PUBLIC void hr_sim_reset(int fd);
HR_PUBLIC void hr_sim_silence(int fd);

/* Adds a line to the trace. */
HR_PUBLIC void hr_sim_note(const char *fmt, ...) hr_printf_like(1, 2);

/* --- trouble at a given step */

/* Called between two slices: suspended is the task that ran last and has just been suspended, NULL
 * when it ended instead. Borrowed. May do what a callback may. */
typedef void hr_sim_hook(hr_task *suspended, void *arg);

/* Has hook(…, arg) called before that step, counted from 1 as hr_sim_steps() does. NULL: none. */
HR_PUBLIC void hr_sim_at(hr_sim *sim, uint64_t step, hr_sim_hook *hook, void *arg);

/* A hook that cancels the task. */
HR_PUBLIC hr_sim_hook hr_sim_cancel;

/* Runs fn(arg) in fresh worlds of the same options, the n-th with hook(…, arg) at step n, until one
 * ends without having come to its step. *ret_runs (or NULL) is how many runs there were. 0; or what
 * fn returned in the first run in which that was negative and not -ECANCELED, with its record, and
 * *ret_runs is the number of that run: it can be repeated by hr_sim_at(). -ENOMEM, -EINVAL (no
 * hook). */
HR_PUBLIC int hr_sim_everywhere(const struct hr_sim_options *options, hr_task_fn *fn,
                                hr_sim_hook *hook, void *arg, uint64_t *ret_runs);
