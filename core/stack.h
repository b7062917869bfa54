/* SPDX-License-Identifier: MIT */
/*
 * Stacks: address space in equal strides, memory as touched, a guard below each. Inside core/ only.
 */
#pragma once

#include "core/list.h"

struct hr__slab;

struct hr__stack {
    void *bottom; /* lowest usable byte; the guard lies below */
    size_t size;  /* usable bytes */
    size_t guard; /* bytes below bottom that may not be touched */
    struct hr__slab *slab;
};

enum hr__guard {
    HR__GUARD_AUTO,     /* what the kernel can do, found out at the first stack */
    HR__GUARD_REGIONS,  /* Linux 6.13 and later */
    HR__GUARD_MPROTECT, /* before; tests ask for it */
};

/* Where the stacks of one size come from. */
struct hr__stacks {
    size_t stride;        /* bytes from stack to stack: whole pages, guard included */
    size_t guard;         /* bytes of it, at its lower end */
    struct hr_list slabs; /* ranges of strides; those with room stand first */
    unsigned idle_slabs;  /* of which no stack is in use */
    enum hr__guard how;
    bool one_by_one; /* the kernel, or an emulator, makes no guards of several at once */
    bool closing;    /* all goes in a moment: stacks that come back are left as they are */
};

/* size includes the guard, which is a quarter of it, 64 KiB at most; both are whole pages, and 16
 * KiB are usable at least. */
void hr__stacks_init(struct hr__stacks *stacks, size_t size, enum hr__guard guard);

/* Gives back all address space; no stack may be in use. */
void hr__stacks_done(struct hr__stacks *stacks);

/* 0; -ENOMEM; -EAGAIN when the kernel's limit of mappings leaves no
 * room for another guard (the record says what to change). */
int hr__stack_get(struct hr__stacks *stacks, struct hr__stack *ret);

/* Gives a stack back; what it had touched is dropped. */
void hr__stack_put(struct hr__stacks *stacks, struct hr__stack *stack);

/* Bytes between the top of the stack and the lowest page that was ever touched. */
size_t hr__stack_touched(const struct hr__stack *stack);

/* For tests: how many more guards may be made by mprotect(); 0: what the kernel allows. */
void hr__stack_limit_guards(unsigned more);
