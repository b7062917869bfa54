/* SPDX-License-Identifier: MIT */
#include "daemon/queue.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/errors.h"
#include "daemon/lua/scripts.h"

/* Two parts of a dead letter fit easily. */
#define SCRATCH_MAX ((size_t)64 * 1024)

/* Whether a key has a hash tag as Redis Cluster finds it: text between the first { and the next }.
 */
static bool has_hash_tag(const char *key)
{
    const char *open = strchr(key, '{');
    const char *close = open ? strchr(open, '}') : NULL;
    return close && close > open + 1;
}

static char *name_of(const struct queue *queue, const char *what)
{
    char *name = NULL;
    if (asprintf(&name, "%s%s", queue->prefix, what) < 0)
        return NULL;
    return name;
}

struct queue *queue_new(const struct job_conf *conf, const char *instance, const char *host,
                        hr_redis *redis, hr_redis *dead_redis)
{
    struct queue *queue = calloc(1, sizeof(*queue));
    if (!queue)
        return NULL;
    queue->conf = conf;
    queue->instance = instance;
    queue->host = host;
    queue->redis = redis;
    queue->dead_redis = dead_redis;
    queue->dead_remote = dead_redis != redis;

    const char *key = conf->source.key ? conf->source.key : conf->name;
    if (asprintf(&queue->prefix, has_hash_tag(key) ? "%s:hr:" : "{%s}:hr:", key) < 0)
        queue->prefix = NULL;
    queue->list = strdup(key);
    queue->dead = strdup(conf->dead.key);
    if (!queue->prefix || !queue->list || !queue->dead)
        return queue_free(queue);

    queue->paused = name_of(queue, "paused");
    queue->own = name_of(queue, "own");
    queue->leases = name_of(queue, "leases");
    queue->delayed = name_of(queue, "delayed");
    queue->later = name_of(queue, "later");
    queue->oversize = name_of(queue, "oversize");
    queue->scratch = arena_new(SCRATCH_MAX);
    if (!queue->paused || !queue->own || !queue->leases || !queue->delayed || !queue->later ||
        !queue->oversize || !queue->scratch)
        return queue_free(queue);
    return queue;
}

struct queue *queue_free(struct queue *queue)
{
    if (!queue)
        return NULL;
    free(queue->list);
    free(queue->dead);
    free(queue->prefix);
    free(queue->paused);
    free(queue->own);
    free(queue->leases);
    free(queue->delayed);
    free(queue->later);
    free(queue->oversize);
    arena_free(queue->scratch);
    free(queue);
    return NULL;
}

void queue_random_id(char ret[33])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bits[16];
    /* The kernel's pool is ready long before any service starts, and 16 bytes come whole. */
    hr_assert(getrandom(bits, sizeof(bits), 0) == (ssize_t)sizeof(bits));
    for (size_t i = 0; i < sizeof(bits); i++) {
        ret[2 * i] = digits[bits[i] >> 4];
        ret[2 * i + 1] = digits[bits[i] & 15];
    }
    ret[32] = '\0';
}

struct hr_redis_arg queue_batch_key(const struct queue *queue, const char *id,
                                    char buffer[QUEUE_BATCH_KEY_MAX])
{
    /* An id may be what somebody wrote into our keys: cut, it names no batch. */
    int len = snprintf(buffer, QUEUE_BATCH_KEY_MAX, "%sbatch:%.32s", queue->prefix, id);
    hr_assert(len > 0 && len < QUEUE_BATCH_KEY_MAX);
    return hr_redis_bytes(buffer, (size_t)len);
}

int queue_ask(struct queue *queue, hr_reply **ret, const struct queue_call *call)
{
    return hr_redis_eval(queue->redis, ret, call->script, call->n_keys, call->keys, call->n_args,
                         call->args);
}

static void tell(struct queue *queue, int code)
{
    if (queue->changed)
        queue->changed(queue->cookie, code);
}

int queue_insist(struct queue *queue, hr_reply **ret, const struct queue_call *call)
{
    struct hr_backoff pause = {hr_ms(20), hr_seconds(3), 2, true, 0};
    for (;;) {
        int r = queue_ask(queue, ret, call);
        bool again =
            r < 0 && r != -ECANCELED && error_is_outage(error_classify(r, hr_last_error()));
        if (again) {
            tell(queue, r);
            r = hr_sleep(hr_backoff_next(&pause));
            again = r >= 0;
        }
        if (!again) {
            if (pause.attempt > 0)
                tell(queue, 0);
            return r;
        }
    }
}

int queue_wait(struct queue *queue, hr_usec span)
{
    hr_auto(hr_redis_releasep) hr_redis_conn *conn = NULL;
    int r = hr_redis_acquire(queue->redis, &conn);
    if (r < 0)
        return r;
    /* Leaving it early can lose nothing, so to the client it is a command like any other: a cancel
     * closes the connection at once, even when the server is frozen. */
    hr_usec most = queue->conf->source.server->command_timeout / 2;
    span = span < 1000 ? 1000 : span < most ? span : most;
    const char *end = queue->conf->source.head_right ? "RIGHT" : "LEFT";
    char seconds[24];
    snprintf(seconds, sizeof(seconds), "%.3f", (double)span / 1e6);
    return hr_redis_conn_command(conn, NULL, 0, "BLMOVE %s %s %s %s %s", queue->list, queue->list,
                                 end, end, seconds);
}

/* Where the ids of batches begin in an answer of counts.lua. */
#define COUNTS_IDS 7

/* Asks for the counts, with the keys of the batches that an earlier answer named (or none). */
static int ask_counts(struct queue *queue, const hr_reply *known, hr_reply **ret)
{
    size_t batches = known ? hr_reply_len(known) - COUNTS_IDS : 0;
    hr_auto(hr_freep) struct hr_redis_arg *keys = calloc(5 + batches, sizeof(*keys));
    hr_auto(hr_freep) char *names = malloc((batches + 1) * QUEUE_BATCH_KEY_MAX);
    if (!keys || !names)
        return hr_fail(-ENOMEM, "counting %s: out of memory", queue->list);

    keys[0] = hr_redis_str(queue->list);
    keys[1] = hr_redis_str(queue->paused);
    keys[2] = hr_redis_str(queue->own);
    keys[3] = hr_redis_str(queue->delayed);
    keys[4] = hr_redis_str(queue->dead_remote ? queue->list : queue->dead);
    for (size_t i = 0; i < batches; i++) {
        const char *id = hr_reply_str(hr_reply_at(known, COUNTS_IDS + i), NULL);
        keys[5 + i] = queue_batch_key(queue, id ? id : "", names + i * QUEUE_BATCH_KEY_MAX);
    }
    int r = queue_ask(queue, ret, &(struct queue_call){&script_counts, keys, NULL, 5 + batches, 0});
    if (r >= 0 && hr_reply_len(*ret) < COUNTS_IDS) {
        *ret = hr_reply_free(*ret);
        r = hr_fail(-EBADMSG, "counting %s: not an answer of counts.lua", queue->list);
    }
    return r;
}

int queue_count(struct queue *queue, struct queue_counts *ret)
{
    hr_auto(hr_reply_freep) hr_reply *batches = NULL, *counts = NULL;
    int r = ask_counts(queue, NULL, &batches);
    if (r >= 0)
        r = ask_counts(queue, batches, &counts);
    if (r < 0)
        return r;

    int64_t now = hr_reply_int(hr_reply_at(counts, 0));
    int64_t soonest = hr_reply_int(hr_reply_at(counts, 5));
    struct queue_counts answer = {
        .ready = (uint64_t)hr_reply_int(hr_reply_at(counts, 1)),
        .leased = (uint64_t)hr_reply_int(hr_reply_at(counts, 2)),
        .delayed = (uint64_t)hr_reply_int(hr_reply_at(counts, 3)),
        .dead = (uint64_t)hr_reply_int(hr_reply_at(counts, 4)),
        .soonest = soonest == 0 ? HR_FOREVER : hr_ms(soonest > now ? soonest - now : 0),
        .paused = hr_reply_int(hr_reply_at(counts, 6)) != 0,
    };
    if (queue->dead_remote) {
        hr_auto(hr_reply_freep) hr_reply *length = NULL;
        r = hr_redis_command(queue->dead_redis, &length, "LLEN %s", queue->dead);
        if (r < 0)
            return r;
        answer.dead = (uint64_t)hr_reply_int(length);
    }
    *ret = answer;
    return 0;
}

int queue_pause(struct queue *queue, bool paused)
{
    if (paused)
        return hr_redis_command(queue->redis, NULL, "SET %s %s", queue->paused, queue->instance);
    return hr_redis_command(queue->redis, NULL, "DEL %s", queue->paused);
}
