/* SPDX-License-Identifier: MIT */
/*
 * A set of texts, kept as hashes of 128 bits: large sets stay small, and two texts never meet.
 */
#pragma once

#include "core/base.h"

/* { 0 } is an empty set that keeps nothing; with wanted it keeps what is added. */
struct hash_set {
    bool wanted;
    uint64_t (*slots)[2]; /* 0, 0: free */
    size_t size, used;    /* size is 0 or a power of two */
};

void hash_set_done(struct hash_set *set);

bool hash_set_has(const struct hash_set *set, const char *text, size_t len);

/* 0 or -ENOMEM with its record. */
int hash_set_add(struct hash_set *set, const char *text, size_t len);
