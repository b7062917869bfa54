/* SPDX-License-Identifier: MIT */
/*
 * A heap of pointers: the smallest comes out first, equal ones in the order of pushing. Inside
 * core/ only.
 */
#pragma once

#include "core/base.h"

/* Negative when a comes before b, positive when after, 0 when they are equal. */
typedef int hr__heap_compare(const void *a, const void *b);

struct hr__heap {
    struct hr__heap_entry {
        void *item;
        uint64_t number; /* of the push */
    } * entries;
    size_t count, capacity;
    uint64_t pushed;
    hr__heap_compare *compare;
};

/* Makes room for n entries. 0 or -ENOMEM. */
int hr__heap_reserve(struct hr__heap *heap, size_t n);

/* Pushes an item; there has to be room for it. */
void hr__heap_push(struct hr__heap *heap, void *item);

/* Takes the smallest; the heap must not be empty. */
void *hr__heap_pop(struct hr__heap *heap);

/* Frees the entries, not the items. */
void hr__heap_done(struct hr__heap *heap);
