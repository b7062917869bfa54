/* SPDX-License-Identifier: MIT */
#include "daemon/item/deadletter.h"

#include "daemon/item/moment.h"
#include "daemon/item/number.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* ---- base64 ---- */

static char *base64(struct arena *a, const char *bytes, size_t len, size_t *ret_len)
{
    char *text = arena_alloc(a, len / 3 * 4 + 4), *p = text;
    if (!text)
        return NULL;
    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (j < n ? (unsigned char)bytes[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            *p++ = j <= n ? alphabet[bits >> (18 - 6 * j) & 63] : '=';
    }
    *ret_len = (size_t)(p - text);
    return text;
}

/* NULL with *ret_len 0 for out of room, with *ret_len 1 for what is not base64. */
static char *unbase64(struct arena *a, const char *text, size_t len, size_t *ret_len)
{
    size_t padding = 0;
    while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
        padding++;
    *ret_len = 1;
    if (len % 4 != 0)
        return NULL;
    char *bytes = arena_alloc(a, len / 4 * 3), *p = bytes;
    if (!bytes) {
        *ret_len = 0;
        return NULL;
    }
    uint32_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        const char *found = i < len - padding ? memchr(alphabet, text[i], 64) : alphabet;
        if (!found)
            return NULL;
        bits = bits << 6 | (uint32_t)(found - alphabet);
        for (int shift = 16; i % 4 == 3 && shift >= 0; shift -= 8)
            *p++ = (char)(bits >> shift);
    }
    *ret_len = (size_t)(p - bytes) - padding;
    return bytes;
}

/* ---- writing ---- */

/* An object in the making. The first failure sticks, so that building reads as a list. */
struct builder {
    struct arena *arena;
    struct json_member members[12];
    size_t n;
    int error;
};

static void add(struct builder *b, const char *key, int r, const struct json_value *v)
{
    struct json_member *m = &b->members[b->n];
    if (r == 0)
        r = json_string(b->arena, key, strlen(key), &m->key);
    if (r < 0) {
        b->error = b->error ? b->error : r;
        return;
    }
    m->value = v;
    b->n++;
}

/* Text that is not UTF-8 must not make a dead letter impossible: it is repaired. */
static void add_text(struct builder *b, const char *key, const char *text, size_t len)
{
    const struct json_value *v = NULL;
    if (!text_is_utf8(text, len)) {
        size_t size = 3 * len + 8;
        char *repaired = arena_alloc(b->arena, size);
        if (!repaired) {
            add(b, key, arena_error(b->arena), NULL);
            return;
        }
        len = text_excerpt(repaired, size, text, len);
        text = repaired;
    }
    int r = json_string(b->arena, text, len, &v);
    add(b, key, r, v);
}

static void add_number(struct builder *b, const char *key, int64_t number)
{
    const struct json_value *v = NULL;
    char *text = arena_alloc(b->arena, 24);
    int r = text ? 0 : arena_error(b->arena);
    if (text)
        r = json_number(b->arena, text, (size_t)snprintf(text, 24, "%lld", (long long)number), &v);
    add(b, key, r, v);
}

static void add_time(struct builder *b, const char *key, int64_t ms)
{
    char *text = ms > 0 ? arena_alloc(b->arena, MOMENT_MAX) : NULL;
    if (ms > 0 && !text)
        b->error = arena_error(b->arena);
    if (!text)
        return;
    moment_write_ms(ms, text);
    add_text(b, key, text, strlen(text));
}

static void add_error(struct builder *b, const struct failure *f)
{
    struct builder error = {.arena = b->arena};
    const struct json_value *v = NULL;
    add_text(&error, "class", f->error_class, strlen(f->error_class));
    if (f->code)
        add_number(&error, "code", f->code);
    add_text(&error, "message", f->message, strlen(f->message));
    if (f->column[0])
        add_text(&error, "column", f->column, strlen(f->column));
    if (f->value[0])
        add_text(&error, "value", f->value, strlen(f->value));
    int r = error.error;
    if (r == 0)
        r = json_object(b->arena, error.members, error.n, &v);
    add(b, "error", r, v);
}

static void add_payload(struct builder *b, const char *payload, size_t len)
{
    if (text_is_utf8(payload, len)) {
        add_text(b, "payload", payload, len);
        return;
    }
    size_t n;
    const char *text = base64(b->arena, payload, len, &n);
    if (text)
        add_text(b, "payload_base64", text, n);
    else
        add(b, "payload_base64", arena_error(b->arena), NULL);
}

static void add_rest(struct builder *b, const struct deadletter *d)
{
    add_error(b, &d->error);
    add_number(b, "attempts", d->attempts);
    add_time(b, "first_seen", d->first_seen);
    add_time(b, "last_seen", d->last_seen);
    add_text(b, "host", d->host, strlen(d->host));
}

static int finish(struct builder *b, const char **ret, size_t *ret_len)
{
    const struct json_value *v;
    struct failure ignored;
    int r = b->error;
    if (r == 0)
        r = json_object(b->arena, b->members, b->n, &v);
    return r == 0 ? json_write(b->arena, v, ret, ret_len, &ignored) : r;
}

int deadletter_write(struct arena *a, const struct deadletter *d, const char **ret, size_t *ret_len)
{
    struct builder b = {.arena = a};
    add_text(&b, "job", d->job, strlen(d->job));
    add_text(&b, "id", d->id, strlen(d->id));
    if (d->payload)
        add_payload(&b, d->payload, d->payload_len);
    add_rest(&b, d);
    return finish(&b, ret, ret_len);
}

int deadletter_frame(struct arena *a, const struct deadletter *d, const char **ret_before,
                     const char **ret_after)
{
    struct builder before = {.arena = a}, after = {.arena = a};
    const char *texts[2];
    size_t lens[2];
    add_text(&before, "job", d->job, strlen(d->job));
    add_rest(&after, d);
    int r = finish(&before, &texts[0], &lens[0]);
    if (r == 0)
        r = finish(&after, &texts[1], &lens[1]);
    if (r != 0)
        return r;

    /* `{…}` becomes `{…,` in front and `,…}` behind. */
    char *front = arena_alloc(a, lens[0] + 1), *back = arena_alloc(a, lens[1] + 1);
    if (!front || !back)
        return arena_error(a);
    memcpy(front, texts[0], lens[0]);
    front[lens[0] - 1] = ',';
    front[lens[0]] = 0;
    memcpy(back, texts[1], lens[1]);
    back[0] = ',';
    back[lens[1]] = 0;
    *ret_before = front;
    *ret_after = back;
    return 0;
}

/* ---- reading ---- */

static const char *member_text(const struct json_value *o, const char *key, size_t *ret_len)
{
    const struct json_value *v = json_get(o, key, strlen(key));
    const char *text = v && json_type(v) == JSON_STRING ? json_text(v, ret_len) : NULL;
    if (!text)
        *ret_len = 0;
    return text;
}

static void read_text(const struct json_value *o, const char *key, char *ret, size_t size)
{
    size_t len;
    const char *text = member_text(o, key, &len);
    text_excerpt(ret, size, text ? text : "", len);
}

/* A member's text, ended by NUL; "" where there is none, NULL when out of room. */
static const char *dup_text(struct arena *a, const struct json_value *o, const char *key)
{
    size_t len;
    const char *text = member_text(o, key, &len);
    char *copy = arena_alloc(a, len + 1);
    if (!copy)
        return NULL;
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

static int64_t read_number(const struct json_value *o, const char *key, int64_t max)
{
    const struct json_value *v = json_get(o, key, strlen(key));
    struct number n;
    size_t len;
    const char *text = v && json_type(v) == JSON_NUMBER ? json_text(v, &len) : NULL;
    int64_t value;
    if (!text || !number_parse(text, len, &n) || !number_to_int64(&n, &value) || value < 0)
        return 0;
    return value < max ? value : max;
}

static int64_t read_time(const struct json_value *o, const char *key)
{
    size_t len;
    const char *text = member_text(o, key, &len);
    int64_t ms;
    return text && moment_parse_ms(text, len, &ms) ? ms : 0;
}

int deadletter_read(struct arena *a, const char *bytes, size_t len, struct deadletter *ret,
                    struct failure *why)
{
    const struct json_value *o;
    int r = json_parse(a, bytes, len, &o, why);
    if (r < 0)
        return r;
    struct deadletter d = {0};
    read_text(o, "id", d.id, sizeof d.id);
    if (json_type(o) != JSON_OBJECT || !d.id[0])
        return failure_set(why, "decode", 0, "not a dead letter: no object with an id");
    d.job = dup_text(a, o, "job");
    d.host = dup_text(a, o, "host");
    if (!d.job || !d.host)
        return arena_error(a);
    d.attempts = (unsigned)read_number(o, "attempts", UINT32_MAX);
    d.first_seen = read_time(o, "first_seen");
    d.last_seen = read_time(o, "last_seen");

    const struct json_value *error = json_get(o, "error", 5);
    if (error) {
        read_text(error, "class", d.error.error_class, sizeof d.error.error_class);
        read_text(error, "message", d.error.message, sizeof d.error.message);
        read_text(error, "column", d.error.column, sizeof d.error.column);
        read_text(error, "value", d.error.value, sizeof d.error.value);
        d.error.code = (int)read_number(error, "code", INT32_MAX);
    }

    d.payload = member_text(o, "payload", &d.payload_len);
    size_t n;
    const char *encoded = member_text(o, "payload_base64", &n);
    if (!d.payload && encoded) {
        d.payload = unbase64(a, encoded, n, &d.payload_len);
        if (!d.payload && d.payload_len == 0)
            return arena_error(a);
        if (!d.payload)
            return failure_set(why, "decode", 0, "not a dead letter: its payload is not base64");
    }
    d.payload_bytes = (uint64_t)read_number(o, "payload_bytes", INT64_MAX);
    if (json_get(o, "payload_at", 10)) {
        d.payload_at = dup_text(a, o, "payload_at");
        if (!d.payload_at)
            return arena_error(a);
    }
    *ret = d;
    return 0;
}
