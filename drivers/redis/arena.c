/* SPDX-License-Identifier: MIT */
/*
 * Arenas are made and freed once a reply, so those of the usual size are kept by the thread that
 * frees them, for its next reply: a command costs no allocation. Nothing is kept under
 * AddressSanitizer, so that it sees a reply that is used after it was freed, and in builds with
 * fault points, so that each reply can run out of memory.
 */
#include "drivers/redis/arena.h"

#include <pthread.h>

#define BLOCK_MIN 256
#define BLOCK_MAX ((size_t)64 * 1024)
#define USUAL     ((size_t)256 - sizeof(struct hr__arena)) /* room of what is kept */
#define KEEP_MOST 4096

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS false
#endif
#endif
#if !defined(KEEPS) && (defined(__SANITIZE_ADDRESS__) || defined(HR_FAULT_POINTS))
#define KEEPS false
#endif
#ifndef KEEPS
#define KEEPS true
#endif

struct hr__arena_block {
    struct hr__arena_block *next;
    max_align_t data[];
};

struct shelf {
    struct hr__arena *arenas;
    unsigned count;
    bool closed; /* no key to empty it by, or the thread ends */
    bool known;  /* the thread's end will empty it */
};

static _Thread_local struct shelf shelf;
static pthread_key_t shelf_key;
static pthread_once_t shelf_once = PTHREAD_ONCE_INIT;
static bool has_key;

static void thread_ends(void *arg)
{
    shelf.closed = true;
    while (shelf.arenas) {
        struct hr__arena *arena = shelf.arenas;
        shelf.arenas = arena->kept;
        free(arena);
    }
}

static void make_key(void)
{
    has_key = pthread_key_create(&shelf_key, thread_ends) == 0;
}

/* The main thread's key is never called; what it keeps is still reached at exit. */
static void keep(struct hr__arena *arena)
{
    if (!shelf.known) {
        shelf.known = true;
        pthread_once(&shelf_once, make_key);
        shelf.closed = !has_key || pthread_setspecific(shelf_key, &shelf) != 0;
    }
    if (shelf.closed || shelf.count >= KEEP_MOST) {
        free(arena);
        return;
    }
    arena->kept = shelf.arenas;
    shelf.arenas = arena;
    shelf.count++;
}

hr_reply *hr__reply_new(size_t room)
{
    struct hr__arena *arena = NULL;
    bool usual = KEEPS && room <= USUAL;
    if (usual)
        room = USUAL;
    if (usual && shelf.arenas) {
        arena = shelf.arenas;
        shelf.arenas = arena->kept;
        shelf.count--;
        __builtin_prefetch(shelf.arenas); /* replies mostly come in numbers */
    } else {
        arena = malloc(sizeof(*arena) + room);
    }
    if (!arena)
        return NULL;
    arena->blocks = NULL;
    arena->at = arena->data;
    arena->end = arena->at + room;
    arena->size = sizeof(*arena) + room;
    arena->next_size = BLOCK_MIN;
    return &arena->root;
}

void *hr__arena_grow(struct hr__arena *arena, size_t n)
{
    size_t size = n > arena->next_size ? n : arena->next_size;
    struct hr__arena_block *block = malloc(sizeof(*block) + size);
    if (!block)
        return NULL;
    if (arena->next_size < BLOCK_MAX)
        arena->next_size *= 2;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->size += sizeof(*block) + size;
    /* A large piece takes a block of its own; the room that is left elsewhere stays in use. */
    if (size - n >= (size_t)(arena->end - arena->at)) {
        arena->at = (char *)block->data + n;
        arena->end = (char *)block->data + size;
    }
    return block->data;
}

hr_reply *hr_reply_free(hr_reply *reply)
{
    if (!reply)
        return NULL;
    struct hr__arena *arena = hr__arena_of(reply);
    bool usual = arena->size == sizeof(*arena) + USUAL; /* then it has no block behind the first */
    while (arena->blocks) {
        struct hr__arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    if (KEEPS && usual)
        keep(arena);
    else
        free(arena);
    return NULL;
}
