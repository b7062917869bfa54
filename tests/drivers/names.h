/* SPDX-License-Identifier: MIT */
/*
 * Names that no name server is asked for: the test program is linked so that getaddrinfo() comes
 * here first. Every name is 127.0.0.1, but
 *
 *   gone.test   does not exist
 *   down.test   has no server that would know
 *   two.test    has two addresses, 127.0.0.1 and ::1
 *   pair.test   has 127.0.0.1 and 127.0.0.2
 *   slow.test   takes until test_names_stuck is lifted
 *   dead.test   the same, and after half a second nobody has answered
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

extern atomic_int test_names_asked, test_names_answered;
extern atomic_bool test_names_stuck;
