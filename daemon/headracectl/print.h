/* SPDX-License-Identifier: MIT */
/*
 * Text from elsewhere on its way to a terminal or into JSON.
 */
#pragma once

#include <stdio.h>

#include "core/base.h"

/* A JSON string with its quotes; the text is UTF-8. */
void print_json_string(FILE *out, const char *text, size_t len);

/* For eyes: control characters, which could command a terminal, are shown as \n, \x1b and so on. */
void print_safely(FILE *out, const char *text, size_t len);

/* Columns that len bytes take when printed safely; characters that take two count as one. */
size_t print_width(const char *text, size_t len);
