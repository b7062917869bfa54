/* SPDX-License-Identifier: MIT */
/*
 * Blocking calls made cooperative: in a task, read(), poll(), sleep() … suspend that task only.
 *
 * Loading libheadrace-patch.so is all it takes: linked in front of libc, or preloaded into a
 * program that runs tasks. Client libraries that know nothing of tasks then share a thread. Outside
 * of tasks (callbacks of a loop, other threads, programs without a loop) every call is the plain
 * one.
 *
 *     cc prog.c $(pkg-config --cflags --libs headrace-patch) -lhiredis
 *     HEADRACE_PATCH=all,-names LD_PRELOAD=libheadrace-patch.so.0 ./prog
 *
 * Results, errno and partial transfers are those of the plain calls, timeouts set on sockets count,
 * and descriptors keep their flags. What is new: where a task has to wait, a cancel or a limit
 * makes the call fail with ECANCELED (not EINTR, which libraries try again for ever), unless it has
 * moved some bytes already: then it says how many. hr_task_cancelling() tells a cancel from an
 * error behind a library that reports all of them alike. docs/patch.md has what is covered and what
 * not.
 */
#pragma once

#include "core/base.h"

enum hr_patch_family {
    HR_PATCH_TIME = 1,   /* "time": sleep, usleep, nanosleep, clock_nanosleep */
    HR_PATCH_STREAM = 2, /* "stream": read, readv, write, writev on what can be polled */
    HR_PATCH_FILE = 4,   /* "file": the same on regular files and disks, in the default pool */
    HR_PATCH_SOCKET = 8, /* "socket": recv…, send…, connect, accept, accept4 */
    HR_PATCH_POLL = 16,  /* "poll": poll, ppoll, select, pselect, epoll_wait, epoll_pwait */
    HR_PATCH_NAMES = 32, /* "names": getaddrinfo, getnameinfo, gethostby…, in the default pool */
    HR_PATCH_ALL = 63,   /* "all" */
};

/* Chooses the families that are cooperative from now on, for the whole process; 0 leaves all calls
 * plain. Before it is called, those of the environment's HEADRACE_PATCH are: words with commas
 * between them, "-" in front of one takes it away ("all,-names", "time,poll", "none"); without the
 * variable, all. A call that waits already goes on as it began. Programs that link the library call
 * this at start-up, which also keeps the linker from dropping it. 0; -EINVAL: no such family. */
HR_PUBLIC int hr_patch(unsigned families);

/* The families that are cooperative. */
HR_PUBLIC unsigned hr_patched(void);
