/* SPDX-License-Identifier: MIT */
/*
 * Items pushed over the admin socket: each line of the body is one, as a producer would push it.
 */
#include <event2/buffer.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/admin.h"
#include "daemon/app.h"
#include "daemon/item/plural.h"
#include "daemon/log.h"

/* What one command pushes at most. */
#define PUSH_ITEMS 500
#define PUSH_BYTES ((size_t)512 * 1024)

/* A command that is being put together: verb, list, items. */
struct push {
    const char *words[2 + PUSH_ITEMS];
    size_t lens[2 + PUSH_ITEMS];
    size_t n, bytes;
};

static void add_word(struct push *push, const char *word, size_t len)
{
    push->words[push->n] = word;
    push->lens[push->n++] = len;
    push->bytes += len;
}

/* Takes lines from *at on, until the command is long enough or there are none left. Empty ones are
 * passed over. */
static void fill(struct push *push, const struct queue *queue, const char **at, const char *end)
{
    push->n = push->bytes = 0;
    /* A producer pushes at the end that is not consumed. */
    const char *verb = queue->conf->source.head_right ? "LPUSH" : "RPUSH";
    add_word(push, verb, strlen(verb));
    add_word(push, queue->list, strlen(queue->list));
    while (*at < end && push->n < HR_ARRAY_LEN(push->words) && push->bytes < PUSH_BYTES) {
        const char *newline = memchr(*at, '\n', (size_t)(end - *at));
        const char *stop = newline ? newline : end;
        if (stop > *at)
            add_word(push, *at, (size_t)(stop - *at));
        *at = newline ? newline + 1 : end;
    }
}

static int refuse_rest(struct admin_call *call, int code, uint64_t pushed)
{
    bool unknown = code == HR_ELOST || code == -ETIMEDOUT;
    bool outage = error_is_outage(error_classify(code, hr_last_error()));
    char why[HR_ERROR_MESSAGE_MAX];
    snprintf(why, sizeof(why), "%s", hr_error_message(code));
    return admin_refuse(call, outage ? 503 : 500, "%" PRIu64 " %s pushed, then: %s%s", pushed,
                        plural(pushed, "item was", "items were"), why,
                        unknown ? "; whether the next ones are in the list is not known" : "");
}

static int enqueue(struct admin_call *call)
{
    const struct job *job = call->job;
    if (job->conf->source.kind != SOURCE_REDIS_LIST)
        return admin_refuse(call, 400, "job %s has no list in Redis to push to", job->conf->name);
    const struct queue *queue = job->source->queue;
    hr_auto(hr_freep) struct push *push = malloc(sizeof(*push));
    if (!push)
        return hr_fail(-ENOMEM, "pushing to %s: out of memory", queue->list);

    uint64_t pushed = 0;
    const char *at = call->body, *end = call->body + call->body_len;
    for (;;) {
        fill(push, queue, &at, end);
        if (push->n == 2)
            break;
        int r = hr_redis_command_argv(queue->redis, NULL, push->n, push->words, push->lens);
        if (r < 0)
            return refuse_rest(call, r, pushed);
        pushed += push->n - 2;
    }
    log_info("job %s: %" PRIu64 " %s pushed by admin socket", job->conf->name, pushed,
             plural(pushed, "item", "items"));
    evbuffer_add_printf(call->answer, "{\"pushed\":%" PRIu64 "}\n", pushed);
    return 200;
}

const struct admin_route admin_enqueue_routes[] = {
    {"POST", "/jobs/NAME/enqueue", enqueue, false},
    {NULL,   NULL,                 NULL,    false},
};
