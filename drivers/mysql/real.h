/* SPDX-License-Identifier: MIT */
/*
 * FLOAT and DOUBLE as the server writes them: with as few digits as tell the value apart, six at
 * most for a FLOAT; or with the places that their column has.
 */
#pragma once

#include "core/base.h"

/* Whether a value of 4 or 8 bytes is a number that a server can hold: finite. */
bool hr__mysql_real_is_known(const unsigned char *at, unsigned bytes);

/* How much its text takes at most, with a NUL, in a column of so many places; for one that is
 * known. */
size_t hr__mysql_real_room(const unsigned char *at, unsigned bytes, unsigned places);

/* Writes it, and a NUL; returns its length. */
size_t hr__mysql_real_text(const unsigned char *at, unsigned bytes, unsigned places, char *to);
