/* SPDX-License-Identifier: MIT */
/*
 * A walk reads the list in chunks of about CHUNK_BYTES, so that neither Redis nor we ever hold much
 * of it, however long it and its letters are.
 */
#include "daemon/dead.h"

#include <string.h>

#include "daemon/lua/scripts.h"

#define CHUNK_BYTES ((size_t)256 * 1024)
#define CHUNK_FIRST 16
#define CHUNK_MOST  500

/* A payload of max_payload bytes, written as JSON and read back. */
#define ARENA_MAX ((size_t)256 * 1024 * 1024)

int dead_walk_init(struct dead_walk *walk, struct queue *queue, size_t index)
{
    *walk = (struct dead_walk){.queue = queue, .arena = arena_new(ARENA_MAX)};
    if (!walk->arena)
        return hr_fail(-ENOMEM, "reading %s: out of memory", queue->dead);
    dead_walk_seek(walk, index);
    return 0;
}

void dead_walk_done(struct dead_walk *walk)
{
    walk->chunk = hr_reply_free(walk->chunk);
    walk->arena = arena_free(walk->arena);
}

void dead_walk_seek(struct dead_walk *walk, size_t index)
{
    walk->chunk = hr_reply_free(walk->chunk);
    walk->start = index;
    walk->next = walk->removed = 0;
    walk->most = CHUNK_FIRST;
}

static int read_chunk(struct dead_walk *walk)
{
    size_t had = walk->chunk ? hr_reply_len(walk->chunk) : 0;
    if (had > 0) {
        size_t mean = hr_reply_size(walk->chunk) / had + 1;
        walk->most = CHUNK_BYTES / mean + 1;
        if (walk->most > CHUNK_MOST)
            walk->most = CHUNK_MOST;
    }
    walk->start += walk->next - walk->removed;
    walk->next = walk->removed = 0;
    walk->chunk = hr_reply_free(walk->chunk);
    return hr_redis_command(walk->queue->dead_redis, &walk->chunk, "LRANGE %s %zu %zu",
                            walk->queue->dead, walk->start, walk->start + walk->most - 1);
}

int dead_walk_next(struct dead_walk *walk, struct dead_letter *ret)
{
    if (!walk->chunk || walk->next >= hr_reply_len(walk->chunk)) {
        int r = read_chunk(walk);
        if (r < 0)
            return r;
        if (hr_reply_len(walk->chunk) == 0)
            return 0;
    }
    struct dead_letter letter = {.index = walk->start + walk->next - walk->removed};
    letter.bytes = hr_reply_str(hr_reply_at(walk->chunk, walk->next), &letter.len);
    if (!letter.bytes)
        return hr_fail(-EBADMSG, "reading %s: not an answer of LRANGE", walk->queue->dead);
    walk->next++;

    struct failure why;
    arena_reset(walk->arena);
    int r = json_parse(walk->arena, letter.bytes, letter.len, &letter.json, &why);
    if (r == -ENOMEM)
        return hr_fail(r, "reading %s: out of memory", walk->queue->dead);
    if (r < 0 || json_type(letter.json) != JSON_OBJECT)
        letter.json = NULL;
    *ret = letter;
    return 1;
}

const char *dead_text(const struct dead_letter *letter, const char *object, const char *key,
                      size_t *ret_len)
{
    const struct json_value *in = letter->json;
    if (in && object)
        in = json_get(in, object, strlen(object));
    const struct json_value *value = in ? json_get(in, key, strlen(key)) : NULL;
    *ret_len = 0;
    return value && json_type(value) == JSON_STRING ? json_text(value, ret_len) : NULL;
}

static struct hr_redis_arg text_arg(const char *text, size_t len)
{
    return hr_redis_bytes(text ? text : "", len);
}

/* What a script said about the letter. */
static int settle(struct dead_walk *walk, int code, const hr_reply *reply, enum dead_done *ret)
{
    if (code < 0)
        return code;
    bool done = hr_reply_equals(reply, "OK");
    walk->removed += done;
    *ret = done ? DEAD_DONE : DEAD_CHANGED;
    return 0;
}

int dead_remove(struct dead_walk *walk, const struct dead_letter *letter, enum dead_done *ret)
{
    const struct queue *queue = walk->queue;
    size_t len;
    const char *apart = dead_text(letter, NULL, "payload_at", &len);
    const struct hr_redis_arg keys[] = {hr_redis_str(queue->dead), hr_redis_str(queue->oversize)};
    const struct hr_redis_arg args[] = {
        hr_redis_int((int64_t)letter->index),
        hr_redis_bytes(letter->bytes, letter->len),
        queue->dead_remote ? hr_redis_str("") : text_arg(apart, len),
    };
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = hr_redis_eval(queue->dead_redis, &reply, &script_dead_rm, queue->dead_remote ? 1 : 2,
                          keys, HR_ARRAY_LEN(args), args);
    return settle(walk, r, reply, ret);
}

/* The envelope of the letter's item, in the arena. 0 and *ret; 1: there is no such item; a code. */
static int write_envelope(struct dead_walk *walk, const struct dead_letter *letter,
                          struct deadletter *ret_read, hr_reply **ret_payload,
                          struct hr_redis_arg *ret)
{
    const struct queue *queue = walk->queue;
    struct failure why;
    struct deadletter read = {0};
    int r = deadletter_read(walk->arena, letter->bytes, letter->len, &read, &why);
    if (r == -EBADMSG)
        return 1;
    if (r >= 0 && !read.payload && read.payload_at) {
        r = hr_redis_command(queue->redis, ret_payload, "HGET %s %s", queue->oversize,
                             read.payload_at);
        if (r < 0)
            return r;
        read.payload = hr_reply_str(*ret_payload, &read.payload_len);
    }
    if (r >= 0 && !read.payload)
        return 1;

    struct envelope envelope = {
        .first_seen = read.first_seen,
        .payload = read.payload,
        .payload_len = read.payload_len,
    };
    memcpy(envelope.id, read.id, sizeof(envelope.id));
    char *bytes = r >= 0 ? arena_alloc(walk->arena, envelope_size(&envelope)) : NULL;
    if (!bytes)
        return hr_fail(-ENOMEM, "retrying dead letter %zu of %s: out of memory", letter->index,
                       queue->dead);
    *ret = hr_redis_bytes(bytes, envelope_encode(&envelope, bytes));
    *ret_read = read;
    return 0;
}

static int put_back_here(struct dead_walk *walk, const struct dead_letter *letter,
                         const struct deadletter *read, const struct hr_redis_arg *envelope,
                         enum dead_done *ret)
{
    const struct queue *queue = walk->queue;
    const struct hr_redis_arg keys[] = {
        hr_redis_str(queue->dead),
        hr_redis_str(queue->delayed),
        hr_redis_str(queue->later),
        hr_redis_str(queue->oversize),
    };
    const struct hr_redis_arg args[] = {
        hr_redis_int((int64_t)letter->index),
        hr_redis_bytes(letter->bytes, letter->len),
        hr_redis_str(read->id),
        *envelope,
        hr_redis_str(read->payload_at ? read->payload_at : ""),
    };
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = hr_redis_eval(queue->redis, &reply, &script_dead_retry, HR_ARRAY_LEN(keys), keys,
                          HR_ARRAY_LEN(args), args);
    return settle(walk, r, reply, ret);
}

/* The list of dead letters is another server's, which no script can reach from here. Looking first
 * leaves little time for two people to put the same letter back. */
static int put_back_from_afar(struct dead_walk *walk, const struct dead_letter *letter,
                              const struct deadletter *read, const struct hr_redis_arg *envelope,
                              enum dead_done *ret)
{
    const struct queue *queue = walk->queue;
    hr_auto(hr_reply_freep) hr_reply *there = NULL;
    int r =
        hr_redis_command(queue->dead_redis, &there, "LINDEX %s %zu", queue->dead, letter->index);
    if (r < 0)
        return r;
    size_t len;
    const char *bytes = hr_reply_str(there, &len);
    if (!bytes || len != letter->len || memcmp(bytes, letter->bytes, len) != 0) {
        *ret = DEAD_CHANGED;
        return 0;
    }
    const struct hr_redis_arg keys[] = {hr_redis_str(queue->delayed), hr_redis_str(queue->later)};
    const struct hr_redis_arg args[] = {hr_redis_str(read->id), *envelope};
    r = hr_redis_eval(queue->redis, NULL, &script_delay, HR_ARRAY_LEN(keys), keys,
                      HR_ARRAY_LEN(args), args);
    return r < 0 ? r : dead_remove(walk, letter, ret);
}

int dead_retry(struct dead_walk *walk, const struct dead_letter *letter, enum dead_done *ret)
{
    hr_auto(hr_reply_freep) hr_reply *payload = NULL;
    struct deadletter read = {0};
    struct hr_redis_arg envelope;
    int r = write_envelope(walk, letter, &read, &payload, &envelope);
    if (r < 0)
        return r;
    if (r > 0) {
        *ret = DEAD_UNREADABLE;
        return 0;
    }
    return walk->queue->dead_remote ? put_back_from_afar(walk, letter, &read, &envelope, ret)
                                    : put_back_here(walk, letter, &read, &envelope, ret);
}
