/* SPDX-License-Identifier: MIT */
/*
 * The skeleton of a reply that is being read: its root, the aggregates that are open, and where the
 * next value goes.
 *
 * Aggregates stand on a stack of our own, so nesting costs no C stack and has a limit.
 */
#pragma once

#include "core/error.h"
#include "drivers/redis/arena.h"

#define HR__SKELETON_DEPTH 64

/* An aggregate whose elements are being read. */
struct hr__skeleton_frame {
    hr_reply *next; /* where the next element goes; NULL: it is read and dropped */
    size_t left;
    bool aside; /* an attribute: not an element of what stands around it */
};

/* Starts as { 0 } but for max. */
struct hr__skeleton {
    size_t max; /* bytes of a reply */
    hr_reply *root;
    unsigned depth;
    struct hr__skeleton_frame frames[HR__SKELETON_DEPTH];
};

/* -EMSGSIZE and -ENOMEM, with a record. */
static inline int hr__skeleton_refuse_size(void)
{
    return hr_fail(-EMSGSIZE, "the reply is larger than max_reply");
}

static inline int hr__skeleton_refuse_memory(void)
{
    return hr_fail(-ENOMEM, "no memory for the reply");
}

/* Opens an aggregate of n > 0 elements, which go to items; NULL: nowhere. 0 or -EBADMSG. */
int hr__skeleton_open(struct hr__skeleton *reply, hr_reply *items, size_t n, bool aside);

/* Finds the place of a value that needs room bytes beside it, and makes the root. *ret is NULL for
 * what is dropped. extra is a guess at what the elements will need, too. 0, -EMSGSIZE, -ENOMEM. */
static inline int hr__skeleton_place(struct hr__skeleton *reply, size_t room, size_t extra,
                                     hr_reply **ret)
{
    if (reply->depth > 0) {
        *ret = reply->frames[reply->depth - 1].next;
        if (*ret && (room > reply->max || hr_reply_size(reply->root) > reply->max - room))
            return hr__skeleton_refuse_size();
        return 0;
    }
    if (room > reply->max)
        return hr__skeleton_refuse_size();
    reply->root = hr__reply_new(room + extra);
    *ret = reply->root;
    return *ret ? 0 : hr__skeleton_refuse_memory();
}

/* A value is whole. 1: and so is the reply; 0: it goes on. */
static inline int hr__skeleton_step(struct hr__skeleton *reply)
{
    while (reply->depth > 0) {
        struct hr__skeleton_frame *frame = &reply->frames[reply->depth - 1];
        if (frame->next)
            frame->next++;
        if (--frame->left > 0)
            return 0;
        reply->depth--;
        if (frame->aside)
            return 0;
    }
    return 1;
}
