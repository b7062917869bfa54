/* SPDX-License-Identifier: MIT */
/*
 * Getters that do not mind which generation of the protocol a reply came in.
 */
#include "drivers/redis/reply.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "drivers/number.h"
#include "drivers/redis/arena.h"

enum hr_reply_type hr_reply_type(const hr_reply *reply)
{
    return reply ? reply->type : HR_REPLY_NIL;
}

static bool has_bytes(const hr_reply *reply)
{
    switch (hr_reply_type(reply)) {
    case HR_REPLY_STR:
    case HR_REPLY_STATUS:
    case HR_REPLY_ERROR:
    case HR_REPLY_DOUBLE:
    case HR_REPLY_BIG:
        return true;
    default:
        return false;
    }
}

const char *hr_reply_str(const hr_reply *reply, size_t *len)
{
    if (!has_bytes(reply))
        return NULL;
    if (len)
        *len = reply->len;
    return reply->str;
}

bool hr_reply_equals(const hr_reply *reply, const char *text)
{
    enum hr_reply_type type = hr_reply_type(reply);
    return (type == HR_REPLY_STR || type == HR_REPLY_STATUS) && reply->len == strlen(text) &&
           memcmp(reply->str, text, reply->len) == 0;
}

/* A decimal number and nothing else; false also when it does not fit. */
static bool parse_int(const char *text, size_t len, int64_t *ret)
{
    bool negative = len > 0 && text[0] == '-';
    uint64_t value = 0, limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    if (len == (size_t)negative || len > 20)
        return false;
    for (size_t i = negative; i < len; i++) {
        unsigned digit = (unsigned)(text[i] - '0');
        if (digit > 9 || value > (limit - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret = (int64_t)(negative ? 0 - value : value);
    return true;
}

int hr_reply_get_int(const hr_reply *reply, int64_t *ret)
{
    switch (hr_reply_type(reply)) {
    case HR_REPLY_INT:
    case HR_REPLY_BOOL:
        *ret = reply->integer;
        return 0;
    case HR_REPLY_STR:
    case HR_REPLY_STATUS:
    case HR_REPLY_BIG:
        return parse_int(reply->str, reply->len, ret) ? 0 : -EPROTO;
    default:
        return -EPROTO;
    }
}

int64_t hr_reply_int(const hr_reply *reply)
{
    int64_t value = 0;
    (void)hr_reply_get_int(reply, &value);
    return value;
}

int hr_reply_get_double(const hr_reply *reply, double *ret)
{
    if (hr_reply_type(reply) == HR_REPLY_INT || hr_reply_type(reply) == HR_REPLY_BOOL) {
        *ret = (double)reply->integer;
        return 0;
    }
    if (!has_bytes(reply) || reply->type == HR_REPLY_ERROR)
        return -EPROTO;
    return hr__parse_double(reply->str, reply->len, ret) ? 0 : -EPROTO;
}

static bool has_items(const hr_reply *reply)
{
    switch (hr_reply_type(reply)) {
    case HR_REPLY_ARRAY:
    case HR_REPLY_MAP:
    case HR_REPLY_SET:
    case HR_REPLY_PUSH:
        return true;
    default:
        return false;
    }
}

size_t hr_reply_len(const hr_reply *reply)
{
    return has_items(reply) ? reply->len : 0;
}

const hr_reply *hr_reply_at(const hr_reply *reply, size_t i)
{
    return i < hr_reply_len(reply) ? &reply->items[i] : NULL;
}

const hr_reply *hr_reply_walk(const hr_reply *reply, unsigned steps, ...)
{
    va_list at;
    va_start(at, steps);
    for (; steps > 0 && reply; steps--)
        reply = hr_reply_at(reply, (size_t)va_arg(at, int));
    va_end(at);
    return reply;
}

const hr_reply *hr_reply_find(const hr_reply *reply, const char *key)
{
    size_t len = hr_reply_len(reply);
    for (size_t i = 0; i + 1 < len; i += 2) {
        if (hr_reply_equals(&reply->items[i], key))
            return &reply->items[i + 1];
    }
    return NULL;
}

size_t hr_reply_size(const hr_reply *reply)
{
    return reply ? hr__arena_of(reply)->size : 0;
}

void hr_reply_freep(hr_reply **reply)
{
    *reply = hr_reply_free(*reply);
}
