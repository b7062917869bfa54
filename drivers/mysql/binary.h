/* SPDX-License-Identifier: MIT */
/*
 * A value of a prepared statement's row, as the text that the server would have sent for it.
 * (Protocol: MariaDB's documentation, "Resultset row", binary rows.)
 */
#pragma once

#include "drivers/mysql/result.h"

/* Bytes that are not read yet. */
struct hr__mysql_span {
    const unsigned char *p, *end;
};

/* A value where it lies; its bytes are borrowed. */
struct hr__mysql_binary {
    const unsigned char *at;
    size_t len;
    size_t room; /* its text takes that much at most, with the NUL behind it */
    int kind;    /* of binary.c's own */
};

static inline uint64_t hr__mysql_little(const unsigned char *p, unsigned bytes)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < bytes; i++)
        n |= (uint64_t)p[i] << 8 * i;
    return n;
}

/* Whether values of that column can be read here. */
bool hr__mysql_binary_knows(const struct hr__mysql_column *column);

/* Looks at the value that is next and steps over it. False: it is cut off, or none that a server
 * writes. */
bool hr__mysql_binary_read(struct hr__mysql_span *in, const struct hr__mysql_column *column,
                           struct hr__mysql_binary *ret);

/* Writes the text of a value that was read, and a NUL; returns its length. */
size_t hr__mysql_binary_text(const struct hr__mysql_binary *value,
                             const struct hr__mysql_column *column, char *to);
