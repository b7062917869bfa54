/* SPDX-License-Identifier: MIT */
/*
 * A small file read whole, with a bound.
 */
#pragma once

#include "config/mem.h"

/* Reads the file into memory of mem, with a NUL behind it. 0, or -errno; -EFBIG when it has more
 * than max bytes, -ENOMEM. */
int hr__conf_read_file(struct hr_conf_mem *mem, const char *path, size_t max, char **ret,
                       size_t *ret_len);
