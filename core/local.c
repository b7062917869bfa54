/* SPDX-License-Identifier: MIT */
/*
 * How it works: a task has a pointer to a table, and making a task copies the pointer. A table that
 * others have as well is copied before it is written to; its values are counted one by one.
 */
#include "core/local.h"

#include "core/local_impl.h"
#include "core/loop_impl.h"

struct hr__local_cell {
    atomic_uint refs;
    void *value;
    hr_free_fn *free_value;
};

_Thread_local const struct hr__locals *hr__locals_of_job;

static void cell_unref(struct hr__local_cell *cell)
{
    if (atomic_fetch_sub(&cell->refs, 1) > 1)
        return;
    if (cell->free_value)
        cell->free_value(cell->value);
    free(cell);
}

void hr__locals_unref(struct hr__locals *locals)
{
    if (!locals || atomic_fetch_sub(&locals->refs, 1) > 1)
        return;
    for (size_t i = 0; i < locals->count; i++)
        cell_unref(locals->entries[i].cell);
    free(locals);
}

/* Where the key stands; one past the end when it does not. */
static size_t place_of(const struct hr__locals *locals, const hr_local *key)
{
    size_t count = locals ? locals->count : 0;
    size_t i = 0;
    while (i < count && locals->entries[i].key != key)
        i++;
    return i;
}

/* A copy with room for count entries, the rest of them empty. */
static struct hr__locals *copy(const struct hr__locals *from, size_t count)
{
    struct hr__locals *locals = calloc(1, sizeof(*locals) + count * sizeof(locals->entries[0]));
    if (!locals)
        return NULL;
    atomic_init(&locals->refs, 1);
    locals->count = count;
    for (size_t i = 0; from && i < from->count; i++) {
        locals->entries[i] = from->entries[i];
        atomic_fetch_add_explicit(&locals->entries[i].cell->refs, 1, memory_order_relaxed);
    }
    return locals;
}

int hr_local_set(const hr_local *key, void *value)
{
    struct hr__task *task = hr__task_running();
    if (!task)
        return hr_fail(HR_ENOTASK, "only a task has values of its own");
    struct hr__local_cell *cell = malloc(sizeof(*cell));
    if (!cell)
        return hr_fail(-ENOMEM, "no memory for a task's value");
    *cell = (struct hr__local_cell){1, value, key->free_value};

    struct hr__locals *locals = task->locals;
    size_t count = locals ? locals->count : 0;
    size_t place = place_of(locals, key);
    if (!locals || place == count || atomic_load(&locals->refs) > 1) {
        locals = copy(locals, place == count ? count + 1 : count);
        if (!locals) {
            free(cell);
            return hr_fail(-ENOMEM, "no memory for a task's value");
        }
        hr__locals_unref(task->locals);
        task->locals = locals;
    }
    struct hr__local_cell *before = locals->entries[place].cell;
    locals->entries[place].key = key;
    locals->entries[place].cell = cell;
    if (before)
        cell_unref(before);
    return 0;
}

void *hr_local_get(const hr_local *key)
{
    struct hr__task *task = hr__task_running();
    const struct hr__locals *locals = task ? task->locals : hr__locals_of_job;
    size_t place = place_of(locals, key);
    return locals && place < locals->count ? locals->entries[place].cell->value : NULL;
}
