/* SPDX-License-Identifier: MIT */
/*
 * The dead letters of a list as people deal with them: read in order, put back among the items that
 * are to be processed, or removed.
 *
 * Others may push, retry and remove at the same time: an index is checked together with the letter
 * that was read there, by one script, and nothing happens where they do not fit.
 */
#pragma once

#include "daemon/item/deadletter.h"
#include "daemon/queue.h"

/* A letter as it was read; all of it is borrowed from the walk, until its next step. */
struct dead_letter {
    size_t index; /* in the list */
    const char *bytes;
    size_t len;
    const struct json_value *json; /* the object; NULL: something else was pushed here */
};

/* Goes through the list from its head. */
struct dead_walk {
    struct queue *queue;
    struct arena *arena;
    hr_reply *chunk;
    size_t start;   /* index of the chunk's first letter when it was read */
    size_t next;    /* in the chunk */
    size_t removed; /* of the chunk, since it was read */
    size_t most;    /* letters in the next chunk */
};

/* Begins at that index. 0 or -ENOMEM. */
int dead_walk_init(struct dead_walk *walk, struct queue *queue, size_t index);
void dead_walk_done(struct dead_walk *walk);

/* The next letter: 1 and *ret; 0 at the end; or a code. */
hr_async int dead_walk_next(struct dead_walk *walk, struct dead_letter *ret);

/* Reads the list anew from that index. */
void dead_walk_seek(struct dead_walk *walk, size_t index);

/* A text of the letter ("id") or, with object set, of an object in it ("error", "class"). NULL
 * where there is none. Not ended by NUL. */
const char *dead_text(const struct dead_letter *letter, const char *object, const char *key,
                      size_t *ret_len);

/* What became of a letter. */
enum dead_done {
    DEAD_DONE,
    DEAD_CHANGED,   /* it does not lie there any more: nothing happened */
    DEAD_UNREADABLE /* retry: it is no dead letter, or its payload is gone; nothing happened */
};

/* Puts the letter's item back, to be processed at once, with no attempts used and under the
 * letter's id; or removes it for good. Both take its payload in `oversize` with it. A letter on
 * another server is put back first and removed then: who dies in between leaves both. 0 and *ret,
 * or a code: with HR_ELOST and -ETIMEDOUT it may have happened. */
hr_async int dead_retry(struct dead_walk *walk, const struct dead_letter *letter,
                        enum dead_done *ret);
hr_async int dead_remove(struct dead_walk *walk, const struct dead_letter *letter,
                         enum dead_done *ret);
