/* SPDX-License-Identifier: MIT */
/*
 * A chain of chunks, filled one after the other. Chunks stay in the chain over a reset, as long as
 * they are worth keeping, and are filled again in the same order.
 */
#include "daemon/item/arena.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN      ((size_t)16)
#define CHUNK_MIN  ((size_t)16 * 1024)
#define CHUNK_MAX  ((size_t)256 * 1024)
#define KEPT_BYTES ((size_t)1024 * 1024)

struct chunk {
    struct chunk *next;
    size_t size, used;
    char *newest; /* the last piece handed out: it can grow and shrink in place */
    _Alignas(16) char data[];
};

struct arena {
    struct chunk *first, *current;
    size_t held, limit;
    int error;
};

struct arena *arena_new(size_t limit)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a)
        a->limit = limit;
    return a;
}

void arena_set_limit(struct arena *a, size_t limit)
{
    a->limit = limit;
}

struct arena *arena_free(struct arena *a)
{
    if (!a)
        return NULL;
    for (struct chunk *c = a->first, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(a);
    return NULL;
}

void arena_reset(struct arena *a)
{
    size_t kept = 0;
    for (struct chunk **link = &a->first; *link;) {
        struct chunk *c = *link;
        if (c->size > KEPT_BYTES - kept) {
            *link = c->next;
            a->held -= c->size;
            free(c);
            continue;
        }
        kept += c->size;
        c->used = 0;
        c->newest = NULL;
        link = &c->next;
    }
    a->current = a->first;
}

/* Hangs a chunk with room for size bytes behind the current one. Chunks grow with the arena. */
static struct chunk *add_chunk(struct arena *a, size_t size)
{
    size_t wish = a->held < CHUNK_MIN ? CHUNK_MIN : a->held;
    if (wish > CHUNK_MAX)
        wish = CHUNK_MAX;
    if (wish < size)
        wish = size;
    size_t left = a->held < a->limit ? a->limit - a->held : 0;
    if (wish > left)
        wish = left;
    if (wish < size) {
        a->error = -E2BIG;
        return NULL;
    }

    struct chunk *c = malloc(sizeof *c + wish);
    if (!c) {
        a->error = -ENOMEM;
        return NULL;
    }
    c->size = wish;
    c->used = 0;
    c->newest = NULL;
    struct chunk **link = a->current ? &a->current->next : &a->first;
    c->next = *link;
    *link = c;
    a->held += wish;
    return c;
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){true, a->current, a->current ? a->current->used : 0};
}

void arena_rewind(struct arena *a, struct arena_mark mark)
{
    if (!mark.set)
        return;
    struct chunk *last = a->current = mark.chunk;
    if (last) {
        last->used = mark.used;
        last->newest = NULL;
    }
    struct chunk **link = last ? &last->next : &a->first;
    while (*link) {
        struct chunk *c = *link;
        *link = c->next;
        a->held -= c->size;
        free(c);
    }
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX - ALIGN) {
        a->error = -E2BIG;
        return NULL;
    }
    size = size ? (size + ALIGN - 1) & ~(ALIGN - 1) : ALIGN;

    struct chunk *c = a->current;
    while (!c || c->size - c->used < size) {
        struct chunk *next = c ? c->next : a->first;
        if (!next)
            next = add_chunk(a, size);
        if (!next)
            return NULL;
        c = a->current = next;
    }
    c->newest = c->data + c->used;
    c->used += size;
    return c->newest;
}

void *arena_resize(struct arena *a, void *p, size_t old, size_t size)
{
    struct chunk *c = a->current;
    if (p && c && p == c->newest && size <= SIZE_MAX - ALIGN) {
        size_t start = (size_t)(c->newest - c->data);
        size_t rounded = size ? (size + ALIGN - 1) & ~(ALIGN - 1) : ALIGN;
        if (rounded <= c->size - start) {
            c->used = start + rounded;
            return p;
        }
    }
    if (p && size <= old)
        return p;
    void *moved = arena_alloc(a, size);
    if (moved && p)
        memcpy(moved, p, old);
    return moved;
}

int(arena_error)(const struct arena *a)
{
    return a->error;
}

size_t arena_held(const struct arena *a)
{
    return a->held;
}

bool arena_is_crowded(const struct arena *a)
{
    size_t used = 0;
    for (const struct chunk *c = a->current ? a->first : NULL; c; c = c->next) {
        used += c->used;
        if (c == a->current)
            break;
    }
    return used > a->limit / 4;
}
