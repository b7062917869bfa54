/* SPDX-License-Identifier: MIT */
/*
 * A program that tasks run, talk to and end: arguments without a shell, streams that wait, bounds
 * on everything it says.
 *
 *     struct hr_process_output said;
 *     int r = hr_process_run(&(struct hr_process_options){
 *         .argv = (const char *const[]){"sort", "-u", NULL}, .input = text, .input_size = size,
 *         .limit = hr_seconds(5)}, &said);
 *
 * It has a process group of its own. Who is in it ends with it: what it left running there is
 * killed when it is over, and ending it ends them all. Below: core/child.h.
 */
#pragma once

#include "core/child.h"

typedef struct hr_process hr_process;

/* Zeros mean the defaults. */
struct hr_process_options {
    const char *const *argv;           /* ends with NULL; argv[0] is the name it sees */
    const char *file;                  /* the program; NULL: argv[0]. Without a slash: by PATH */
    const char *const *env;            /* ends with NULL; NULL: the caller's environment */
    const char *directory;             /* where it starts; NULL: the caller's */
    struct hr_child_stream streams[3]; /* standard input, output, error; zeros: the caller's own */
    hr_usec grace;                     /* from SIGTERM to SIGKILL; 0: 2 s */
    size_t max_line;                   /* of hr_process_read_line(); 0: 1 MiB */

    /* For hr_process_run() only, which makes pipes of the streams that it needs. */
    const void *input; /* its standard input; NULL: as streams[0] says, and a pipe is empty */
    size_t input_size;
    size_t max_output; /* of standard output and error, each; 0: 16 MiB */
    hr_usec limit;     /* then it is ended; 0: none */
};

/* Starts it on the running loop. NULL, with a record that names the program: -ENOENT (no such
 * program or folder), -EACCES, -ENOEXEC, -E2BIG, -EAGAIN, -EMFILE, -ENOMEM, -EINVAL, HR_ENOLOOP. */
HR_PUBLIC hr_owned hr_process *hr_process_start(const struct hr_process_options *options);

/* Kills it and its group at once if it is not over, closes its streams; never waits and leaves no
 * zombie. Also after the loop's end, when it can be awaited and ended on another loop, too, while
 * its streams are of no more use there (HR_EWRONGLOOP). NULL is fine; returns NULL. */
HR_PUBLIC hr_process *hr_process_free(hr_process *process);
HR_PUBLIC void hr_process_freep(hr_process **process);

/* Its process number, also after its end; 0 for NULL. */
HR_PUBLIC pid_t hr_process_pid(const hr_process *process);

/* Reads what it says, of stream 1 or 2 where that is a pipe: at least one byte and at most size
 * (> 0), 0 at the end. -ECANCELED (nothing was read), -EINVAL (no pipe), -EBUSY (another task reads
 * there), HR_ECLOSED (the process was freed meanwhile), HR_EWRONGLOOP, HR_ENOTASK, or -errno. */
HR_PUBLIC hr_async ssize_t hr_process_read(hr_process *process, int stream, void *bytes,
                                           size_t size);

/* The next line without its end, NUL-terminated, the process' own until the next read there: 1; 0
 * at the end. What follows the last line end is a line, too. Codes of read, or
 *   -EMSGSIZE    longer than max_line; hr_process_read() gives its bytes
 *   -ENOMEM */
HR_PUBLIC hr_async int hr_process_read_line(hr_process *process, int stream, const char **ret,
                                            size_t *ret_size);

/* Writes all of it to its standard input, waiting as often as it takes: while it does not read no
 * more than a pipe's worth is on its way. 0; -EPIPE (it reads no more), -EINVAL (no pipe, or
 * closed), HR_ECLOSED (it was closed or freed meanwhile), -ECANCELED (some may have gone), -EBUSY,
 * HR_EWRONGLOOP, HR_ENOTASK, or -errno. */
HR_PUBLIC hr_async int hr_process_write(hr_process *process, const void *bytes, size_t size);

/* Ends its input: it reads what was written, then the end. Twice is fine, and so is NULL. */
HR_PUBLIC void hr_process_close_input(hr_process *process);

/* Waits until it is over; any number of tasks may, and again afterwards. ret may be NULL. Codes of
 * hr_child_wait(). */
HR_PUBLIC hr_async int hr_process_wait(hr_process *process, struct hr_child_exit *ret);

/* Ends it and its group: SIGTERM, and SIGKILL if it is not over after grace; at once when the task
 * is cancelled meanwhile. Codes of wait. */
HR_PUBLIC hr_async int hr_process_stop(hr_process *process, struct hr_child_exit *ret);

/* Sends a signal to it alone. 0, -ESRCH (over), -EINVAL, -EPERM. */
HR_PUBLIC int hr_process_kill(hr_process *process, int signal);

struct hr_process_output {
    struct hr_child_exit exit; /* a status other than 0 is no error of the call */
    char *out, *err;           /* what it said, NUL-terminated; NULL where that was no pipe */
    size_t out_size, err_size;
};

/* Runs a program from beginning to end: input goes in while output and error, where streams[1] and
 * [2] are zeros, come out. *ret is the caller's, for hr_process_output_done(). 0, the codes of
 * hr_process_start() and hr_process_wait(), or, and it is over with all of its group:
 *   -ETIMEDOUT   limit passed
 *   -EMSGSIZE    it said more than max_output
 *   -ECANCELED   the task was cancelled
 * A program that does not read all of its input is no error. */
HR_PUBLIC hr_async int hr_process_run(const struct hr_process_options *options,
                                      struct hr_process_output *ret);
HR_PUBLIC void hr_process_output_done(struct hr_process_output *output);

/* A failure names the caller's place in the program. */
#define hr_process_read(...)      hr_size_from_here(hr_process_read(__VA_ARGS__))
#define hr_process_read_line(...) hr_from_here(hr_process_read_line(__VA_ARGS__))
#define hr_process_write(...)     hr_from_here(hr_process_write(__VA_ARGS__))
#define hr_process_wait(...)      hr_from_here(hr_process_wait(__VA_ARGS__))
#define hr_process_stop(...)      hr_from_here(hr_process_stop(__VA_ARGS__))
#define hr_process_run(...)       hr_from_here(hr_process_run(__VA_ARGS__))
