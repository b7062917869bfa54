/* SPDX-License-Identifier: MIT */
/*
 * Looking for a moment before sleeping. Inside core/ only.
 *
 * Going to sleep and being woken by another thread costs microseconds on both sides, so a short
 * look at memory pays where the other thread answers at once. Where it turns out not to, looks
 * become rare. With a single CPU nobody looks: the other thread could not run.
 */
#pragma once

#include "core/base.h"

struct hr__spin {
    hr_usec span;    /* how long one look may take; 0: never look */
    unsigned misses; /* in a row */
    unsigned skip;   /* so many looks are left out now */
};

/* A span as a user gives it: 0 is what suits this machine, < 0 never to look. */
hr_usec hr__spin_span(hr_usec wanted);

/* Looks until there(arg), unless it is not worth it at present. Whether it was there. */
bool hr__spin(struct hr__spin *spin, bool (*there)(void *arg), void *arg);
