/* SPDX-License-Identifier: MIT */
#include "daemon/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void hash_add(struct hash *hash, const void *data, size_t len)
{
    /* The length goes in through the seed, so "ab","c" and "a","bc" differ. */
    uint64_t seed = hash->value ^ ((uint64_t)len * UINT64_C(0x9e3779b97f4a7c15));
    hash->value = XXH64(data, len, seed);
}

void hash_name(const char *text, char ret[17])
{
    snprintf(ret, 17, "%016" PRIx64, (uint64_t)XXH64(text, strlen(text), 0));
}

void hash_child_id(const char *parent, unsigned k, char ret[33])
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(parent, strlen(parent), k);
    snprintf(ret, 33, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64, (uint64_t)hash.low64);
}

void hash_128(const void *data, size_t len, uint64_t ret[2])
{
    XXH128_hash_t hash = XXH3_128bits(data, len);
    ret[0] = hash.low64;
    ret[1] = hash.high64;
}
