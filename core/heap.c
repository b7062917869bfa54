/* SPDX-License-Identifier: MIT */
/*
 * A binary heap in an array; the number of the push breaks ties.
 */
#include "core/heap.h"

#include "core/error.h"

int hr__heap_reserve(struct hr__heap *heap, size_t n)
{
    if (n <= heap->capacity)
        return 0;
    size_t capacity = heap->capacity ? 2 * heap->capacity : 8;
    if (capacity < n)
        capacity = n;
    struct hr__heap_entry *entries = reallocarray(heap->entries, capacity, sizeof(*entries));
    if (!entries)
        return hr_fail(-ENOMEM, "no memory for %zu items by priority", capacity);
    heap->entries = entries;
    heap->capacity = capacity;
    return 0;
}

static bool before(const struct hr__heap *heap, struct hr__heap_entry a, struct hr__heap_entry b)
{
    int order = heap->compare(a.item, b.item);
    return order != 0 ? order < 0 : a.number < b.number;
}

void hr__heap_push(struct hr__heap *heap, void *item)
{
    struct hr__heap_entry entry = {item, heap->pushed++};
    size_t at = heap->count++;
    for (; at > 0 && before(heap, entry, heap->entries[(at - 1) / 2]); at = (at - 1) / 2)
        heap->entries[at] = heap->entries[(at - 1) / 2];
    heap->entries[at] = entry;
}

void *hr__heap_pop(struct hr__heap *heap)
{
    struct hr__heap_entry *entries = heap->entries;
    void *smallest = entries[0].item;
    struct hr__heap_entry last = entries[--heap->count];

    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < heap->count; at = child) {
        if (child + 1 < heap->count && before(heap, entries[child + 1], entries[child]))
            child++;
        if (!before(heap, entries[child], last))
            break;
        entries[at] = entries[child];
    }
    entries[at] = last;
    return smallest;
}

void hr__heap_done(struct hr__heap *heap)
{
    free(heap->entries);
    *heap = (struct hr__heap){0};
}
