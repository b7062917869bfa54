/* SPDX-License-Identifier: MIT */
/*
 * Bytes that grow at the end and shrink at the front: what stands between a command and its socket.
 */
#pragma once

#include <errno.h>
#include <string.h>

#include "core/base.h"

/* Starts as { 0 }. The bytes are data[start, end). */
struct hr__buf {
    char *data;
    size_t start, end, capacity;
};

static inline size_t hr__buf_len(const struct hr__buf *buf)
{
    return buf->end - buf->start;
}

static inline void hr__buf_done(struct hr__buf *buf)
{
    free(buf->data);
    *buf = (struct hr__buf){0};
}

/* Makes room for n more bytes at data + end. 0 or -ENOMEM; pointers into the bytes may move. */
int hr__buf_grow(struct hr__buf *buf, size_t n);

static inline int hr__buf_reserve(struct hr__buf *buf, size_t n)
{
    return hr_likely(buf->capacity - buf->end >= n) ? 0 : hr__buf_grow(buf, n);
}

/* The room has to be there. */
static inline void hr__buf_put(struct hr__buf *buf, const void *bytes, size_t n)
{
    if (n > 0)
        memcpy(buf->data + buf->end, bytes, n);
    buf->end += n;
}

static inline int hr__buf_append(struct hr__buf *buf, const void *bytes, size_t n)
{
    int r = hr__buf_reserve(buf, n);
    if (r == 0)
        hr__buf_put(buf, bytes, n);
    return r;
}

/* Takes n bytes off the front. */
static inline void hr__buf_consume(struct hr__buf *buf, size_t n)
{
    buf->start += n;
    if (buf->start == buf->end)
        buf->start = buf->end = 0;
}

/* Takes n bytes out, offset bytes behind the front. */
static inline void hr__buf_cut(struct hr__buf *buf, size_t offset, size_t n)
{
    char *at = buf->data + buf->start + offset;
    memmove(at, at + n, hr__buf_len(buf) - offset - n);
    buf->end -= n;
}
