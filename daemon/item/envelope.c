/* SPDX-License-Identifier: MIT */
/*
 * Layout, numbers little-endian:
 *
 *     "HRE1"  u64 checksum of all that follows  u32 attempts  u64 first_seen  u32 code
 *     then id, class, message, column, value, payload, each as u32 length and bytes
 *
 * The checksum (64-bit FNV-1a) finds damage, not forgery: whoever can write to this Redis can write
 * items as well.
 */
#include "daemon/item/envelope.h"

#include <errno.h>
#include <string.h>

#define MAGIC      "HRE1"
#define MAGIC_SIZE 4
#define SUM_SIZE   8

static uint64_t checksum(const char *bytes, size_t len)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return sum;
}

static char *put_number(char *p, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *p++ = (char)(value >> (8 * i));
    return p;
}

static char *put_bytes(char *p, const char *bytes, size_t len)
{
    p = put_number(p, len, 4);
    if (len > 0)
        memcpy(p, bytes, len);
    return p + len;
}

static char *put_text(char *p, const char *text)
{
    return put_bytes(p, text, strlen(text));
}

size_t envelope_size(const struct envelope *e)
{
    return MAGIC_SIZE + SUM_SIZE + 4 + 8 + 4 + 6 * 4 + sizeof e->id + sizeof e->error +
           e->payload_len;
}

size_t envelope_encode(const struct envelope *e, char *ret)
{
    char *body = ret + MAGIC_SIZE + SUM_SIZE, *p = body;
    p = put_number(p, e->attempts, 4);
    p = put_number(p, (uint64_t)e->first_seen, 8);
    p = put_number(p, (uint32_t)e->error.code, 4);
    p = put_text(p, e->id);
    p = put_text(p, e->error.error_class);
    p = put_text(p, e->error.message);
    p = put_text(p, e->error.column);
    p = put_text(p, e->error.value);
    p = put_bytes(p, e->payload, e->payload_len);
    memcpy(ret, MAGIC, MAGIC_SIZE);
    put_number(ret + MAGIC_SIZE, checksum(body, (size_t)(p - body)), SUM_SIZE);
    return (size_t)(p - ret);
}

struct reader {
    const char *p, *end;
    bool failed;
};

static uint64_t get_number(struct reader *r, size_t size)
{
    if (r->failed || (size_t)(r->end - r->p) < size) {
        r->failed = true;
        return 0;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)(unsigned char)r->p[i] << (8 * i);
    r->p += size;
    return value;
}

static const char *get_bytes(struct reader *r, size_t *ret_len)
{
    *ret_len = get_number(r, 4);
    if (r->failed || (size_t)(r->end - r->p) < *ret_len) {
        r->failed = true;
        *ret_len = 0;
    }
    const char *bytes = r->p;
    r->p += *ret_len;
    return bytes;
}

/* A text must fit its room, be text and hold no NUL; else the envelope is not one of ours. */
static void get_text(struct reader *r, char *ret, size_t size)
{
    size_t len;
    const char *bytes = get_bytes(r, &len);
    if (len >= size || memchr(bytes, 0, len) || !text_is_utf8(bytes, len)) {
        r->failed = true;
        len = 0;
    }
    memcpy(ret, bytes, len);
    ret[len] = 0;
}

int envelope_decode(const char *bytes, size_t len, struct envelope *ret)
{
    if (len < MAGIC_SIZE + SUM_SIZE || memcmp(bytes, MAGIC, MAGIC_SIZE) != 0)
        return -EBADMSG;
    struct reader r = {bytes + MAGIC_SIZE, bytes + len, false};
    uint64_t sum = get_number(&r, SUM_SIZE);
    if (sum != checksum(r.p, (size_t)(r.end - r.p)))
        return -EBADMSG;

    struct envelope e;
    e.attempts = (unsigned)get_number(&r, 4);
    e.first_seen = (int64_t)get_number(&r, 8);
    e.error.code = (int)(uint32_t)get_number(&r, 4);
    get_text(&r, e.id, sizeof e.id);
    get_text(&r, e.error.error_class, sizeof e.error.error_class);
    get_text(&r, e.error.message, sizeof e.error.message);
    get_text(&r, e.error.column, sizeof e.error.column);
    get_text(&r, e.error.value, sizeof e.error.value);
    e.payload = get_bytes(&r, &e.payload_len);
    if (r.failed || r.p != r.end)
        return -EBADMSG;
    *ret = e;
    return 0;
}
