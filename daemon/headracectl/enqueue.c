/* SPDX-License-Identifier: MIT */
/*
 * enqueue: lines of a file or of standard input, pushed as items in their order.
 *
 * They go to the daemon in requests of about PART_BYTES that end with a line.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "daemon/headracectl/ask.h"
#include "daemon/item/plural.h"

#define PART_BYTES ((size_t)1024 * 1024)
#define LINE_BYTES ((size_t)7 * 1024 * 1024) /* the admin server takes bodies of 8 MiB */

struct input {
    const char *name;
    int fd;
    char *bytes;
    size_t len, capacity;
    uint64_t lines; /* sent */
    bool ended;
};

static int open_input(struct ctl *ctl, struct input *input)
{
    const char *name = ctl->n_args > 1 ? ctl->args[1] : "-";
    *input = (struct input){.name = name, .fd = STDIN_FILENO};
    input->capacity = LINE_BYTES + PART_BYTES;
    input->bytes = malloc(input->capacity);
    if (!input->bytes)
        return ctl_fail(ctl, EX_SOFTWARE, "out of memory");
    if (strcmp(name, "-") == 0) {
        input->name = "standard input";
        return 0;
    }
    input->fd = open(name, O_RDONLY | O_CLOEXEC);
    if (input->fd >= 0)
        return 0;
    return ctl_fail(ctl, errno == EACCES ? EX_NOPERM : EX_DATAERR, "%s: %s", name, strerror(errno));
}

static void input_done(struct input *input)
{
    if (input->fd > STDIN_FILENO)
        close(input->fd);
    free(input->bytes);
}

/* Reads until there is a part's worth, or nothing more comes. */
static int fill(struct ctl *ctl, struct input *input)
{
    while (!input->ended && input->len < input->capacity) {
        if (input->len >= PART_BYTES && memrchr(input->bytes, '\n', input->len))
            return 0;
        ssize_t n = read(input->fd, input->bytes + input->len, input->capacity - input->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ctl_fail(ctl, EX_DATAERR, "%s: %s", input->name, strerror(errno));
        input->ended = n == 0;
        input->len += (size_t)n;
    }
    return 0;
}

/* How many of the bytes are whole lines that fit one request. */
static size_t part(const struct input *input)
{
    const char *end = memrchr(input->bytes, '\n', input->len);
    if (input->ended && input->len <= LINE_BYTES)
        return input->len;
    return end ? (size_t)(end + 1 - input->bytes) : 0;
}

static uint64_t count_lines(const char *bytes, size_t len)
{
    uint64_t lines = 0;
    for (const char *at = bytes; (at = memchr(at, '\n', len - (size_t)(at - bytes))); at++)
        lines++;
    return lines;
}

static int send_part(struct ctl *ctl, struct input *input, const char *path, uint64_t *pushed)
{
    size_t len = part(input);
    if (len == 0)
        return ctl_fail(ctl, EX_DATAERR,
                        "%s:%" PRIu64 ": a line of more than 7 MiB cannot be pushed; %" PRIu64
                        " %s before it %s been",
                        input->name, input->lines + 1, *pushed, plural(*pushed, "item", "items"),
                        plural(*pushed, "has", "have"));
    hr_auto(ask_done) struct reply reply = {0};
    int status = ask(ctl, path, input->bytes, len, &reply);
    if (status != 0) {
        if (*pushed > 0)
            fprintf(stderr,
                    "headracectl: %" PRIu64 " %s had been pushed before, up to line %" PRIu64
                    " of %s\n",
                    *pushed, plural(*pushed, "item", "items"), input->lines, input->name);
        return status;
    }
    *pushed += reply_number(reply.json, "pushed");
    input->lines += count_lines(input->bytes, len);
    input->len -= len;
    memmove(input->bytes, input->bytes + len, input->len);
    return 0;
}

int enqueue_command(struct ctl *ctl)
{
    hr_auto(hr_freep) char *path = ask_job_path(ctl->args[0], "/enqueue");
    hr_auto(input_done) struct input input;
    uint64_t pushed = 0;
    int status = open_input(ctl, &input);
    while (status == 0) {
        status = fill(ctl, &input);
        if (status == 0 && input.len == 0)
            break;
        if (status == 0)
            status = send_part(ctl, &input, path, &pushed);
    }
    if (status != 0)
        return status;
    if (ctl->json)
        printf("{\"pushed\":%" PRIu64 "}\n", pushed);
    else
        printf("%s: %" PRIu64 " %s pushed\n", ctl->args[0], pushed,
               plural(pushed, "item", "items"));
    return EX_OK;
}
