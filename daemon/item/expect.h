/* SPDX-License-Identifier: MIT */
/*
 * The contract of a job's items (`expect:`): which fields they have, and of which type.
 *
 *     string string(36) string(1..36) string(1..)    length in characters
 *     int int(1..) int(..9) int(1..9)                any size, exact; also a string of digits
 *     decimal(12,2)                                  exact; also a string that is one
 *     number bool object array
 *     time(rfc3339) time(unix)                       a string; a number of seconds
 *     enum(new|paid)                                 one of these strings
 *
 * Each may end in ?: absent or null is fine then. A dot in a field's name goes one object deeper.
 * "*": reject forbids fields that are not named, on the top level.
 */
#pragma once

#include "daemon/item/json.h"

struct expect;

struct expect_error {
    char message[200];
};

/* An empty contract, which every object fulfils. NULL when out of memory. */
struct expect *expect_new(void);
struct expect *expect_free(struct expect *e);
static inline void expect_freep(struct expect **e)
{
    expect_free(*e);
}

/* Adds one line of the contract. 0, -EINVAL with *error filled, or -ENOMEM. */
int expect_add(struct expect *e, const char *field, const char *type, struct expect_error *error);

/* Checks an item. 0, or -EBADMSG: *why (class expect) names the first field, in the contract's
 * order, that breaks its rule, with rule and value. */
int expect_check(const struct expect *e, const struct json_value *item, struct failure *why);
