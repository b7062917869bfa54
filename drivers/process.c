/* SPDX-License-Identifier: MIT */
/*
 * How it works: a child of core's in a group of its own, and a watched descriptor for each of its
 * pipes. Output goes through one buffer a stream, so that lines and plain reads may alternate.
 */
#include "drivers/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "core/transfer.h"
#include "drivers/missing.h"
#include "drivers/process/impl.h"
#include "drivers/process/lines.h"

struct hr_process {
    uint64_t home; /* the number of its loop */
    hr_child *child;
    hr_usec grace;
    char name[32]; /* for messages */
    struct stream {
        int fd; /* ours to close; -1: none */
        hr_io *io;
        struct hr__lines lines; /* of an output */
        bool ended;
        struct use *use; /* of the task that reads or writes there; NULL: nobody does */
    } streams[3];
};

/* A call that is at a stream, on its task's stack. */
struct use {
    struct stream *stream; /* NULL once the program was freed */
};

static void close_stream(struct stream *stream)
{
    stream->io = hr_io_free(stream->io);
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
}

static int open_streams(hr_process *process, size_t max_line)
{
    for (int i = 0; i < 3; i++) {
        struct stream *stream = &process->streams[i];
        hr__lines_init(&stream->lines, max_line);
        stream->fd = hr_child_take_pipe(process->child, i);
    }
    for (int i = 0; i < 3; i++) {
        struct stream *stream = &process->streams[i];
        if (stream->fd >= 0 && !(stream->io = hr_io_new(stream->fd)))
            return hr_last_error()->code;
    }
    return 0;
}

hr_process *hr_process_start(const struct hr_process_options *options)
{
    static const struct hr_process_options defaults;
    options = options ? options : &defaults;
    struct hr_child_options child = {
        .argv = options->argv,
        .file = options->file,
        .env = options->env,
        .directory = options->directory,
        .streams = {options->streams[0], options->streams[1], options->streams[2]},
        .group = HR_CHILD_OWN_GROUP,
        .end_group = true,
    };
    if (!hr_running_loop()) {
        hr_fail(HR_ENOLOOP, "a program belongs to a loop that runs");
        return NULL;
    }
    hr_process *process = calloc(1, sizeof(*process));
    if (!process) {
        hr_fail(-ENOMEM, "no memory for a program");
        return NULL;
    }
    for (int i = 0; i < 3; i++)
        process->streams[i].fd = -1;
    process->home = hr_running_loop_number();
    process->grace = options->grace > 0 ? options->grace : hr_seconds(2);
    process->child = hr_child_spawn(&child);
    if (!process->child) {
        free(process);
        return NULL;
    }
    snprintf(process->name, sizeof(process->name), "%s", options->argv[0]);
    if (open_streams(process, options->max_line ? options->max_line : (size_t)1 << 20) < 0)
        return hr_process_free(process);
    return process;
}

hr_process *hr_process_free(hr_process *process)
{
    if (!process)
        return NULL;
    for (int i = 0; i < 3; i++) {
        close_stream(&process->streams[i]);
        if (process->streams[i].use)
            process->streams[i].use->stream = NULL;
        hr__lines_done(&process->streams[i].lines);
    }
    hr_child_free(process->child);
    free(process);
    return NULL;
}

void hr_process_freep(hr_process **process)
{
    *process = hr_process_free(*process);
}

pid_t hr_process_pid(const hr_process *process)
{
    return process ? hr_child_pid(process->child) : 0;
}

/* --- its streams */

static int check_home(const hr_process *process)
{
    uint64_t here = hr_running_loop_number();
    if (here == 0 || here == process->home)
        return 0;
    return hr_fail(HR_EWRONGLOOP, "the program's streams belong to another loop");
}

static int begin_use(struct use *use, const hr_process *process, struct stream *stream)
{
    if (stream->use)
        return hr_fail(-EBUSY, "another task is at this stream of %s", process->name);
    use->stream = stream;
    stream->use = use;
    return 0;
}

static void end_use(struct use *use)
{
    if (use->stream)
        use->stream->use = NULL;
}

static int begin_reading(hr_process *process, int i, struct use *use)
{
    if (!process)
        return hr__missing_object("a program");
    if (i < 1 || i > 2)
        return hr_fail(-EINVAL, "%s: stream %d is neither 1, its output, nor 2, its errors",
                       process->name, i);
    if (process->streams[i].fd < 0)
        return hr_fail(-EINVAL,
                       "%s: stream %d is no pipe to read; .streams[%d].kind = HR_CHILD_PIPE makes "
                       "it one",
                       process->name, i, i);
    int r = check_home(process);
    return r < 0 ? r : begin_use(use, process, &process->streams[i]);
}

/* Receives what there is into the stream's buffer: 1, 0 at the end, or a code. */
static int receive(const struct use *use)
{
    struct stream *stream = use->stream;
    char *room;
    size_t size;
    if (stream->ended)
        return 0;
    int r = hr__lines_room(&stream->lines, &room, &size);
    if (r < 0)
        return hr_fail(r, "no memory for what a program says");
    ssize_t n = hr_io_read(stream->io, room, size);
    if (n < 0)
        return (int)n;
    if (!use->stream)
        return hr_fail(HR_ECLOSED, "the program was freed meanwhile");
    hr__lines_commit(&stream->lines, (size_t)n);
    stream->ended = n == 0;
    return n > 0;
}

ssize_t(hr_process_read)(hr_process *process, int i, void *bytes, size_t size)
{
    struct use use;
    ssize_t n = begin_reading(process, i, &use);
    if (n < 0)
        return n;
    struct stream *stream = use.stream;
    if (hr__lines_held(&stream->lines) > 0)
        n = (ssize_t)hr__lines_take(&stream->lines, bytes, size);
    else if (!stream->ended)
        n = hr_io_read(stream->io, bytes, size);
    end_use(&use);
    return n;
}

static int read_line(const hr_process *process, const struct use *use, const char **ret,
                     size_t *ret_size)
{
    struct hr__lines *lines = &use->stream->lines;
    int r;
    while ((r = hr__lines_next(lines, ret, ret_size)) == 0) {
        r = receive(use);
        if (r < 0)
            return r;
        if (r == 0) {
            r = hr__lines_rest(lines, ret, ret_size);
            break;
        }
    }
    if (r == -EMSGSIZE)
        return hr_fail(r, "%s: a line of more than %zu bytes", process->name, lines->max);
    return r;
}

int(hr_process_read_line)(hr_process *process, int i, const char **ret, size_t *ret_size)
{
    struct use use;
    size_t size;
    int r = begin_reading(process, i, &use);
    if (r < 0)
        return r;
    r = read_line(process, &use, ret, &size);
    end_use(&use);
    if (r > 0 && ret_size)
        *ret_size = size;
    return r;
}

int(hr_process_write)(hr_process *process, const void *bytes, size_t size)
{
    struct use use;
    if (!process)
        return hr__missing_object("a program");
    if (process->streams[0].fd < 0)
        return hr_fail(-EINVAL,
                       "%s: its input is closed, or no pipe; .streams[0].kind = HR_CHILD_PIPE "
                       "makes it one",
                       process->name);
    int r = check_home(process);
    if (r == 0)
        r = begin_use(&use, process, &process->streams[0]);
    if (r < 0)
        return r;
    r = hr_io_write(use.stream->io, bytes, size, NULL);
    if (r == -EPIPE && use.stream)
        r = hr_fail(r, "%s reads no more of its input", process->name);
    end_use(&use);
    return r;
}

void hr_process_close_input(hr_process *process)
{
    if (process)
        close_stream(&process->streams[0]);
}

/* --- its end */

int(hr_process_wait)(hr_process *process, struct hr_child_exit *ret)
{
    return process ? hr_child_wait(process->child, ret) : hr__missing_object("a program");
}

int(hr_process_stop)(hr_process *process, struct hr_child_exit *ret)
{
    return process ? hr_child_stop(process->child, process->grace, ret)
                   : hr__missing_object("a program");
}

int hr_process_kill(hr_process *process, int signal)
{
    return process ? hr_child_kill(process->child, signal) : hr__missing_object("a program");
}

/* --- for the worker pool */

bool hr__process_is_quiet(const hr_process *process)
{
    const struct stream *out = &process->streams[1];
    struct pollfd look = {.fd = out->fd, .events = POLLIN};
    return !hr_child_over(process->child) && !out->ended && hr__lines_held(&out->lines) == 0 &&
           poll(&look, 1, 0) == 0;
}

bool hr__process_has_ended_output(const hr_process *process)
{
    return process->streams[1].ended;
}

bool hr__process_has_spoken(const hr_process *process)
{
    const struct stream *out = &process->streams[1];
    struct pollfd look = {.fd = out->fd, .events = POLLIN};
    return hr__lines_held(&out->lines) > 0 || (poll(&look, 1, 0) > 0 && look.revents & POLLIN);
}

void hr__process_kill_all(hr_process *process)
{
    if (hr_child_over(process->child))
        return;
    hr_child_kill_group(process->child, SIGKILL);
    hr_child_kill(process->child, SIGKILL);
}
