/* SPDX-License-Identifier: MIT */
/*
 * The ready queue: a singly linked FIFO whose links sit in what is queued. Inside core/ only.
 *
 * Queueing needs no memory and costs three stores; nothing is ever taken out of the middle.
 */
#pragma once

#include "core/base.h"

struct hr__ready {
    struct hr__ready *next;
    /* Called on the loop's own stack; drop: the loop closes, give everything up without running. */
    void (*run)(struct hr__ready *entry, bool drop);
};

/* For entries that want to know whether they are queued: who takes them out of the queue says so by
 * hr__ready_left(). */
static inline bool hr__ready_queued(const struct hr__ready *entry)
{
    return entry->next != entry;
}

static inline void hr__ready_left(struct hr__ready *entry)
{
    entry->next = entry;
}

struct hr__ready_queue {
    struct hr__ready *first, **end; /* end: where the next one's address is written */
};

static inline void hr__ready_init(struct hr__ready_queue *queue)
{
    queue->first = NULL;
    queue->end = &queue->first;
}

static inline void hr__ready_append(struct hr__ready_queue *queue, struct hr__ready *entry)
{
    entry->next = NULL;
    *queue->end = entry;
    queue->end = &entry->next;
}

/* Moves all entries of from to the end of to. */
static inline void hr__ready_splice(struct hr__ready_queue *to, struct hr__ready_queue *from)
{
    if (!from->first)
        return;
    *to->end = from->first;
    to->end = from->end;
    hr__ready_init(from);
}

/* All entries, chained; the queue is empty afterwards. */
static inline struct hr__ready *hr__ready_take_all(struct hr__ready_queue *queue)
{
    struct hr__ready *first = queue->first;
    hr__ready_init(queue);
    return first;
}
