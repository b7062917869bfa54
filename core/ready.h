/* SPDX-License-Identifier: MIT */
/*
 * The ready queue: a singly linked FIFO whose links sit in what is queued. Inside core/ only.
 *
 * Queueing needs no memory and costs two stores; nothing is ever taken out of the middle.
 */
#pragma once

#include "core/base.h"

struct hr__ready {
    struct hr__ready *next;
    /* Called on the loop's own stack; drop: the loop closes, give everything up without running. */
    void (*run)(struct hr__ready *entry, bool drop);
};

struct hr__ready_queue {
    struct hr__ready *first, *last; /* last means something only while first is set */
};

static inline void hr__ready_append(struct hr__ready_queue *queue, struct hr__ready *entry)
{
    entry->next = NULL;
    if (queue->first)
        queue->last->next = entry;
    else
        queue->first = entry;
    queue->last = entry;
}

/* Puts an entry in front of what is left of the present pass. */
static inline void hr__ready_prepend(struct hr__ready_queue *queue, struct hr__ready *entry)
{
    entry->next = queue->first;
    queue->first = entry;
}

/* The first entry; the queue must not be empty. */
static inline struct hr__ready *hr__ready_pop(struct hr__ready_queue *queue)
{
    struct hr__ready *entry = queue->first;
    queue->first = entry->next;
    return entry;
}
