/* SPDX-License-Identifier: MIT */
/*
 * Calls that cannot be polled, in a thread of the loop's default pool. Inside core/patch/ only.
 */
#pragma once

#include "core/base.h"

/* Runs fn(arg) in the pool while the task waits, however often it is cancelled meanwhile: arg may
 * point to what the caller of a patched call owns. Where the pool cannot take it, fn runs here. */
void hr__patch_in_pool(void (*fn)(void *arg), void *arg);
