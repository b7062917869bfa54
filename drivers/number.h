/* SPDX-License-Identifier: MIT */
/*
 * Floating point numbers as servers read them, whatever the program's locale.
 */
#pragma once

#include "core/base.h"

/* Puts a point where the locale has a decimal point of its own: "1,5", as snprintf() may have
 * written it, becomes "1.5". For %f, %g and the like, in quotes or not. */
void hr__put_point(char *number);

/* Reads a number that fills all len bytes: digits, sign, point, exponent, "inf" or "nan", with a
 * point whatever the locale says. False: it is none. */
bool hr__parse_double(const char *text, size_t len, double *ret);
