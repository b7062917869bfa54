/* SPDX-License-Identifier: MIT */
/*
 * A decimal number looked at as its digits: compared, counted and converted exactly, never through
 * a double.
 */
#pragma once

#include "core/base.h"

/* The value is 0.D × 10^magnitude with D the n_digits digits from first on, passing over the point.
 * Neither the first nor the last digit is 0; zero has none. */
struct number {
    bool negative; /* never for zero */
    bool plain;    /* no exponent stands in the text */
    const char *first, *point;
    size_t n_digits;
    int64_t magnitude;
};

/* Reads digits[.digits][e[±]digits] with an optional minus: JSON's numbers, but leading zeros may
 * stand there, as in strings they do. Whole text or nothing; false when it is no number. The text
 * is borrowed. */
bool number_parse(const char *text, size_t len, struct number *ret);

/* < 0, 0 or > 0. */
int number_compare(const struct number *x, const struct number *y);

/* Digits needed before and after the point; capped at INT32_MAX. Zero needs none. */
unsigned number_whole_digits(const struct number *n);
unsigned number_decimals(const struct number *n);

/* The exact value where it is an integer of that type; else false. */
bool number_to_int64(const struct number *n, int64_t *ret);
bool number_to_uint64(const struct number *n, uint64_t *ret);

/* Writes it without exponent, needless zeros or final NUL, as 0.25 or -1200, and returns the bytes
 * written: at most whole digits + decimals + 3, for which the caller makes room. */
size_t number_write(const struct number *n, char *ret);
