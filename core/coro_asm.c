/* SPDX-License-Identifier: MIT */
/*
 * The first frame of a fresh stack: laid out as if hr__context_swap() of coro_<cpu>.S had left it.
 */
#include "core/coro.h"

#include <string.h>

/* Calls the function in one callee-saved register with the argument in another. */
void hr__context_begin(void);

void *hr__context_prepare(void *top, void (*begin)(void *arg), void *arg)
{
    void **frame = top;
#if defined(__x86_64__)
    /* A fresh task starts with the floating-point control state of its creator. */
    uint32_t mxcsr;
    uint16_t x87;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    frame -= 8;
    memset(frame, 0, 8 * sizeof(*frame));
    frame[0] = (void *)(uintptr_t)((uint64_t)x87 << 32 | mxcsr);
    frame[1] = (void *)begin; /* r15 */
    frame[2] = arg;           /* r14 */
    frame[7] = (void *)hr__context_begin;
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    frame -= 22;
    memset(frame, 0, 22 * sizeof(*frame));
    frame[0] = (void *)begin;              /* x19 */
    frame[1] = arg;                        /* x20 */
    frame[11] = (void *)hr__context_begin; /* x30 */
    frame[20] = (void *)(uintptr_t)fpcr;
#else
#error "no assembly for this processor: build with -Dcoro=ucontext"
#endif
    return frame;
}
