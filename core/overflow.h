/* SPDX-License-Identifier: MIT */
/*
 * A task that ran out of stack is named before the program ends. Inside core/ only.
 *
 * The guard below each stack turns the overflow into SIGSEGV. A handler, on a stack of its own,
 * says whose stack it was; then the signal takes the course that it had before.
 */
#pragma once

#include "core/base.h"

/* The stack that the calling thread handles faults on while it runs a loop. */
struct hr__fault_stack {
    void *memory;
    bool set;
};

/* Gives the thread that stack, unless it has one. Without memory the report is done without. */
void hr__overflow_watch(struct hr__fault_stack *stack);

/* Takes it back, in the same thread; may be given again. */
void hr__overflow_unwatch(struct hr__fault_stack *stack);

/* Around a fork, so that the child gets a handler that is whole and a lock that nobody holds. */
void hr__overflow_hold(void);
void hr__overflow_let_go(void);

/* Frees its memory. */
void hr__overflow_done(struct hr__fault_stack *stack);
