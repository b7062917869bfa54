/* SPDX-License-Identifier: MIT */
/*
 * The envelope in which an item waits for its next attempt: length-framed bytes, not JSON.
 *
 * It carries what a raw item in the list does not have: attempts so far, when it was first seen,
 * the last failure, the id its dead letter has or will have. Redis stores it and never looks
 * inside.
 */
#pragma once

#include "daemon/item/failure.h"

/* A dead-letter id is `<batch id>:<index>`; room for one with its NUL. */
#define ENVELOPE_ID_MAX 64

struct envelope {
    char id[ENVELOPE_ID_MAX]; /* kept through all retries, also `dead retry`; "" until there is one
                               */
    unsigned attempts;        /* that failed */
    int64_t first_seen;       /* ms since 1970 */
    struct failure error;     /* the last one; error_class "" when there was none */
    const char *payload;      /* the item, any bytes; borrowed */
    size_t payload_len;
};

/* Upper bound of what envelope_encode() writes. */
size_t envelope_size(const struct envelope *e);

/* Writes the envelope into a buffer of envelope_size() bytes; returns the bytes written. */
size_t envelope_encode(const struct envelope *e, char *ret);

/* Reads one; ret->payload points into bytes. 0, or -EBADMSG when it is damaged, cut, of another
 * version or not an envelope at all. */
int envelope_decode(const char *bytes, size_t len, struct envelope *ret);
