/* SPDX-License-Identifier: MIT */
/*
 * Text for standard output or standard error that has to arrive whole: a thread writes it, as a
 * reader that is slow or gone must not stop the loop, and whoever has it waits.
 */
#pragma once

#include "core/headrace.h"

/* Writes len bytes to fd and frees data, made by malloc(), in any case. 0; the code of a write that
 * failed; -ECANCELED: the thread goes on. */
hr_async int output_write(int fd, char *data, size_t len);
