/* SPDX-License-Identifier: MIT */
/*
 * One item, two items: the word behind a number that people read.
 */
#pragma once

#include <stdint.h>

/* printf("%zu %s", n, plural(n, "batch", "batches")) */
static inline const char *plural(uint64_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}
