/* SPDX-License-Identifier: MIT */
/*
 * Building replies: what the parser needs of the arena in which a reply lives.
 */
#pragma once

#include "drivers/redis/reply.h"

struct hr_reply {
    enum hr_reply_type type;
    size_t len; /* bytes, or elements */
    union {
        int64_t integer;
        char *str;
        struct hr_reply *items; /* side by side */
    };
};

/* A reply of its own with room for that many bytes beside it; NULL: no memory. */
hr_reply *hr__reply_new(size_t room);

/* Memory from the arena of root, aligned for a reply. NULL: no memory. */
void *hr__reply_alloc(hr_reply *root, size_t n);

/* Turns a place inside root (or root) into a string-like reply, or an array of n nils. 0 or
 * -ENOMEM. */
int hr__reply_set_str(hr_reply *root, hr_reply *at, enum hr_reply_type type, const char *bytes,
                      size_t len);
int hr__reply_set_array(hr_reply *root, hr_reply *at, size_t n);
