/* SPDX-License-Identifier: MIT */
/*
 * Moments and dates in text: RFC 3339, SQL and seconds since 1970, to UTC and exactly.
 *
 * Years 1 to 9999 of the Gregorian calendar. Fractions of a second stay digits, so none is rounded.
 */
#pragma once

#include "daemon/item/number.h"

struct moment {
    int64_t seconds;      /* since 1970-01-01 00:00:00 UTC, leap seconds not counted */
    const char *fraction; /* digits of the second's fraction without zeros at the end; borrowed */
    size_t n_fraction;
};

/* 2026-01-02T03:04:05[.678](Z|±hh:mm), also with a space or small letters as RFC 3339 allows. Whole
 * text or nothing. False for what is no such moment; second 60 is none here, MySQL has no such. */
bool moment_parse_rfc3339(const char *text, size_t len, struct moment *ret);

/* 2026-01-02 or 2026-01-02 03:04:05[.678] (also with T), taken as UTC. */
bool moment_parse_sql(const char *text, size_t len, struct moment *ret);

/* Seconds since 1970 as a number, not before it. Its fraction must be written without exponent. */
bool moment_from_number(const struct number *n, struct moment *ret);

/* Room for moment_write() with six digits of a second, and a final NUL. */
#define MOMENT_MAX 32

/* Writes "2026-01-02 03:04:05" and, with n > 0, the first n ≤ 6 digits of the fraction; dropping
 * digits is the caller's decision. Returns the bytes written; a NUL follows. */
size_t moment_write(const struct moment *m, unsigned n, char ret[MOMENT_MAX]);

/* Writes milliseconds since 1970 as 2026-01-02T03:04:05.678Z with a NUL; and reads it back. */
void moment_write_ms(int64_t ms, char ret[MOMENT_MAX]);
bool moment_parse_ms(const char *text, size_t len, int64_t *ret);
