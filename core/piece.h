/* SPDX-License-Identifier: MIT */
/*
 * Small structs that a thread makes by the thousand and any thread frees. Inside core/ only.
 *
 * Memory that is touched for the first time, and a heap that grows page by page, cost more than all
 * that is done with a struct of which many are alive at once. So they stand side by side in blocks.
 */
#pragma once

#include "core/base.h"

#define HR__PIECE_SIZE 128

/* A piece for this thread, not cleared, two cache lines; where it stands in its block goes to
 * *ret_place. NULL when memory is out. */
void *hr__piece_new(unsigned char *ret_place);

/* Gives it back, in any thread. */
void hr__piece_free(void *piece, unsigned char place);
