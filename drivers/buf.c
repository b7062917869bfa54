/* SPDX-License-Identifier: MIT */
/*
 * How the buffer grows: what was consumed at the front is used again before memory is asked for.
 */
#include "drivers/buf.h"

int hr__buf_grow(struct hr__buf *buf, size_t n)
{
    size_t len = hr__buf_len(buf);
    if (n > SIZE_MAX / 4 - len)
        return -ENOMEM;
    if (buf->start >= len && buf->capacity - len >= n) {
        if (len > 0)
            memcpy(buf->data, buf->data + buf->start, len);
        buf->start = 0;
        buf->end = len;
        return 0;
    }

    size_t capacity = buf->capacity > 0 ? buf->capacity : 1024;
    while (capacity < len + n)
        capacity *= 2;
    char *data = malloc(capacity);
    if (!data)
        return -ENOMEM;
    if (len > 0)
        memcpy(data, buf->data + buf->start, len);
    free(buf->data);
    *buf = (struct hr__buf){.data = data, .end = len, .capacity = capacity};
    return 0;
}
