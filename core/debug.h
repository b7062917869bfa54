/* SPDX-License-Identifier: MIT */
/*
 * Debug mode: whose thread may touch what, and who else looks. Inside core/ only.
 *
 * A lock or a queue does not know its loop before a task has waited there. While a loop runs in
 * debug mode, they note the one in which they are made as well. Where none does, all that costs one
 * look at a number that is 0.
 */
#pragma once

#include <stdatomic.h>

#include "core/line.h"
#include "core/loop_impl.h"

/* How many loops run in debug mode. */
extern atomic_uint hr__debug_loops;
static inline bool hr__debugging(void)
{
    return hr_unlikely(atomic_load_explicit(&hr__debug_loops, memory_order_relaxed) > 0);
}

/* A loop in debug mode begins to run, or ends; of those that are another process's nothing is
 * known. */
void hr__debug_enter(hr_loop *loop);
void hr__debug_leave(hr_loop *loop);
void hr__debug_forked(void);

/* Whether another thread runs, in debug mode, the loop whose tasks wait in that line. Where none
 * has waited yet: whether one runs the loop that made it, and the caller's thread runs none. */
bool hr__debug_foreign(const struct hr__line *line);
static inline bool hr__line_foreign(const struct hr__line *line)
{
    return hr__debugging() && hr__debug_foreign(line);
}

/* HR_EWRONGTHREAD, for a call by another thread; where the call has no code, or one that nobody
 * looks at, hr__debug_end() ends the program. call as people write it, with "()". */
int hr__debug_refuse(const char *call, const void *object);

static inline void hr__line_demand(const struct hr__line *line, const char *call,
                                   const void *object)
{
    if (hr__line_foreign(line))
        hr__debug_end(call, object);
}
