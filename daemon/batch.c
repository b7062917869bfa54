/* SPDX-License-Identifier: MIT */
/*
 * A batch borrows its bytes from the reply that brought it; what is made of them lies in an arena.
 * Arenas are kept for the next batches: fresh memory costs more than the items.
 */
#include "daemon/batch.h"

#include <stdio.h>
#include <string.h>

#include "daemon/hash.h"

/* Most memory that the decoded items of one batch may take: much for one hostile item, and for each
 * byte of a large batch several times what usual items need, or the last ones would pay for the
 * first. */
#define ARENA_BASE     ((size_t)64 << 20)
#define ARENA_PER_BYTE 16

#define SPARES_MAX 8

static struct {
    struct arena *items[SPARES_MAX];
    size_t count;
} spares;

static struct arena *take_arena(void)
{
    return spares.count > 0 ? spares.items[--spares.count] : arena_new(ARENA_BASE);
}

static void give_arena(struct arena *arena)
{
    if (arena && spares.count < SPARES_MAX) {
        arena_reset(arena);
        spares.items[spares.count++] = arena;
    } else {
        arena_free(arena);
    }
}

void batch_free_spares(void)
{
    while (spares.count > 0)
        arena_free(spares.items[--spares.count]);
}

static void open_envelope(struct batch *batch, size_t i, const char *entry, size_t len)
{
    struct item *item = &batch->items[i];
    if (envelope_decode(entry, len, &batch->envelopes[i]) == 0) {
        item->envelope = &batch->envelopes[i];
        item->payload = item->envelope->payload;
        item->len = item->envelope->payload_len;
        return;
    }
    struct failure failure;
    failure_set(&failure, "decode", 0, "the envelope of a retried item is damaged");
    item->payload = entry;
    item->len = len;
    batch_fail(batch, i, FATE_DEAD, &failure);
}

/* Room for n items, of which the first d come in envelopes. NULL: no memory. */
static struct batch *make(const char *id, const char *token, size_t n, size_t d)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    if (batch) {
        hr_list_init(&batch->link);
        batch->n = n;
        batch->n_envelopes = d < n ? d : n;
        batch->seen = hr_walltime() / 1000;
        batch->came = hr_now();
        snprintf(batch->id, sizeof(batch->id), "%s", id);
        snprintf(batch->token, sizeof(batch->token), "%s", token);
        batch->arena = take_arena();
        batch->items = calloc(n + 1, sizeof(*batch->items));
        batch->envelopes = calloc(batch->n_envelopes + 1, sizeof(*batch->envelopes));
        if (batch->arena && batch->items && batch->envelopes)
            return batch;
        batch_free(batch);
    }
    hr_fail(-ENOMEM, "batch %s: out of memory", id);
    return NULL;
}

/* Points item i at its bytes. */
static void add_entry(struct batch *batch, size_t i, const char *entry, size_t len,
                      struct hash *digest)
{
    hash_add(digest, entry, len);
    batch->bytes += len;
    batch->items[i].payload = entry;
    batch->items[i].len = len;
    if (i < batch->n_envelopes)
        open_envelope(batch, i, entry, len);
}

/* All entries are in. */
static struct batch *seal(struct batch *batch, const struct hash *digest)
{
    batch->digest = digest->value;
    arena_set_limit(batch->arena, ARENA_BASE + ARENA_PER_BYTE * batch->bytes);
    return batch;
}

struct batch *batch_new(const char *id, const char *token, hr_reply *reply, size_t first, size_t d)
{
    size_t len = hr_reply_len(reply);
    struct batch *batch = make(id, token, len > first ? len - first : 0, d);
    if (!batch) {
        hr_reply_free(reply);
        return NULL;
    }
    batch->reply = reply;
    struct hash digest = {0};
    for (size_t i = 0; i < batch->n; i++) {
        const char *entry = hr_reply_str(hr_reply_at(reply, first + i), &len);
        if (!entry) {
            hr_fail(-EBADMSG, "batch %s: Redis answered with what is no batch", id);
            return batch_free(batch);
        }
        add_entry(batch, i, entry, len, &digest);
    }
    return seal(batch, &digest);
}

static size_t count_lines(const char *data, size_t len)
{
    size_t n = len > 0 && data[len - 1] != '\n';
    for (const char *at = data; (at = memchr(at, '\n', len - (size_t)(at - data))); at++)
        n++;
    return n;
}

struct batch *batch_of_lines(const char *id, char *data, size_t len)
{
    struct batch *batch = make(id, "", count_lines(data, len), 0);
    if (!batch) {
        free(data);
        return NULL;
    }
    batch->lines = data;
    struct hash digest = {0};
    for (size_t i = 0; i < batch->n; i++) {
        const char *end = memchr(data, '\n', len);
        size_t line = end ? (size_t)(end - data) : len;
        add_entry(batch, i, data, line, &digest);
        data += line + 1;
        len -= end ? line + 1 : line;
    }
    return seal(batch, &digest);
}

struct batch *batch_part(const struct batch *whole, unsigned k, size_t first, size_t n)
{
    char id[33];
    hash_child_id(whole->id, k, id);
    struct batch *part = make(id, whole->token, n, 0);
    if (!part)
        return NULL;
    struct hash digest = {0};
    for (size_t i = 0; i < n; i++) {
        const struct item *item = &whole->items[first + i];
        add_entry(part, i, item->payload, item->len, &digest);
        part->items[i] = *item;
    }
    part->generation = whole->generation;
    part->unknown = whole->unknown;
    part->until = whole->until;
    part->seen = whole->seen;
    part->came = whole->came;
    return seal(part, &digest);
}

struct batch *batch_free(struct batch *batch)
{
    if (!batch)
        return NULL;
    hr_list_remove(&batch->link);
    hr_reply_free(batch->reply);
    free(batch->lines);
    give_arena(batch->arena);
    free(batch->items);
    free(batch->envelopes);
    free(batch);
    return NULL;
}

void batch_freep(struct batch **batch)
{
    batch_free(*batch);
}

bool batch_expired(const struct batch *batch)
{
    return batch->stale || hr_boottime() >= batch->until;
}

void batch_fail(struct batch *batch, size_t i, enum fate fate, const struct failure *failure)
{
    static const struct failure no_memory = {
        .error_class = "unknown",
        .message = "out of memory; the reason is lost",
    };
    struct item *item = &batch->items[i];
    struct failure *copy = arena_alloc(batch->arena, sizeof(*copy));
    if (copy)
        *copy = *failure;
    item->failure = copy ? copy : &no_memory;
    item->fate = fate;
}

void batch_clear(struct batch *batch, size_t i)
{
    struct item *item = &batch->items[i];
    item->fate = FATE_LIVE;
    item->failure = NULL;
    item->delay = 0;
    item->settled = false;
}

size_t batch_count(const struct batch *batch, enum fate fate)
{
    size_t n = 0;
    for (size_t i = 0; i < batch->n; i++)
        n += batch->items[i].fate == fate;
    return n;
}

void batch_settle(struct batch *batch)
{
    for (size_t i = 0; i < batch->n; i++)
        batch->items[i].settled = batch->items[i].fate != FATE_LIVE;
    batch->settled = arena_mark(batch->arena);
}

void batch_rewind(struct batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        if (!batch->items[i].settled)
            batch_clear(batch, i);
    }
    arena_rewind(batch->arena, batch->settled);
}

unsigned batch_attempts(const struct batch *batch, size_t i)
{
    const struct envelope *envelope = batch->items[i].envelope;
    return envelope ? envelope->attempts : 0;
}

int64_t batch_first_seen(const struct batch *batch, size_t i)
{
    const struct envelope *envelope = batch->items[i].envelope;
    return envelope && envelope->first_seen ? envelope->first_seen : batch->seen;
}

void batch_item_id(const struct batch *batch, size_t i, char ret[ENVELOPE_ID_MAX])
{
    const struct envelope *envelope = batch->items[i].envelope;
    if (envelope && envelope->id[0])
        memcpy(ret, envelope->id, ENVELOPE_ID_MAX);
    else
        snprintf(ret, ENVELOPE_ID_MAX, "%s:%zu", batch->id, i);
}

bool batch_is_crowded(const struct batch *batch)
{
    return batch->n > 1 && arena_is_crowded(batch->arena);
}

size_t batch_memory(const struct batch *batch)
{
    size_t entries = batch->reply ? hr_reply_size(batch->reply) : batch->bytes;
    return entries + arena_held(batch->arena) + batch->n * sizeof(*batch->items) +
           batch->n_envelopes * sizeof(*batch->envelopes);
}
