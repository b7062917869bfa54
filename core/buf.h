/* SPDX-License-Identifier: MIT */
/*
 * Growing bytes with a bound: append at the end, consume at the front.
 *
 * A call that fails changes nothing. The codes are -ENOBUFS (past the bound) and -ENOMEM; neither
 * writes an error record, since only the caller knows what the bytes were.
 */
#pragma once

#include <stdarg.h>

#include "core/base.h"

/* Embedded in the caller's struct. Read data and size through the calls below. */
struct hr_buf {
    char *bytes; /* NULL, or capacity + 1 bytes; a NUL follows the data */
    size_t start, end, capacity;
    size_t bound;
};

/* An empty buffer that holds at most bound bytes (SIZE_MAX: as many as memory). */
HR_PUBLIC void hr_buf_init(struct hr_buf *buf, size_t bound);

/* Frees the bytes; the buffer is empty and usable afterwards. For hr_auto(). */
HR_PUBLIC void hr_buf_done(struct hr_buf *buf);

/* What is in it: never NULL, a NUL byte follows; valid until the next append or take. */
HR_PUBLIC const char *hr_buf_data(const struct hr_buf *buf);
HR_PUBLIC size_t hr_buf_size(const struct hr_buf *buf);

/* Adds at the end: bytes, a string, formatted text. 0, -ENOBUFS, -ENOMEM; printf also -EINVAL. */
HR_PUBLIC int hr_buf_append(struct hr_buf *buf, const void *data, size_t size);
HR_PUBLIC int hr_buf_append_text(struct hr_buf *buf, const char *text);
HR_PUBLIC int hr_buf_printf(struct hr_buf *buf, const char *fmt, ...) hr_printf_like(2, 3);
HR_PUBLIC int hr_buf_vprintf(struct hr_buf *buf, const char *fmt, va_list args)
    hr_printf_like(2, 0);

/* For reading into it: room for size bytes at the end, of which commit then keeps the first n. */
HR_PUBLIC int hr_buf_reserve(struct hr_buf *buf, size_t size, char **ret);
HR_PUBLIC void hr_buf_commit(struct hr_buf *buf, size_t n);

/* Drops n bytes at the front (all, if there are fewer); keeps the memory. */
HR_PUBLIC void hr_buf_consume(struct hr_buf *buf, size_t n);

/* Takes n bytes out of the middle, offset bytes behind the front; they have to be there. */
HR_PUBLIC void hr_buf_cut(struct hr_buf *buf, size_t offset, size_t n);

/* Moves the bytes out: NUL terminated, to be freed by the caller; the buffer is empty then. NULL
 * when memory is out. */
HR_PUBLIC char *hr_buf_take(struct hr_buf *buf, size_t *ret_size);
