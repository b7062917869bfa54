/* SPDX-License-Identifier: MIT */
/*
 * An intrusive doubly linked list: the node sits in the element, so linking needs no memory.
 *
 * A list is a node whose neighbours are first and last; an element not in a list points at
 * itself after hr_list_init() or hr_list_remove(), so removing twice does no harm.
 */
#pragma once

#include "core/base.h"

struct hr_list {
    struct hr_list *next, *prev;
};

static inline void hr_list_init(struct hr_list *node)
{
    node->next = node->prev = node;
}

static inline bool hr_list_empty(const struct hr_list *list)
{
    return list->next == list;
}

/* Puts node in front of where: with the list itself as where, node becomes the last. */
static inline void hr_list_insert_before(struct hr_list *where, struct hr_list *node)
{
    node->next = where;
    node->prev = where->prev;
    where->prev->next = node;
    where->prev = node;
}

static inline void hr_list_append(struct hr_list *list, struct hr_list *node)
{
    hr_list_insert_before(list, node);
}

static inline void hr_list_prepend(struct hr_list *list, struct hr_list *node)
{
    hr_list_insert_before(list->next, node);
}

/* Takes out a node that nobody will look at again. */
static inline void hr_list_unlink(struct hr_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
}

static inline void hr_list_remove(struct hr_list *node)
{
    hr_list_unlink(node);
    hr_list_init(node);
}

/* The first node, taken out; NULL when the list is empty. */
static inline struct hr_list *hr_list_pop(struct hr_list *list)
{
    if (hr_list_empty(list))
        return NULL;
    struct hr_list *node = list->next;
    hr_list_remove(node);
    return node;
}

/* Moves all nodes of from to the end of to; from is empty afterwards. */
static inline void hr_list_splice(struct hr_list *to, struct hr_list *from)
{
    if (hr_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    hr_list_init(from);
}

#define hr_list_entry(node, type, member) hr_container_of(node, type, member)

/* Walks the nodes. The safe form allows removing the node that it stands on. */
#define hr_list_foreach(node, list)                                                                \
    for (struct hr_list *node = (list)->next; node != (list); node = node->next)
#define hr_list_foreach_safe(node, list)                                                           \
    for (struct hr_list *node = (list)->next, *hr_next_##node = node->next; node != (list);        \
         node = hr_next_##node, hr_next_##node = node->next)
