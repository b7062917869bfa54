/* SPDX-License-Identifier: MIT */
/*
 * Memory that is handed out piece by piece and taken back all at once: what an item, or a batch of
 * them, needs until its rows are in.
 *
 * After the first few batches no malloc() happens any more: resetting keeps what is worth keeping.
 * A limit bounds what hostile items and programs may take.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* Makes an arena that holds at most limit bytes. NULL when out of memory. */
struct arena *arena_new(size_t limit);

/* Where an arena is: arena_rewind() takes back what was handed out since arena_mark(), and gives
 * the system what was got from it since then. */
struct arena_mark {
    bool set; /* false: nowhere; rewinding to it changes nothing */
    void *chunk;
    size_t used;
};
struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark mark);

/* Sets another limit; what was handed out already stays. */
void arena_set_limit(struct arena *a, size_t limit);

/* Gives everything back to the system. NULL is fine; returns NULL. */
struct arena *arena_free(struct arena *a);
static inline void arena_freep(struct arena **a)
{
    arena_free(*a);
}

/* Takes back all that was handed out; about 1 MiB stays for the next use. */
void arena_reset(struct arena *a);

/* size bytes, aligned to 16 and not cleared, valid until the next reset. NULL when the limit or the
 * machine's memory is reached: arena_error() tells which. */
void *arena_alloc(struct arena *a, size_t size);

/* Makes p (old bytes, NULL for none) size bytes long. The newest piece grows and shrinks in place,
 * others are copied when they grow. NULL, as arena_alloc(), leaves p as it was. */
void *arena_resize(struct arena *a, void *p, size_t old, size_t size);

/* Why the last NULL: -E2BIG for the limit (the data's fault), -ENOMEM for the machine's memory. */
int arena_error(const struct arena *a);
#ifdef __clang_analyzer__ /* it does not look into it: after a NULL this is negative */
#define arena_error(a) (arena_error(a), -1)
#endif

/* Bytes held from the system, for the memory budget. */
size_t arena_held(const struct arena *a);

/* Whether more than a quarter of what the limit allows is handed out. */
bool arena_is_crowded(const struct arena *a);
