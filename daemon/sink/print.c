/* SPDX-License-Identifier: MIT */
/*
 * One line an item on standard output: for a first look, for pipes and for tests.
 *
 * The lines of a batch are written by a thread, as a reader that is slow or gone must not stop the
 * loop.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/item/json.h"
#include "daemon/sink/sink.h"

struct print {
    struct sink sink;
};

/* The text of a batch; belongs to the thread that writes it. */
struct lines {
    char *data;
    size_t len;
};

static int write_lines(void *arg, void **ret_value)
{
    struct lines *lines = arg;
    const char *at = lines->data, *end = at + lines->len;
    int r = 0;
    while (at < end && r >= 0) {
        ssize_t n = write(STDOUT_FILENO, at, (size_t)(end - at));
        if (n >= 0)
            at += n;
        else if (errno != EINTR)
            r = hr_fail(-errno, "standard output: %s", strerror(errno));
    }
    free(lines->data);
    free(lines);
    return r;
}

/* An item that was not decoded is printed as it is, any other as compact JSON. */
static int add_item(FILE *to, const struct job_conf *conf, struct batch *batch,
                    const struct item *item)
{
    bool raw = conf->decode == DECODE_RAW && json_type(item->value) == JSON_STRING;
    struct failure why;
    size_t len;
    const char *text = raw ? json_text(item->value, &len) : NULL;
    int r = raw ? 0 : json_write(batch->arena, item->value, &text, &len, &why);
    if (r < 0)
        return r;
    fwrite(text, 1, len, to);
    fputc('\n', to);
    return 0;
}

static int collect(const struct job_conf *conf, struct batch *batch, struct lines **ret)
{
    struct lines *lines = calloc(1, sizeof(*lines));
    FILE *to = lines ? open_memstream(&lines->data, &lines->len) : NULL;
    int r = to ? 0 : -ENOMEM;
    for (size_t i = 0; i < batch->n && r >= 0; i++) {
        if (batch->items[i].fate == FATE_LIVE)
            r = add_item(to, conf, batch, &batch->items[i]);
    }
    if (to && fclose(to) != 0)
        r = -ENOMEM;
    if (r >= 0) {
        *ret = lines;
        return 0;
    }
    if (lines)
        free(lines->data);
    free(lines);
    return hr_fail(r, "printing a batch: out of memory");
}

static int print_commit(struct sink *sink, struct batch *batch, enum verdict verdict)
{
    batch->split = verdict == VERDICT_SPLIT;
    if (batch->split)
        return 0;
    struct lines *lines = NULL;
    int r = collect(sink->conf, batch, &lines);
    if (r < 0)
        return r;
    hr_future *written = hr_run_in_executor(NULL, write_lines, lines, NULL);
    if (!written) {
        free(lines->data);
        free(lines);
        return -ENOMEM;
    }
    return hr_join(written);
}

static void print_free(struct sink *sink)
{
    free(hr_container_of(sink, struct print, sink));
}

static const struct sink_ops print_ops = {
    .kind = "print",
    .commit = print_commit,
    .free = print_free,
};

struct sink *sink_print_new(const struct job_conf *conf)
{
    struct print *print = calloc(1, sizeof(*print));
    if (!print)
        return NULL;
    print->sink = (struct sink){.ops = &print_ops, .conf = conf};
    return &print->sink;
}
