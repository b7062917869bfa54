/* SPDX-License-Identifier: MIT */
/*
 * Building replies: the arena in which a reply lives, as its parser needs it.
 *
 * The first block holds the reply itself and, sized by what is known then, often all of it; further
 * blocks double. Elements stand side by side, so walking an array follows no pointers.
 */
#pragma once

#include "drivers/redis/reply.h"

struct hr_reply {
    enum hr_reply_type type;
    size_t len; /* bytes, or elements */
    union {
        int64_t integer;
        char *str;
        struct hr_reply *items; /* side by side */
    };
};

struct hr__arena {
    union {
        struct hr__arena_block *blocks; /* behind the first */
        struct hr__arena *kept;         /* the next that waits to be used again */
    };
    char *at, *end; /* free room of the newest block */
    size_t size;
    size_t next_size;
    struct hr_reply root;
    char data[];
};

static inline struct hr__arena *hr__arena_of(const hr_reply *root)
{
    return (struct hr__arena *)((char *)root - offsetof(struct hr__arena, root));
}

/* A reply of its own with room for that many bytes beside it, not initialised; NULL: no memory. */
hr_reply *hr__reply_new(size_t room);

/* A block more; hr__reply_alloc() does what it can without. */
void *hr__arena_grow(struct hr__arena *arena, size_t n);

/* Memory from the arena of root, aligned for a reply. NULL: no memory. */
static inline void *hr__reply_alloc(hr_reply *root, size_t n)
{
    struct hr__arena *arena = hr__arena_of(root);
    n = (n + 7) & ~(size_t)7;
    if (hr_unlikely(n > (size_t)(arena->end - arena->at)))
        return hr__arena_grow(arena, n);
    void *piece = arena->at;
    arena->at += n;
    return piece;
}
