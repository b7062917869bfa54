/* SPDX-License-Identifier: MIT */
/*
 * Lines of standard input or of a file, one item each: for tests and backfills.
 *
 * A thread reads, as a file or a terminal may take its time. The lines of one batch are made to
 * look like a reply of Redis, so everything behind is the same. Nothing is kept for a second
 * attempt: what fails for a reason that may pass is a dead letter too.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/fault.h"
#include "daemon/acknowledge.h"
#include "daemon/item/plural.h"
#include "daemon/job.h"
#include "drivers/redis/reply.h"

#define READ_SIZE ((size_t)64 * 1024)

struct lines {
    struct source source;
    int fd;
    char *data; /* read and not yet handed out */
    size_t len, capacity;
    bool ended;    /* nothing more will come */
    bool skipping; /* inside a line whose beginning was too long */
};

struct reading {
    const char *path;
    int fd;
    char *to;
    size_t room;
};

/* Runs in a thread. The number of bytes, 0 at the end. */
static int read_some(void *arg, void **ret_value)
{
    struct reading *reading = arg;
    ssize_t n;
    do
        n = HR_FAULT("fail-read") ? -1 : read(reading->fd, reading->to, reading->room);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return (int)n;
    int code = errno ? -errno : -EIO;
    const char *name = strcmp(reading->path, "-") == 0 ? "standard input" : reading->path;
    return hr_fail(code, "reading %s: %s", name, strerror(-code));
}

/* Makes room for another read. */
static int reserve(struct lines *lines)
{
    if (lines->capacity - lines->len >= READ_SIZE)
        return 0;
    size_t capacity = lines->len + 2 * READ_SIZE;
    char *data = realloc(lines->data, capacity);
    if (!data)
        return hr_fail(-ENOMEM, "reading lines: out of memory");
    lines->data = data;
    lines->capacity = capacity;
    return 0;
}

/* Reads what there is, waiting for at least a byte. */
static int fill(struct lines *lines)
{
    struct job *job = lines->source.job;
    int r = reserve(lines);
    if (r < 0)
        return r;
    /* A pipe or a terminal is waited for here, where a cancel can interrupt. A file is always ready
     * (-EPERM), and only a slow disk makes the thread below wait. */
    job_look_begin(job);
    r = job_look_end(job, hr_wait_fd(lines->fd, HR_READ));
    if (r < 0 && r != -EPERM)
        return r;

    struct reading reading = {job->conf->source.path, lines->fd, lines->data + lines->len,
                              READ_SIZE};
    hr_shield_enter(); /* the buffer has to outlive the read */
    int n = hr_join(hr_run_in_executor(NULL, read_some, &reading, NULL));
    hr_shield_leave();
    if (n < 0)
        return n;
    lines->len += (size_t)n;
    lines->ended = n == 0;
    return 0;
}

/* How much of the data is one batch: whole lines, up to the bounds; 0: none is whole yet. */
static size_t whole_lines(const struct lines *lines)
{
    const struct job *job = lines->source.job;
    size_t taken = 0;
    for (unsigned n = 0; n < job->most_items && taken < lines->len; n++) {
        const char *end = memchr(lines->data + taken, '\n', lines->len - taken);
        size_t next = end ? (size_t)(end + 1 - lines->data) : lines->ended ? lines->len : taken;
        if (next == taken || (taken > 0 && next > job->conf->sink.batch_bytes))
            break;
        taken = next;
    }
    return taken;
}

/* A line longer than it may be: its beginning is a dead letter, its rest is passed over. */
static size_t too_long(struct lines *lines)
{
    size_t most = lines->source.job->conf->source.max_payload;
    if (lines->len <= most || memchr(lines->data, '\n', most + 1))
        return 0;
    return most;
}

static void drop(struct lines *lines, size_t n)
{
    lines->len -= n;
    memmove(lines->data, lines->data + n, lines->len);
}

/* Passes over the rest of a line that was too long. */
static void skip(struct lines *lines)
{
    const char *end = memchr(lines->data, '\n', lines->len);
    drop(lines, end ? (size_t)(end + 1 - lines->data) : lines->len);
    lines->skipping = !end;
}

static int take(struct lines *lines, size_t n, bool cut, struct batch **ret)
{
    char id[33];
    queue_random_id(id);
    char *data = malloc(n + 1);
    if (!data)
        return hr_fail(-ENOMEM, "reading lines: out of memory");
    memcpy(data, lines->data, n);
    struct batch *batch = batch_of_lines(id, data, n);
    if (!batch)
        return -ENOMEM;
    batch->generation = 1;
    batch->until = HR_FOREVER;
    drop(lines, n);
    lines->skipping = cut;
    if (cut) {
        struct failure failure;
        failure_set(&failure, error_class_name(CLASS_MAX_PAYLOAD), 0,
                    "the line is longer than %zu %s; the payload is its beginning", n,
                    plural(n, "byte", "bytes"));
        batch_fail(batch, 0, FATE_DEAD, &failure);
    }
    *ret = batch;
    return 0;
}

static int lines_next(struct source *source, struct batch **ret)
{
    struct lines *lines = hr_container_of(source, struct lines, source);
    struct job *job = source->job;
    size_t n = 0, cut = 0;
    for (;;) {
        if (job->stopping)
            return HR_ESHUTDOWN;
        if (lines->skipping)
            skip(lines);
        cut = lines->skipping ? 0 : too_long(lines);
        n = cut ? cut : lines->skipping ? 0 : whole_lines(lines);
        if (n > 0)
            break;
        if (lines->ended)
            return HR_EEND;
        int r = fill(lines);
        if (r < 0)
            return r;
    }
    int r = budget_charge(job->budget, n);
    if (r < 0)
        return r;
    r = solitude_join(job->solitude);
    if (r >= 0) {
        r = take(lines, n, cut > 0, ret);
        if (r < 0)
            solitude_leave(job->solitude);
    }
    if (r < 0)
        budget_adjust(job->budget, n, 0);
    else
        (*ret)->charged = n;
    return r;
}

static int lines_finish(struct source *source, struct batch *batch)
{
    return acknowledge_apart(source->job, source->queue, batch);
}

static void lines_free(struct source *source)
{
    struct lines *lines = hr_container_of(source, struct lines, source);
    if (lines->fd > STDIN_FILENO)
        close(lines->fd);
    queue_free(source->queue);
    free(lines->data);
    free(lines);
}

static const struct source_ops lines_ops = {
    .kind = "lines",
    .next = lines_next,
    .finish = lines_finish,
    .free = lines_free,
};

struct source *source_lines_new(struct job *job, struct queue *dead)
{
    const char *path = job->conf->source.path;
    struct lines *lines = calloc(1, sizeof(*lines));
    if (!lines)
        return NULL;
    lines->source = (struct source){&lines_ops, job, dead};
    lines->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (lines->fd < 0) {
        hr_fail(-errno, "%s: %s", path, strerror(errno));
        free(lines);
        return NULL;
    }
    return &lines->source;
}
