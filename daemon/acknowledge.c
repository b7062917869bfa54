/* SPDX-License-Identifier: MIT */
/*
 * Dead letters and envelopes are written into an arena and handed to one script. Dead letters for
 * another server are pushed before it: they may come twice then, with the same id.
 */
#include "daemon/acknowledge.h"

#include <stdio.h>
#include <unistd.h>

#include "daemon/item/deadletter.h"
#include "daemon/log.h"
#include "daemon/lua/scripts.h"
#include "daemon/output.h"

/* What is written is a few times as long as the payloads, which a claim has bounded. A limit on top
 * of that would leave a decided batch that nobody can finish. */
static struct arena *new_arena(void)
{
    return arena_new(SIZE_MAX);
}

/* A dead letter of item i, in the arena. */
static int write_letter(struct job *job, const struct batch *batch, size_t i, struct arena *arena,
                        struct hr_redis_arg *ret)
{
    const struct item *item = &batch->items[i];
    struct deadletter letter = {
        .job = job->conf->name,
        .host = job->host,
        .attempts = batch_attempts(batch, i) + 1,
        .first_seen = batch_first_seen(batch, i),
        .last_seen = hr_walltime() / 1000,
        .error = *item->failure,
        .payload = item->payload,
        .payload_len = item->len,
    };
    if (error_class_named(item->failure->error_class) == CLASS_CRASH)
        letter.attempts = batch->crashes;
    batch_item_id(batch, i, letter.id);
    const char *text;
    size_t len;
    int r = 0;
    if (!job->conf->dead.server) /* it goes where the log goes */
        r = redact_letter(&job->redact, arena, job->conf->decode == DECODE_JSON, &letter);
    if (r >= 0)
        r = deadletter_write(arena, &letter, &text, &len);
    if (r < 0)
        return hr_fail(r, "batch %s: no memory for its dead letters", batch->id);
    *ret = hr_redis_bytes(text, len);
    return 0;
}

/* Index, delay and envelope of item i: three arguments of the script. */
static int write_retry(const struct batch *batch, size_t i, struct arena *arena,
                       struct hr_redis_arg ret[3])
{
    const struct item *item = &batch->items[i];
    struct envelope envelope = {
        .attempts = batch_attempts(batch, i) + 1,
        .first_seen = batch_first_seen(batch, i),
        .error = *item->failure,
        .payload = item->payload,
        .payload_len = item->len,
    };
    batch_item_id(batch, i, envelope.id);
    char *bytes = arena_alloc(arena, envelope_size(&envelope));
    if (!bytes)
        return hr_fail(-ENOMEM, "batch %s: no memory for its retries", batch->id);
    ret[0] = hr_redis_int((int64_t)i);
    ret[1] = hr_redis_int(item->delay / 1000);
    ret[2] = hr_redis_bytes(bytes, envelope_encode(&envelope, bytes));
    return 0;
}

/* Fills letters and retries, in the order of the items. */
static int write_moves(struct job *job, const struct batch *batch, struct arena *arena,
                       struct hr_redis_arg *letters, struct hr_redis_arg *retries)
{
    int r = 0;
    for (size_t i = 0; i < batch->n && r >= 0; i++) {
        if (batch->items[i].fate == FATE_DEAD) {
            r = write_letter(job, batch, i, arena, letters++);
        } else if (batch->items[i].fate == FATE_RETRY) {
            r = write_retry(batch, i, arena, retries);
            retries += 3;
        }
    }
    return r;
}

/* Pushes dead letters where the script cannot: to another server, or of a batch it does not know.
 */
static int push_letters(struct queue *queue, const struct hr_redis_arg *letters, size_t n)
{
    struct hr_backoff pause = {hr_ms(50), hr_seconds(3), 2, true, 0};
    for (size_t i = 0; i < n;) {
        int r = hr_redis_command(queue->dead_redis, NULL, "RPUSH %s %b", queue->dead,
                                 letters[i].data, letters[i].len);
        if (r >= 0) {
            i++;
            continue;
        }
        if (r != -ECANCELED && error_is_outage(error_classify(r, hr_last_error())))
            r = hr_sleep(hr_backoff_next(&pause));
        if (r < 0)
            return r;
    }
    return 0;
}

/* Each letter is a line. */
static int print_letters(const struct hr_redis_arg *letters, size_t n)
{
    char *data = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&data, &len);
    for (size_t i = 0; to && i < n; i++) {
        fwrite(letters[i].data, 1, letters[i].len, to);
        fputc('\n', to);
    }
    if (to && fclose(to) == 0)
        return output_write(STDERR_FILENO, data, len);
    free(data);
    return hr_fail(-ENOMEM, "printing dead letters: out of memory");
}

int acknowledge_apart(struct job *job, struct queue *queue, struct batch *batch)
{
    size_t n = batch_count(batch, FATE_DEAD);
    hr_auto(arena_freep) struct arena *arena = new_arena();
    hr_auto(hr_freep) struct hr_redis_arg *letters = calloc(n + 1, sizeof(*letters));
    if (!arena || !letters)
        return hr_fail(-ENOMEM, "batch %s: no memory for its dead letters", batch->id);
    int r = write_moves(job, batch, arena, letters, NULL);
    if (r < 0)
        return r;
    if (n == 0)
        return 0;
    return queue ? push_letters(queue, letters, n) : print_letters(letters, n);
}

int acknowledge(struct job *job, struct queue *queue, struct batch *batch)
{
    size_t n_letters = batch_count(batch, FATE_DEAD);
    size_t n_args = 3 + n_letters + 3 * batch_count(batch, FATE_RETRY);
    hr_auto(arena_freep) struct arena *arena = new_arena();
    hr_auto(hr_freep) struct hr_redis_arg *args = calloc(n_args, sizeof(*args));
    if (!arena || !args)
        return hr_fail(-ENOMEM, "batch %s: no memory to acknowledge it", batch->id);
    struct hr_redis_arg *letters = args + 3;
    int r = write_moves(job, batch, arena, letters, letters + n_letters);
    if (r < 0)
        return r;

    if (queue->dead_remote) {
        r = push_letters(queue, letters, n_letters);
        if (r < 0)
            return r;
        n_args -= n_letters;
        letters += n_letters;
        n_letters = 0;
    }
    struct hr_redis_arg *first = letters - 3;
    first[0] = hr_redis_str(batch->id);
    first[1] = hr_redis_str(batch->token);
    first[2] = hr_redis_int((int64_t)n_letters);

    char name[QUEUE_BATCH_KEY_MAX];
    const struct hr_redis_arg keys[] = {
        hr_redis_str(queue->own),
        hr_redis_str(queue->leases),
        queue_batch_key(queue, batch->id, name),
        hr_redis_str(queue->delayed),
        hr_redis_str(queue->later),
        hr_redis_str(queue->dead),
    };
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    return queue_insist(queue, &reply,
                        &(struct queue_call){&script_ack, keys, first,
                                             HR_ARRAY_LEN(keys) - (queue->dead_remote ? 1 : 0),
                                             n_args});
}
