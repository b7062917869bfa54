/* SPDX-License-Identifier: MIT */
#include "daemon/hash_set.h"

#include <errno.h>

#include "core/error.h"
#include "daemon/hash.h"

#define SIZE_FIRST 64

void hash_set_done(struct hash_set *set)
{
    free(set->slots);
    *set = (struct hash_set){.wanted = set->wanted};
}

/* The place of a hash, or the free one where it belongs. */
static size_t find(const struct hash_set *set, const uint64_t hash[2])
{
    size_t at = hash[0] & (set->size - 1);
    while ((set->slots[at][0] != hash[0] || set->slots[at][1] != hash[1]) &&
           (set->slots[at][0] || set->slots[at][1]))
        at = (at + 1) & (set->size - 1);
    return at;
}

static void put(struct hash_set *set, const uint64_t hash[2])
{
    size_t at = find(set, hash);
    set->used += !set->slots[at][0] && !set->slots[at][1];
    set->slots[at][0] = hash[0];
    set->slots[at][1] = hash[1];
}

static int grow(struct hash_set *set)
{
    struct hash_set larger = {.wanted = true, .size = set->size ? 2 * set->size : SIZE_FIRST};
    larger.slots = calloc(larger.size, sizeof(*larger.slots));
    if (!larger.slots)
        return hr_fail(-ENOMEM, "a set of %zu: out of memory", set->used);
    for (size_t i = 0; i < set->size; i++) {
        if (set->slots[i][0] || set->slots[i][1])
            put(&larger, set->slots[i]);
    }
    free(set->slots);
    *set = larger;
    return 0;
}

bool hash_set_has(const struct hash_set *set, const char *text, size_t len)
{
    if (set->used == 0)
        return false;
    uint64_t hash[2];
    hash_128(text, len, hash);
    size_t at = find(set, hash);
    return set->slots[at][0] || set->slots[at][1];
}

int hash_set_add(struct hash_set *set, const char *text, size_t len)
{
    if (!set->wanted)
        return 0;
    if (2 * (set->used + 1) > set->size) {
        int r = grow(set);
        if (r < 0)
            return r;
    }
    uint64_t hash[2];
    hash_128(text, len, hash);
    put(set, hash);
    return 0;
}
