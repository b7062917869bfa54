/* SPDX-License-Identifier: MIT */
/*
 * Replies of Redis, with typed access. A reply lives in one arena that its owner frees; strings
 * are borrowed from it and are followed by a NUL that is not counted.
 */
#pragma once

#include "core/base.h"

typedef struct hr_reply hr_reply;

/* What a server says in RESP2 or RESP3. Where the generations differ, the getters below do not: a
 * number may come as an integer, a string or a double, pairs as a map or as an array. */
enum hr_reply_type {
    HR_REPLY_NIL,
    HR_REPLY_STATUS,
    HR_REPLY_ERROR, /* only inside arrays: a top-level error is the command's HR_EREPLY */
    HR_REPLY_INT,
    HR_REPLY_STR, /* also verbatim text, without what tells its format */
    HR_REPLY_ARRAY,
    HR_REPLY_MAP,    /* RESP3, like all below: its elements are key, value, key, value … */
    HR_REPLY_SET,    /* elements in no order */
    HR_REPLY_DOUBLE, /* its bytes are the number as the server wrote it */
    HR_REPLY_BOOL,   /* as an integer: 0 or 1 */
    HR_REPLY_BIG,    /* an integer of any size; its bytes are the digits */
    HR_REPLY_PUSH,   /* a message that is nobody's reply */
};

/* Here and below NULL, what hr_reply_at() gives past the end, reads like nil: so an answer can be
 * walked through that is not what was expected. */
HR_PUBLIC enum hr_reply_type hr_reply_type(const hr_reply *reply);
static inline bool hr_reply_is_nil(const hr_reply *reply)
{
    return hr_reply_type(reply) == HR_REPLY_NIL;
}

/* Bytes of a string, status, error, double or big number; NULL for other types. len may be NULL. */
HR_PUBLIC const char *hr_reply_str(const hr_reply *reply, size_t *len);

/* True when it is a string or status equal to text. */
HR_PUBLIC bool hr_reply_equals(const hr_reply *reply, const char *text);

/* An integer or boolean, or a string that is an integer; 0 for anything else. */
HR_PUBLIC int64_t hr_reply_int(const hr_reply *reply);

/* The same, told apart: 0 and *ret, or -EPROTO without a word in the record: it is none, or does
 * not fit. A double is an integer only as hr_reply_get_double() reads it. */
HR_PUBLIC int hr_reply_get_int(const hr_reply *reply, int64_t *ret);
HR_PUBLIC int hr_reply_get_double(const hr_reply *reply, double *ret); /* also inf, nan */

/* Elements of an array, map, set or push (0 for other types), and one of them, borrowed; NULL past
 * the end. */
HR_PUBLIC size_t hr_reply_len(const hr_reply *reply);
HR_PUBLIC const hr_reply *hr_reply_at(const hr_reply *reply, size_t i);

/* Walks into nested arrays: hr_reply_walk(reply, 2, 0, 1) is the second element of the first. The
 * steps are ints; NULL where one leads nowhere. */
HR_PUBLIC const hr_reply *hr_reply_walk(const hr_reply *reply, unsigned steps, ...);

/* The value that stands behind a key in a map, or in an array of keys and values: NULL when it is
 * not there. Looks from the front. */
HR_PUBLIC const hr_reply *hr_reply_find(const hr_reply *reply, const char *key);

/* Bytes of memory the whole reply takes; 0 for NULL. */
HR_PUBLIC size_t hr_reply_size(const hr_reply *reply);

HR_PUBLIC hr_reply *hr_reply_free(hr_reply *reply);
HR_PUBLIC void hr_reply_freep(hr_reply **reply);
