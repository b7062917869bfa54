/* SPDX-License-Identifier: MIT */
/*
 * An allocator that runs dry: the n-th allocation from now fails, and on wish all after it.
 *
 * Programs that use it are linked with --wrap for malloc, calloc, realloc, reallocarray, strdup
 * and strndup; allocations inside shared libraries are not touched.
 */
#pragma once

#include "core/base.h"

void starve_after(long n, bool once);

/* Back to plenty. Yields whether an allocation failed. */
bool starve_end(void);
