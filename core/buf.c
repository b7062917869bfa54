/* SPDX-License-Identifier: MIT */
/*
 * Data stands between start and end. Room at the end comes from moving the data to the front, if no
 * more is moved than was consumed there, else from doubling: either way what is moved is bounded by
 * what has gone through.
 */
#include "core/buf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SMALLEST 64

void hr_buf_init(struct hr_buf *buf, size_t bound)
{
    *buf = (struct hr_buf){.bound = bound};
}

void hr_buf_done(struct hr_buf *buf)
{
    free(buf->bytes);
    hr_buf_init(buf, buf->bound);
}

const char *hr_buf_data(const struct hr_buf *buf)
{
    return buf->bytes ? buf->bytes + buf->start : "";
}

size_t hr_buf_size(const struct hr_buf *buf)
{
    return buf->end - buf->start;
}

static void move_to_front(struct hr_buf *buf)
{
    memmove(buf->bytes, buf->bytes + buf->start, hr_buf_size(buf) + 1);
    buf->end -= buf->start;
    buf->start = 0;
}

/* Doubles the memory, at least, until it holds need bytes. */
static int grow(struct hr_buf *buf, size_t need)
{
    size_t capacity = buf->capacity ? 2 * buf->capacity : SMALLEST;
    while (capacity < need && capacity <= SIZE_MAX / 4)
        capacity *= 2;
    char *bytes = capacity < need ? NULL : realloc(buf->bytes, capacity + 1);
    if (!bytes)
        return -ENOMEM;
    buf->bytes = bytes;
    buf->capacity = capacity;
    buf->bytes[buf->end] = '\0';
    return 0;
}

int hr_buf_reserve(struct hr_buf *buf, size_t size, char **ret)
{
    size_t used = hr_buf_size(buf);
    if (size > buf->bound - used)
        return -ENOBUFS;

    if (!buf->bytes || size > buf->capacity - buf->end) {
        bool cheap = buf->bytes && buf->start >= used && used + size <= buf->capacity;
        int r = cheap ? 0 : grow(buf, used + size);
        if (r < 0)
            return r;
        move_to_front(buf);
    }
    *ret = buf->bytes + buf->end;
    return 0;
}

void hr_buf_commit(struct hr_buf *buf, size_t n)
{
    hr_assert(n <= buf->capacity - buf->end);
    buf->end += n;
    if (buf->bytes)
        buf->bytes[buf->end] = '\0';
}

int hr_buf_append(struct hr_buf *buf, const void *data, size_t size)
{
    char *to;
    int r = hr_buf_reserve(buf, size, &to);
    if (r < 0)
        return r;
    if (size > 0)
        memcpy(to, data, size);
    hr_buf_commit(buf, size);
    return 0;
}

int hr_buf_append_text(struct hr_buf *buf, const char *text)
{
    return hr_buf_append(buf, text, strlen(text));
}

int hr_buf_vprintf(struct hr_buf *buf, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (size < 0)
        return -EINVAL;

    char *to;
    int r = hr_buf_reserve(buf, (size_t)size, &to);
    if (r < 0)
        return r;
    vsnprintf(to, (size_t)size + 1, fmt, args);
    hr_buf_commit(buf, (size_t)size);
    return 0;
}

int hr_buf_printf(struct hr_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int r = hr_buf_vprintf(buf, fmt, args);
    va_end(args);
    return r;
}

void hr_buf_consume(struct hr_buf *buf, size_t n)
{
    if (n < hr_buf_size(buf)) {
        buf->start += n;
        return;
    }
    buf->start = buf->end = 0;
    if (buf->bytes)
        buf->bytes[0] = '\0';
}

void hr_buf_cut(struct hr_buf *buf, size_t offset, size_t n)
{
    hr_assert(offset <= hr_buf_size(buf) && n <= hr_buf_size(buf) - offset);
    if (n == 0)
        return;
    char *from = buf->bytes + buf->start, *at = from + offset;
    size_t behind = hr_buf_size(buf) - offset - n;
    if (offset < behind) { /* what stands before it is moved up */
        memmove(from + n, from, offset);
        buf->start += n;
        return;
    }
    memmove(at, at + n, behind + 1);
    buf->end -= n;
}

char *hr_buf_take(struct hr_buf *buf, size_t *ret_size)
{
    char *unused;
    if (hr_buf_reserve(buf, 0, &unused) < 0)
        return NULL;
    if (buf->start > 0)
        move_to_front(buf);
    *ret_size = buf->end;
    char *bytes = hr_take(buf->bytes);
    bytes[*ret_size] = '\0';
    hr_buf_init(buf, buf->bound);
    return bytes;
}
