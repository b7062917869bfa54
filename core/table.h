/* SPDX-License-Identifier: MIT */
/*
 * A table of things that are found by a text. As with a list, the entry sits in the element; what
 * is compared beside the hash is the caller's, who walks the entries that may be the one:
 *
 *     uint64_t hash = hr__table_hash(name);
 *     hr_list_foreach (link, hr__table_at(&table, hash)) {
 *         struct thing *it = hr_list_entry(link, struct thing, entry.link);
 *         if (it->entry.hash == hash && strcmp(it->name, name) == 0)
 *             return it;
 *     }
 *
 * It doubles when it gets full; without memory for that it only gets slower. All of it stands here,
 * as the drivers are a library of their own.
 */
#pragma once

#include "core/list.h"

#define HR__TABLE_FIRST 16

struct hr__table_entry {
    struct hr_list link;
    uint64_t hash;
};

/* Must stay where it is. */
struct hr__table {
    size_t count;
    size_t width; /* a power of two */
    struct hr_list *rows;
    struct hr_list first[HR__TABLE_FIRST];
};

static inline void hr__table_empty(struct hr_list *rows, size_t width)
{
    for (size_t i = 0; i < width; i++)
        hr_list_init(&rows[i]);
}

static inline void hr__table_init(struct hr__table *table)
{
    table->count = 0;
    table->width = HR__TABLE_FIRST;
    table->rows = table->first;
    hr__table_empty(table->first, HR__TABLE_FIRST);
}

static inline void hr__table_free_rows(struct hr__table *table)
{
    if (table->rows != table->first)
        free(table->rows);
}

/* Frees what it needs for itself, not the elements. */
static inline void hr__table_done(struct hr__table *table)
{
    hr__table_free_rows(table);
    hr__table_init(table);
}

/* FNV-1a: not for texts that somebody chooses in order to make them collide. */
static inline uint64_t hr__table_hash(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash;
}

/* The entries with that hash, and some others. */
static inline struct hr_list *hr__table_at(const struct hr__table *table, uint64_t hash)
{
    return &table->rows[hash & (table->width - 1)];
}

static inline void hr__table_grow(struct hr__table *table)
{
    struct hr__table wider = {.width = 2 * table->width};
    wider.rows = reallocarray(NULL, wider.width, sizeof(*wider.rows));
    if (!wider.rows)
        return;
    hr__table_empty(wider.rows, wider.width);
    for (size_t i = 0; i < table->width; i++) {
        for (struct hr_list *link; (link = hr_list_pop(&table->rows[i]));)
            hr_list_append(
                hr__table_at(&wider, hr_list_entry(link, struct hr__table_entry, link)->hash),
                link);
    }
    hr__table_free_rows(table);
    table->rows = wider.rows;
    table->width = wider.width;
}

static inline void hr__table_add(struct hr__table *table, struct hr__table_entry *entry,
                                 uint64_t hash)
{
    if (table->count >= table->width)
        hr__table_grow(table);
    entry->hash = hash;
    hr_list_append(hr__table_at(table, hash), &entry->link);
    table->count++;
}

static inline void hr__table_remove(struct hr__table *table, struct hr__table_entry *entry)
{
    hr_list_remove(&entry->link);
    table->count--;
}
