/* SPDX-License-Identifier: MIT */
/*
 * Whether a descriptor blocks, while others may be connecting it. Inside core/patch/ only.
 */
#pragma once

#include "core/base.h"

/* Whether it is open and O_NONBLOCK is not set. */
bool hr__patch_blocks(int fd);

/* Around a fork: no attempt is under way, so the child gets descriptors that are as they were. */
void hr__patch_hold_attempts(void);
void hr__patch_let_go_of_attempts(void);
