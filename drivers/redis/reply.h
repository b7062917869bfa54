/* SPDX-License-Identifier: MIT */
/*
 * Replies of Redis, with typed access. A reply lives in one arena that its owner frees; strings
 * are borrowed from it and are followed by a NUL that is not counted.
 */
#pragma once

#include "core/base.h"

typedef struct hr_reply hr_reply;

enum hr_reply_type {
    HR_REPLY_NIL,
    HR_REPLY_STATUS,
    HR_REPLY_ERROR, /* only inside arrays: a top-level error is the command's HR_EREPLY */
    HR_REPLY_INT,
    HR_REPLY_STR,
    HR_REPLY_ARRAY,
};

HR_PUBLIC enum hr_reply_type hr_reply_type(const hr_reply *reply);
static inline bool hr_reply_is_nil(const hr_reply *reply)
{
    return hr_reply_type(reply) == HR_REPLY_NIL;
}

/* Bytes of a string, status or error; NULL for other types. len may be NULL. */
HR_PUBLIC const char *hr_reply_str(const hr_reply *reply, size_t *len);

/* True when it is a string or status equal to text. */
HR_PUBLIC bool hr_reply_equals(const hr_reply *reply, const char *text);

/* An integer, or a string that is one; 0 for anything else. */
HR_PUBLIC int64_t hr_reply_int(const hr_reply *reply);

/* Elements of an array (0 for other types), and one of them, borrowed; NULL past the end. */
HR_PUBLIC size_t hr_reply_len(const hr_reply *reply);
HR_PUBLIC const hr_reply *hr_reply_at(const hr_reply *reply, size_t i);

/* Bytes of memory the whole reply takes. */
HR_PUBLIC size_t hr_reply_size(const hr_reply *reply);

HR_PUBLIC hr_reply *hr_reply_free(hr_reply *reply);
HR_PUBLIC void hr_reply_freep(hr_reply **reply);
