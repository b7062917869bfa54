/* SPDX-License-Identifier: MIT */
/*
 * A child process from the inside: how it is started, and how its end is learnt. Inside core/ only.
 */
#pragma once

#include <pthread.h>

#include "core/child.h"

/* The end of one process, as a descriptor that can be read once it has come. */
struct hr__child_end {
    pid_t pid;
    int fd;           /* a pidfd, or the pipe of a thread that waits; -1: closed */
    bool by_thread;   /* no pidfd here */
    pthread_t thread; /* with by_thread */
};

/* Begins to watch a child that nobody has waited for yet. 0; -ECHILD (it is gone already), or why
 * there is no descriptor or thread: then the process has to be ended by the caller. */
int hr__child_end_open(struct hr__child_end *end, pid_t pid);
void hr__child_end_close(struct hr__child_end *end);

/* The same in a forked child, where the thread is not. */
void hr__child_end_leave(struct hr__child_end *end);

/* Blocks until fd can be read. False when the limit passed. */
bool hr__child_end_poll(const struct hr__child_end *end, hr_usec limit);

/* Takes the status of a process that is over: 0, -EAGAIN (it is not), -ECHILD (taken already). */
int hr__child_end_reap(struct hr__child_end *end, struct hr_child_exit *ret);

/* Sends a signal to the process that was not reaped. 0 or -errno. */
int hr__child_end_signal(const struct hr__child_end *end, int signal);

/* The descriptor of a child's end, to be polled together with others; the child's. */
int hr__child_end_fd(const hr_child *child);

/* Tests: no pidfd from now on. */
extern bool hr__child_without_pidfd;

/* Starts the program. pipes gets our ends of its streams, -1 where there is none. 0, or a code with
 * a record. */
int hr__child_start(const struct hr_child_options *options, int pipes[3], pid_t *ret);
