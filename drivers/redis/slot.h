/* SPDX-License-Identifier: MIT */
/*
 * Which slot of a cluster a key belongs to, and which keys a command has.
 *
 * A slot is CRC-16/XMODEM of the key modulo 16384 (polynomial 0x1021, begins with 0, nothing
 * reflected; the Redis Cluster specification, "Key distribution model"). Of a key with a hash tag,
 * text between the first { and the next }, only that counts.
 */
#pragma once

#include "core/base.h"

#define HR__REDIS_SLOTS   16384
#define HR__REDIS_NO_SLOT HR__REDIS_SLOTS /* of a command without keys */

unsigned hr__redis_slot(const char *key, size_t len);

/* The slot of a command as it is sent: an array of strings, as hr__redis_format() writes it. 0; or
 * -EINVAL: its keys are of two slots, and the record names two such keys. The first key of a
 * command that is not known is taken to be its first argument. */
int hr__redis_slot_of_command(const char *bytes, size_t len, unsigned *ret);
