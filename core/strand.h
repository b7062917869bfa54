/* SPDX-License-Identifier: MIT */
/*
 * A strand: a coroutine on a stack of its own that runs as part of whatever switches to it, a task
 * or a plain thread. Inside core/ only; greenlets and generators are made of them.
 *
 * The scheduler knows nothing of strands. A task that waits while a strand of it runs is suspended
 * there, and goes on there.
 */
#pragma once

#include "core/coro.h"
#include "core/stack_cache.h"

struct hr__strand {
    struct hr__coro coro;
    struct hr__lent_stack lent;
};

/* Prepares entry(arg) to run at the first switch; it never returns: it ends with hr__strand_exit().
 * The stack takes stack_size bytes of address space; 0: 256 KiB.
 * 0, -ENOMEM, -EAGAIN (see core/stack.h). */
int hr__strand_init(struct hr__strand *strand, size_t stack_size, void (*entry)(void *arg),
                    void *arg);

/* Gives the stack up: the strand has exited, never ran, or is lost. Twice is fine. */
void hr__strand_done(struct hr__strand *strand);

/* Leaves the place that runs, noted in from, and goes on in to. Returns when something switches
 * back to from. Both are the same task's, or no task's, and the same thread's. errno stays what it
 * was. */
void hr__strand_switch(struct hr__coro *from, struct hr__coro *to);

/* As switch, for the last time in from. */
_Noreturn void hr__strand_exit(struct hr__coro *from, struct hr__coro *to);
