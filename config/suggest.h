/* SPDX-License-Identifier: MIT */
/*
 * "Did you mean …?": the known word nearest to a misspelt one.
 */
#pragma once

#include "core/base.h"

/* The name that somebody who wrote `word` probably meant, or NULL. names is an array of n structs
 * of `stride` bytes that begin with a const char *; a NULL name ends it early. */
const char *hr_conf_suggest(const char *word, const void *names, size_t n, size_t stride);
