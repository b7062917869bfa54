/* SPDX-License-Identifier: MIT */
/*
 * Whether a descriptor blocks, while others may be connecting it. Inside core/patch/ only.
 */
#pragma once

#include "core/base.h"

/* Whether it is open and O_NONBLOCK is not set. */
bool hr__patch_blocks(int fd);
