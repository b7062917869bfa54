/* SPDX-License-Identifier: MIT */
/*
 * One line an item on standard output: for a first look, for pipes and for tests.
 */
#include <stdio.h>
#include <unistd.h>

#include "daemon/item/json.h"
#include "daemon/output.h"
#include "daemon/sink/sink.h"

struct print {
    struct sink sink;
};

/* An item that was not decoded is printed as it is, any other as compact JSON; one that cannot be
 * written as that is a dead item. */
static int add_item(FILE *to, const struct job_conf *conf, struct batch *batch, size_t i)
{
    const struct item *item = &batch->items[i];
    bool raw = conf->decode == DECODE_RAW && json_type(item->value) == JSON_STRING;
    struct arena_mark before = arena_mark(batch->arena);
    struct failure why;
    size_t len;
    const char *text = raw ? json_text(item->value, &len) : NULL;
    int r = raw ? 0 : json_write(batch->arena, item->value, &text, &len, &why);
    if (r < 0) {
        arena_rewind(batch->arena, before);
        if (r == -ENOMEM || (r == -E2BIG && batch_is_crowded(batch)))
            return r;
        batch_fail(batch, i, FATE_DEAD, &why);
        return 0;
    }
    fwrite(text, 1, len, to);
    fputc('\n', to);
    return 0;
}

static int print_commit(struct sink *sink, struct batch *batch, enum verdict verdict)
{
    batch->split = verdict == VERDICT_SPLIT;
    if (batch->split)
        return 0;
    char *data = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&data, &len);
    int r = to ? 0 : -ENOMEM;
    for (size_t i = 0; i < batch->n && r >= 0; i++) {
        if (batch->items[i].fate == FATE_LIVE)
            r = add_item(to, sink->conf, batch, i);
    }
    if (to && fclose(to) != 0)
        r = -ENOMEM;
    if (r >= 0)
        return output_write(STDOUT_FILENO, data, len);
    free(data);
    return hr_fail(r, "printing a batch: out of memory");
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
