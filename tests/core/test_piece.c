/* SPDX-License-Identifier: MIT */
/*
 * Small structs in blocks: nobody's piece is another's, in whatever order and thread they go back.
 */
#include "core/piece.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/hrtest.h"

#define PIECES 2000

struct piece {
    unsigned char place;
    unsigned char rest[HR__PIECE_SIZE - 1];
};

static struct piece *pieces[PIECES];

static struct piece *make(unsigned i)
{
    unsigned char place;
    struct piece *piece = TEST_MADE((struct piece *)hr__piece_new(&place));
    ASSERT_EQ((uintptr_t)piece % 64, 0);
    piece->place = place;
    memset(piece->rest, (int)(i % 251), sizeof(piece->rest));
    return piece;
}

static void drop(struct piece *piece, unsigned i)
{
    for (size_t at = 0; at < sizeof(piece->rest); at++)
        ASSERT_EQ(piece->rest[at], i % 251);
    hr__piece_free(piece, piece->place);
}

static void *make_all(void *unused)
{
    for (unsigned i = 0; i < PIECES; i++)
        pieces[i] = make(i);
    return NULL;
}

TEST_PLAIN(pieces_outlive_the_thread_that_made_them_and_go_in_any_order)
{
    pthread_t maker;
    ASSERT_EQ(pthread_create(&maker, NULL, make_all, NULL), 0);
    ASSERT_EQ(pthread_join(maker, NULL), 0);
    for (unsigned i = 0; i < PIECES; i += 3)
        drop(pieces[i], i);
    for (unsigned i = PIECES; i-- > 0;) {
        if (i % 3 != 0)
            drop(pieces[i], i);
    }
}

/* How many blocks a thread goes through: in one of them each piece follows the other. */
static void *use_up(void *kept)
{
    uintptr_t blocks = 0, last = 0;
    for (unsigned i = 0; i < PIECES; i++) {
        pieces[i] = make(i);
        blocks += (uintptr_t)pieces[i] != last + HR__PIECE_SIZE;
        last = (uintptr_t)pieces[i];
        if (!kept)
            drop(pieces[i], i);
    }
    for (unsigned i = 0; kept && i < PIECES; i++)
        drop(pieces[i], i);
    return (void *)blocks;
}

static uintptr_t blocks_for(void *kept)
{
    pthread_t user;
    void *blocks;
    ASSERT_EQ(pthread_create(&user, NULL, use_up, kept), 0);
    ASSERT_EQ(pthread_join(user, &blocks), 0);
    return (uintptr_t)blocks;
}

TEST_PLAIN(blocks_grow_only_while_nothing_comes_back)
{
#ifdef HR_NO_SPARES /* a sanitizer sees which one is used after its end */
    ASSERT_EQ(blocks_for(pieces), PIECES);
#else
    ASSERT_TRUE(blocks_for(pieces) < PIECES / 64);
    ASSERT_TRUE(blocks_for(NULL) > PIECES / 8); /* one that is kept keeps its block */
#endif
}
