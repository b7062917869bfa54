/* SPDX-License-Identifier: MIT */
/*
 * Hashes that name things in Redis and MySQL: once in use they must never change.
 *
 * XXH64 and XXH3-128 (xxHash 0.8, whose output is frozen).
 */
#pragma once

#include "core/base.h"

/* A digest over lengths and bytes of several strings, in order; starts as { 0 }. */
struct hash {
    uint64_t value;
};
void hash_add(struct hash *hash, const void *data, size_t len);

/* Hexadecimal name of a text's hash. */
void hash_name(const char *text, char ret[17]);

/* The id of child k of a split batch: fixed by the parent, and never another batch's. */
void hash_child_id(const char *parent, unsigned k, char ret[33]);

/* 128 bits of a text, for sets in memory. */
void hash_128(const void *data, size_t len, uint64_t ret[2]);
