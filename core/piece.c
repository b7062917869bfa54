/* SPDX-License-Identifier: MIT */
/*
 * How it works: each thread has one block that it takes pieces from, one after the other. A block
 * counts the pieces that are in use or still to come, and goes with the last of them: so one that
 * is kept keeps its block. That is why blocks are small, and become larger only while none of their
 * pieces comes back before they are used up.
 */
#include "core/piece.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define LINE 64
#ifdef HR_NO_SPARES /* a tool is to see which of them is used after its end */
#define FEW  1
#define MANY 1
#else
#define FEW  7   /* pieces: 1 KiB */
#define MANY 127 /* 16 KiB */
#endif

/* In the line in front of its pieces. */
struct block {
    void *memory; /* as malloc() gave it */
    atomic_uint left;
    unsigned count, given; /* the thread's own */
};

_Static_assert(sizeof(struct block) <= LINE, "the first piece begins with the next line");

static _Thread_local struct block *current; /* with pieces to give; NULL: none */
static _Thread_local unsigned next_count;   /* 0: nothing was made yet */

static pthread_key_t thread_end_key;
static bool has_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void let_go(struct block *block, unsigned pieces)
{
    if (atomic_fetch_sub(&block->left, pieces) == pieces)
        free(block->memory);
}

static void thread_end(void *unused)
{
    struct block *block = hr_take(current);
    next_count = 0;
    if (block)
        let_go(block, block->count - block->given);
}

static void make_key(void)
{
    has_key = pthread_key_create(&thread_end_key, thread_end) == 0;
}

/* A block that nobody would free at the end of the thread has one piece only. */
static unsigned first_count(void)
{
    pthread_once(&once, make_key);
    return has_key && pthread_setspecific(thread_end_key, &current) == 0 ? FEW : 1;
}

static struct block *block_new(void)
{
    if (next_count == 0)
        next_count = first_count();
    char *memory = malloc(2 * LINE + (size_t)next_count * HR__PIECE_SIZE);
    if (!memory)
        return NULL;
    struct block *block = (struct block *)(memory + (-(uintptr_t)memory & (LINE - 1)));
    *block = (struct block){.memory = memory, .left = next_count, .count = next_count};
    return block;
}

/* How many pieces the block after this one has, whose last one goes out. */
static unsigned count_after(struct block *block)
{
    unsigned count = block->count;
    if (count < FEW)
        return count;
    if (block->left == count)
        return count < MANY ? 2 * count + 1 : MANY;
    return count > FEW ? count / 2 : FEW;
}

void *hr__piece_new(unsigned char *ret_place)
{
    if (hr_unlikely(!current) && !(current = block_new()))
        return NULL;
    struct block *block = current;
    unsigned place = block->given++;
    if (block->given == block->count) {
        next_count = count_after(block);
        current = NULL;
    }
    *ret_place = (unsigned char)place;
    return (char *)block + LINE + (size_t)place * HR__PIECE_SIZE;
}

void hr__piece_free(void *piece, unsigned char place)
{
    let_go((struct block *)((char *)piece - LINE - (size_t)place * HR__PIECE_SIZE), 1);
}
