/* SPDX-License-Identifier: MIT */
/*
 * Coroutines: a stack and the registers to go on with on it. Inside core/ only.
 *
 * One switch leaves a coroutine where it stands and goes on in another: callee-saved registers,
 * floating-point control state and stack change hands, nothing else. Who has nothing left to
 * remember stands nowhere and begins anew, which costs half a switch. Written in assembly for
 * x86-64 and aarch64, with ucontext elsewhere (meson option `coro`). coro.c is the only file that
 * knows the sanitizers and valgrind.
 */
#pragma once

#include "core/base.h"

struct hr__coro {
    void *sp;          /* where it stands while something else runs; NULL: it begins */
    uint64_t control;  /* the floating-point control state that it begins with */
    const void *stack; /* lowest usable byte */
    size_t size;
    void (*entry)(void *arg);
    void *arg;
    struct hr__coro *came_from; /* who switched here last; these three are the tools' */
    void *asan_frames, *tsan_fiber;
    unsigned valgrind_id;
};

/* Adopts the calling thread's own stack. */
void hr__coro_init_thread(struct hr__coro *coro);

/* Prepares entry(arg) to run on the stack at the first switch, with the floating-point control
 * state of now. entry ends with hr__coro_idle() or hr__coro_exit(). */
void hr__coro_init(struct hr__coro *coro, void *stack, size_t size, void (*entry)(void *arg),
                   void *arg);

/* Leaves from, the running coroutine, and goes on in to. Returns when something switches back. */
void hr__coro_switch(struct hr__coro *from, struct hr__coro *to);

/* As switch, for who has nothing to come back to: when something switches to from again, entry(arg)
 * is called anew. It may return, and entry then has to return as well. */
void hr__coro_idle(struct hr__coro *from, struct hr__coro *to);

/* As switch, for the last time in from: its stack may be given up afterwards. */
_Noreturn void hr__coro_exit(struct hr__coro *from, struct hr__coro *to);

/* Forgets a coroutine (not a thread's own) that exited or never ran. */
void hr__coro_done(struct hr__coro *coro);

/* What the assembly or ucontext side provides. swap saves the running state under *from and goes
 * on at to. begin saves likewise and calls entry(arg) on the stack that ends at top, with that
 * control state. resume saves nothing and goes on at to. control tells the state that rules now. */
void hr__context_swap(void **from, void *to);
void hr__context_begin(void **from, void *top, void (*entry)(void *arg), void *arg,
                       const uint64_t *control);
void hr__context_resume(void *to);
uint64_t hr__context_control(void);
