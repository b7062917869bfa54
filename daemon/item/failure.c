/* SPDX-License-Identifier: MIT */
#include "daemon/item/failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the well-formed character at p, of which len are there; 0 when it is not well-formed. */
static size_t character(const unsigned char *p, size_t len)
{
    if (p[0] < 0x80)
        return 1;
    /* The second byte's range keeps overlong forms, surrogates and > U+10FFFF out. */
    unsigned low = 0x80, high = 0xbf;
    size_t n = 0;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
    } else if ((p[0] & 0xf0) == 0xe0) {
        n = 3;
        low = p[0] == 0xe0 ? 0xa0 : 0x80;
        high = p[0] == 0xed ? 0x9f : 0xbf;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        low = p[0] == 0xf0 ? 0x90 : 0x80;
        high = p[0] == 0xf4 ? 0x8f : 0xbf;
    }
    if (n == 0 || len < n || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

bool text_is_utf8(const char *bytes, size_t len)
{
    const unsigned char *p = (const unsigned char *)bytes;
    while (len > 0) {
        uint64_t eight;
        if (len >= sizeof eight) {
            memcpy(&eight, p, sizeof eight);
            if (!(eight & UINT64_C(0x8080808080808080))) {
                p += sizeof eight;
                len -= sizeof eight;
                continue;
            }
        }
        size_t n = character(p, len);
        if (n == 0)
            return false;
        p += n;
        len -= n;
    }
    return true;
}

size_t text_characters(const char *bytes, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += (bytes[i] & 0xc0) != 0x80;
    return n;
}

size_t text_excerpt(char *ret, size_t size, const char *bytes, size_t len)
{
    static const char more[] = "…";
    const unsigned char *p = (const unsigned char *)bytes, *end = p + len;
    size_t used = 0, fits = 0; /* fits: where the text may be cut and "…" still has room */
    while (p < end) {
        size_t n = character(p, (size_t)(end - p));
        const char *from = n ? (const char *)p : "\xef\xbf\xbd";
        size_t take = n ? n : 3;
        if (n == 1 && *p == 0) {
            from = "\\0";
            take = 2;
        }
        if (used + take >= size) {
            size_t tail = size > sizeof more ? sizeof more - 1 : 0;
            memcpy(ret + fits, more, tail);
            used = fits + tail;
            break;
        }
        memcpy(ret + used, from, take);
        used += take;
        if (used + sizeof more <= size)
            fits = used;
        p += n ? n : 1;
    }
    ret[used] = 0;
    return used;
}

void text_format(char *ret, size_t size, const char *format, va_list args)
{
    char text[2 * FAILURE_MESSAGE_MAX];
    int n = vsnprintf(text, sizeof text, format, args);
    size_t len = n < 0 ? 0 : (size_t)n;
    text_excerpt(ret, size, text, len < sizeof text ? len : sizeof text - 1);
}

int(failure_set)(struct failure *f, const char *error_class, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_format(f->message, sizeof f->message, format, args);
    va_end(args);
    snprintf(f->error_class, sizeof f->error_class, "%s", error_class);
    f->code = code;
    f->column[0] = 0;
    f->value[0] = 0;
    return -EBADMSG;
}

void failure_set_column(struct failure *f, const char *column)
{
    text_excerpt(f->column, sizeof f->column, column ? column : "", column ? strlen(column) : 0);
}

void failure_set_value(struct failure *f, const char *bytes, size_t len)
{
    text_excerpt(f->value, sizeof f->value, bytes, len);
}
