/* SPDX-License-Identifier: MIT */
/*
 * The context switch where there is no assembly: ucontext, which also saves the signal mask and so
 * costs a system call.
 *
 * No memory is needed: a context that stands somewhere lives on its own stack, in the frame of the
 * swap that left it.
 */
#include "core/coro.h"

#include <ucontext.h>

struct fresh {
    ucontext_t context; /* first: its address is the sp of the coroutine */
    void (*begin)(void *arg);
    void *arg;
};

/* makecontext() passes ints only, so the pointer comes in halves. */
static void enter(unsigned high, unsigned low)
{
    struct fresh *fresh = (struct fresh *)((uintptr_t)high << 16 << 16 | low);
    fresh->begin(fresh->arg);
}

void hr__context_swap(void **from, void *to)
{
    ucontext_t here;
    *from = &here;
    swapcontext(&here, to);
}

/* getcontext() has copied the control state of whoever is here. */
void hr__context_begin(void **from, void *top, void (*entry)(void *arg), void *arg,
                       const uint64_t *control)
{
    struct fresh *fresh = (struct fresh *)(((uintptr_t)top - sizeof(*fresh)) & ~(uintptr_t)63);
    fresh->begin = entry;
    fresh->arg = arg;
    getcontext(&fresh->context);

    /* The real bottom lies further down; makecontext() only looks for the top. */
    enum { PLENTY = 4096 };
    fresh->context.uc_stack.ss_sp = (char *)fresh - PLENTY;
    fresh->context.uc_stack.ss_size = PLENTY;
    fresh->context.uc_link = NULL;
    makecontext(&fresh->context, (void (*)(void))enter, 2, (unsigned)((uintptr_t)fresh >> 16 >> 16),
                (unsigned)(uintptr_t)fresh);
    hr__context_swap(from, &fresh->context);
}

void hr__context_resume(void *to)
{
    setcontext(to);
}

uint64_t hr__context_control(void)
{
    return 0;
}
