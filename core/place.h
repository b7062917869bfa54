/* SPDX-License-Identifier: MIT */
/*
 * Places in the program's text, as people can look them up. Inside core/ only.
 */
#pragma once

#include <stddef.h>

#define HR__PLACE_MAX 48

/* Writes "program+0x1a2b", whose number addr2line(1) turns into a line; "?" for what is no place.
 * Returns text. */
const char *hr__place_text(const void *place, char *text, size_t size);
