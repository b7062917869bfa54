/* SPDX-License-Identifier: MIT */
/*
 * Every wait of a task, counted, so that a cancel can be placed at any of them. The test program is
 * linked so that waits for descriptors and events, and turns that are given to others, come here
 * first.
 */
#pragma once

#include "core/loop.h"

enum test_waits { TEST_WAITS_IO /* and turns */, TEST_WAITS_ALL };

/* Cancels a task at its n-th wait from now on (0: never), when it is task (NULL: any). Returns how
 * many waits there were since the last call. */
int test_cancel_at(int n, enum test_waits which, const hr_task *task);
