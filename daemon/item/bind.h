/* SPDX-License-Identifier: MIT */
/*
 * From a JSON value to what a statement's parameter is bound to, exactly or not at all.
 *
 * Where the column is known the value is checked against it, so that a misfit becomes a dead letter
 * before anything is sent, with the errno a strict MariaDB would give:
 *     1048  null for NOT NULL                    1264  out of range
 *     1366  not a number, for a number column (the server says 1265 when it begins like one)
 *     1406  too long
 *     1292  not a date or time, out of its range, or finer than the column
 *     1265  a fraction for an integer, more decimals than the column has, a time of day for a DATE:
 *           the server would round these with a note; here they fail
 * A column that is not known takes everything: string → its text, number → its digits, bool → 0/1,
 * array and object → JSON text, null → NULL. What cannot be seen here (ENUM and SET members, the
 * column's character set) the server sees.
 *
 * Times: RFC 3339 text, or "YYYY-MM-DD[ HH:MM:SS[.ffffff]]" taken as UTC, or a number of seconds
 * since 1970, become 'YYYY-MM-DD HH:MM:SS[.ffffff]' in UTC.
 */
#pragma once

#include "daemon/item/json.h"

/* `as:` of a parameter; BIND_AUTO leaves it to the column. */
enum bind_as { BIND_AUTO, BIND_TEXT, BIND_INT, BIND_DECIMAL, BIND_TIME, BIND_JSON, BIND_BYTES };

enum column_kind {
    COLUMN_UNKNOWN,
    COLUMN_INT,
    COLUMN_DECIMAL,
    COLUMN_FLOAT,
    COLUMN_DOUBLE,
    COLUMN_CHAR,   /* CHAR, VARCHAR, TEXT */
    COLUMN_BINARY, /* BINARY, VARBINARY, BLOB */
    COLUMN_DATE,
    COLUMN_DATETIME,
    COLUMN_TIMESTAMP,
    COLUMN_TIME,
    COLUMN_YEAR,
    COLUMN_JSON,
    COLUMN_BIT,
    COLUMN_ENUM,
    COLUMN_SET,
};

struct column {
    const char *name; /* for messages: the column's, or the parameter's where it is not known */
    enum column_kind kind;
    bool is_unsigned;   /* INT, DECIMAL, FLOAT, DOUBLE */
    bool not_null;      /* a null is refused … */
    bool null_fills_in; /* … unless the server puts a value there: AUTO_INCREMENT, old TIMESTAMPs */
    bool has_default;   /* not looked at here */
    unsigned width;     /* INT: bytes, 1 2 3 4 8; BIT: bits, 1..64 */
    unsigned precision; /* DECIMAL: digits in all */
    unsigned scale;     /* DECIMAL: digits after the point */
    unsigned fsp;       /* DATETIME, TIMESTAMP, TIME: digits of a second, 0..6 */
    size_t max_chars;   /* CHAR: characters; 0: no limit known */
    size_t max_bytes;   /* CHAR, BINARY, JSON: bytes; 0: no limit known */
};

/* How a column's values are bound: always the same for one column, so that arrays of them can be
 * bound at once. */
enum bound_kind { BOUND_INT64, BOUND_UINT64, BOUND_TEXT, BOUND_BYTES };

struct bound {
    bool is_null;
    enum bound_kind kind;
    union {
        int64_t i;  /* BOUND_INT64 */
        uint64_t u; /* BOUND_UINT64 */
        struct {
            const char *text; /* BOUND_TEXT (UTF-8), BOUND_BYTES; in the item or the arena */
            size_t len;
        };
    };
};

/* What bind_value() will give for this column. */
enum bound_kind bind_kind(const struct column *column, enum bind_as as);

/* Binds one value; NULL is null. Zero copy where the item's own bytes will do. 0, or
 *   -EBADMSG  the value does not fit; *why has class row, errno, column and the value's beginning
 *   -E2BIG    the arena's limit is reached; *why tells likewise
 *   -ENOMEM   *why is not written */
int bind_value(const struct column *column, enum bind_as as, const struct json_value *value,
               struct arena *a, struct bound *ret, struct failure *why);
