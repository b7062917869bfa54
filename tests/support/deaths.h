/* SPDX-License-Identifier: MIT */
/*
 * Whether another process is over, whoever its parent is.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Gone, or a zombie: one of somebody else's may stay that for as long as that one likes. */
bool test_is_dead(pid_t pid);

/* Waits for it, in a task; fails the test after some seconds. */
void test_wait_until_dead(pid_t pid);
