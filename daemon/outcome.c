/* SPDX-License-Identifier: MIT */
/*
 * A version byte, then 'S' for a split, or for each failed item: its index, 'D' or 'R', the delay
 * in ms, the code, and four texts; at the end a check over all of it. Numbers are varints, texts
 * carry their length in one.
 *
 * The check is there because damage would be believed: an item that is not named any more would
 * count as a row.
 */
#include "daemon/outcome.h"

#include <string.h>

#include "daemon/hash.h"

/* With more failed items than this only class, number and column are remembered of each, so that
 * the outcome fits its column (MEDIUMBLOB, 16 MiB). */
#define TEXTS_MAX 16000

#define VERSION 1

#define CHECK_BYTES sizeof(uint64_t)

/* Most bytes one item takes: varints of ten bytes, a letter, the texts. */
#define ITEM_MAX (8 * 10 + 2 + sizeof(struct failure))

struct reader {
    const char *at, *end;
    bool damaged;
};

static void put_number(struct outcome *outcome, uint64_t number)
{
    do {
        char low = (char)(number & 0x7f);
        number >>= 7;
        outcome->data[outcome->len++] = (char)(low | (number ? 0x80 : 0));
    } while (number);
}

static void put_text(struct outcome *outcome, const char *text)
{
    size_t len = strlen(text);
    put_number(outcome, len);
    memcpy(outcome->data + outcome->len, text, len);
    outcome->len += len;
}

static uint64_t get_number(struct reader *reader)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (reader->at == reader->end)
            break;
        uint64_t byte = (uint8_t)*reader->at++;
        number |= (byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return number;
    }
    reader->damaged = true;
    return 0;
}

static void get_text(struct reader *reader, char *ret, size_t size)
{
    uint64_t len = get_number(reader);
    if (reader->damaged || len >= size || len > (uint64_t)(reader->end - reader->at)) {
        reader->damaged = true;
        return;
    }
    memcpy(ret, reader->at, len);
    ret[len] = '\0';
    reader->at += len;
}

/* The check over len bytes, least significant byte first. */
static void make_check(const char *data, size_t len, char ret[CHECK_BYTES])
{
    struct hash hash = {0};
    hash_add(&hash, data, len);
    for (size_t i = 0; i < CHECK_BYTES; i++)
        ret[i] = (char)(hash.value >> (8 * i));
}

static void put_check(struct outcome *outcome)
{
    make_check(outcome->data, outcome->len, outcome->data + outcome->len);
    outcome->len += CHECK_BYTES;
}

/* Whether the bytes are whole and of our version. */
static bool is_sound(const char *data, size_t len)
{
    char check[CHECK_BYTES];
    if (len <= 1 + CHECK_BYTES || data[0] != VERSION)
        return false;
    make_check(data, len - CHECK_BYTES, check);
    return memcmp(data + len - CHECK_BYTES, check, CHECK_BYTES) == 0;
}

int outcome_encode(struct outcome *ret, const struct batch *batch, bool split)
{
    size_t failed = batch_count(batch, FATE_DEAD) + batch_count(batch, FATE_RETRY);
    *ret = (struct outcome){0};
    if (!split && failed == 0)
        return 0;
    ret->data = malloc(2 + (split ? 0 : failed * ITEM_MAX) + CHECK_BYTES);
    if (!ret->data)
        return hr_fail(-ENOMEM, "batch %s: no memory for its outcome", batch->id);
    ret->data[ret->len++] = VERSION;
    if (split) {
        ret->data[ret->len++] = 'S';
        put_check(ret);
        return 0;
    }
    for (size_t i = 0; i < batch->n; i++) {
        const struct item *item = &batch->items[i];
        if (item->fate != FATE_DEAD && item->fate != FATE_RETRY)
            continue;
        put_number(ret, i);
        ret->data[ret->len++] = item->fate == FATE_DEAD ? 'D' : 'R';
        put_number(ret, (uint64_t)item->delay / 1000);
        put_number(ret, (uint64_t)(unsigned)item->failure->code);
        put_text(ret, item->failure->error_class);
        put_text(ret, item->failure->column);
        put_text(ret, failed > TEXTS_MAX ? "" : item->failure->message);
        put_text(ret, failed > TEXTS_MAX ? "" : item->failure->value);
    }
    put_check(ret);
    return 0;
}

void outcome_done(struct outcome *outcome)
{
    free(outcome->data);
    *outcome = (struct outcome){0};
}

/* One item of the outcome; false when the bytes are damaged. */
static bool get_item(struct reader *reader, struct batch *batch)
{
    struct failure failure = {0};
    uint64_t i = get_number(reader);
    char verb = reader->at < reader->end ? *reader->at++ : '\0';
    uint64_t delay = get_number(reader);
    failure.code = (int)get_number(reader);
    get_text(reader, failure.error_class, sizeof(failure.error_class));
    get_text(reader, failure.column, sizeof(failure.column));
    get_text(reader, failure.message, sizeof(failure.message));
    get_text(reader, failure.value, sizeof(failure.value));
    if (reader->damaged || i >= batch->n || (verb != 'D' && verb != 'R') || delay > INT64_MAX)
        return false;
    batch_fail(batch, i, verb == 'D' ? FATE_DEAD : FATE_RETRY, &failure);
    batch->items[i].delay = hr_ms((int64_t)delay);
    return true;
}

int outcome_decode(const char *data, size_t len, struct batch *batch, bool *ret_split)
{
    for (size_t i = 0; i < batch->n; i++)
        batch_clear(batch, i);
    *ret_split = false;
    if (len == 0)
        return 0;

    bool sound = is_sound(data, len);
    struct reader reader = {data + 1, data + (sound ? len - CHECK_BYTES : 1), false};
    if (sound && reader.end - reader.at == 1 && *reader.at == 'S') {
        *ret_split = true;
        return 0;
    }
    while (sound && reader.at < reader.end)
        sound = get_item(&reader, batch);
    if (!sound)
        return hr_fail(-EBADMSG, "batch %s: its outcome in the ledger is damaged", batch->id);
    return 0;
}
