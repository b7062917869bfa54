/* SPDX-License-Identifier: MIT */
/*
 * An allocator that runs dry: the n-th allocation from now fails, and on wish all after it.
 *
 * Programs that use it are linked with --wrap for malloc, calloc, realloc, reallocarray, strdup
 * and strndup; allocations inside shared libraries are not touched.
 */
#pragma once

#include <stdatomic.h>

#include "core/base.h"

void starve_after(long n, bool once);

/* The same for every fallible call, those of starve_calls.c included; so many of them fail. */
void starve_all_after(long n, long count);

/* Whether one has failed since. A signal handler may look at the flag. */
bool starve_failed(void);
const atomic_bool *starve_flag(void);

/* Back to plenty. Yields whether an allocation failed. */
bool starve_end(void);

/* For wrappers: whether this call, that is not an allocation, may succeed. */
bool starve_permits(void);
