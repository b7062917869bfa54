/* SPDX-License-Identifier: MIT */
/*
 * A child process: a program that is started, given descriptors, waited for and ended.
 *
 *     struct hr_child_options options = {
 *         .argv = (const char *const[]){"sort", "-u", NULL},
 *         .streams = {{HR_CHILD_PIPE}, {HR_CHILD_PIPE}},
 *     };
 *     hr_auto(hr_child_freep) hr_child *sort = hr_child_spawn(&options);
 *     struct hr_child_exit end;
 *     int r = sort ? hr_child_wait(sort, &end) : hr_last_error()->code;
 *
 * Its end comes by a descriptor of its own (a pidfd; where there is none, a thread that waits for
 * this one process), never by SIGCHLD: a program's own children and handlers are left alone. A
 * child belongs to the loop that runs where it is spawned, or without one to its caller. In a
 * process that is forked off it is over: waiting for it is -ECHILD, a signal to it -ESRCH, and
 * freeing it does nothing to its parent's.
 */
#pragma once

#include <sys/types.h>

#include "core/loop.h"

typedef struct hr_child hr_child;

#define HR_CHILD_FDS_MAX 16

enum hr_child_stream_kind {
    HR_CHILD_INHERIT, /* the caller's own */
    HR_CHILD_NULL,    /* /dev/null */
    HR_CHILD_PIPE,    /* a pipe to the caller, whose end is non-blocking */
    HR_CHILD_FD,      /* a copy of fd, which stays the caller's */
};

struct hr_child_stream {
    enum hr_child_stream_kind kind;
    int fd; /* with HR_CHILD_FD only */
};

enum hr_child_group {
    HR_CHILD_OWN_GROUP,   /* a process group of its own: Ctrl-C at the terminal passes it by */
    HR_CHILD_OWN_SESSION, /* a session, without a terminal */
    HR_CHILD_SAME_GROUP,  /* the caller's */
};

struct hr_child_options {
    const char *const *argv;           /* ends with NULL; argv[0] is the name it sees */
    const char *file;                  /* the program; NULL: argv[0]. Without a slash: by PATH */
    const char *const *env;            /* ends with NULL; NULL: the caller's environment */
    const char *directory;             /* where it starts; NULL: the caller's */
    struct hr_child_stream streams[3]; /* standard input, output, error */
    const int *fds;                    /* the caller's; they become 3, 4, ... */
    size_t fd_count;                   /* at most HR_CHILD_FDS_MAX */
    enum hr_child_group group;
    bool end_group; /* whoever is left in its own group when it is over is killed */
};

/* Starts a program, with every signal unblocked and at its default, and no descriptors but those
 * that were named. The calling thread stands still until the program is loaded (some hundred
 * microseconds); nothing of the caller's runs in the new process. NULL, with a record:
 *   -ENOENT · -EACCES · -ENOEXEC · -E2BIG · …   the program cannot be run
 *   -EAGAIN · -EMFILE · -ENOMEM                 no process, descriptor or memory
 *   -EINVAL                                     argv is empty, too many descriptors, a bad kind
 * Where processes are emulated (valgrind, qemu) some of the first line end as exit status 127. */
HR_PUBLIC hr_owned hr_child *hr_child_spawn(const struct hr_child_options *options);

/* Kills it (with its own group) if it is not over, closes our ends of its pipes, frees. On a loop
 * its end is waited for in the background, by a closing loop and without one here: no zombie stays.
 * A task that still waits for it gets HR_ECLOSED. Returns NULL. */
HR_PUBLIC hr_child *hr_child_free(hr_child *child);
HR_PUBLIC void hr_child_freep(hr_child **child);

/* Its process number, also after its end. */
HR_PUBLIC pid_t hr_child_pid(const hr_child *child);

/* Our end of its standard input (0), output (1) or error (2); -1 if that is no pipe, or taken. get
 * lends, take makes it the caller's to close. */
HR_PUBLIC int hr_child_get_pipe(const hr_child *child, int stream);
HR_PUBLIC int hr_child_take_pipe(hr_child *child, int stream);

/* How it ended: by itself with a status, or of a signal. */
struct hr_child_exit {
    int status; /* 0 to 255; -1 when a signal ended it */
    int signal; /* 0 when it ended by itself */
    bool core;  /* it left a core dump */
};

/* "exited with 3" or "died of signal 9 (Killed)", cut to size bytes; returns text. */
HR_PUBLIC const char *hr_child_exit_text(const struct hr_child_exit *end, char *text, size_t size);

/* Waits until it is over; any number of tasks may, and again afterwards. ret may be NULL. A limit
 * is put around it by a timeout scope (core/timeout.h); the child goes on then. 0, or
 *   -ECHILD         it is over, and somebody else took its status: SIGCHLD is ignored, or wait()
 *                   for any child is used elsewhere in the program
 *   -ECANCELED      the task was cancelled
 *   HR_ECLOSED      hr_child_free() was called meanwhile
 *   HR_EWRONGLOOP · HR_ENOTASK · -ENOMEM · -EINVAL (NULL)     misuse; no memory */
HR_PUBLIC hr_async int hr_child_wait(hr_child *child, struct hr_child_exit *ret);

/* The same for threads without a loop: blocks, at most so long (HR_FOREVER: no limit; ≤ 0: only
 * looks). 0, -ECHILD, -ETIMEDOUT. */
HR_PUBLIC int hr_child_wait_blocking(hr_child *child, hr_usec limit, struct hr_child_exit *ret);

/* Whether its end has been seen. */
HR_PUBLIC bool hr_child_over(const hr_child *child);

/* Sends it a signal, alone or with its own group (with HR_CHILD_SAME_GROUP: alone). 0; -ESRCH when
 * it is over, -EINVAL (no such signal, or NULL), -EPERM. */
HR_PUBLIC int hr_child_kill(hr_child *child, int signal);
HR_PUBLIC int hr_child_kill_group(hr_child *child, int signal);

/* Ends it: SIGTERM to its group, and SIGKILL if it is not over after grace. As hr_child_wait();
 * when the task is cancelled meanwhile SIGKILL goes out at once. */
HR_PUBLIC hr_async int hr_child_stop(hr_child *child, hr_usec grace, struct hr_child_exit *ret);
