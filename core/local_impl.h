/* SPDX-License-Identifier: MIT */
/*
 * Task-local values from the inside: a table that tasks share until one of them writes. Inside
 * core/ only.
 */
#pragma once

#include <stdatomic.h>

#include "core/local.h"

struct hr__local_cell;

/* NULL stands for an empty table. */
struct hr__locals {
    atomic_uint refs; /* threads of the pool hold tables, too */
    size_t count;
    struct {
        const hr_local *key;
        struct hr__local_cell *cell;
    } entries[];
};

static inline struct hr__locals *hr__locals_ref(struct hr__locals *locals)
{
    if (locals)
        atomic_fetch_add_explicit(&locals->refs, 1, memory_order_relaxed);
    return locals;
}

/* NULL is fine. */
void hr__locals_unref(struct hr__locals *locals);

/* What hr_local_get() looks at in this thread outside of tasks; borrowed. */
extern _Thread_local const struct hr__locals *hr__locals_of_job;
