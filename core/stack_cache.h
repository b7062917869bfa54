/* SPDX-License-Identifier: MIT */
/*
 * Stacks that generators and greenlets borrow, kept warm in between. Inside core/ only.
 *
 * Each thread keeps the last that came back, as they are, and lends the latest first; what is more
 * goes to a store of the whole process, without its memory. So a stack may come back in another
 * thread than it was lent in, and after that one has ended.
 */
#pragma once

#include "core/stack.h"

struct hr__stack_store;

struct hr__lent_stack {
    struct hr__stack stack;
    struct hr__stack_store *store; /* NULL: none is lent */
};

/* Lends a stack of size bytes, guard included; 0: 256 KiB. 0, -ENOMEM, -EAGAIN (see stack.h). */
int hr__stack_borrow(size_t size, struct hr__lent_stack *ret);

/* Around a fork, so that the child gets stores that are whole and a lock that nobody holds. */
void hr__stack_cache_hold(void);
void hr__stack_cache_let_go(void);

/* Takes it back; whatever stood on it is over or lost. Without one: nothing. */
void hr__stack_return(struct hr__lent_stack *lent);
