/* SPDX-License-Identifier: MIT */
/*
 * The floating-point control state, in the form in which coro_<cpu>.S loads it.
 */
#include "core/coro.h"

uint64_t hr__context_control(void)
{
#if defined(__x86_64__)
    uint32_t mxcsr;
    uint16_t x87;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    return (uint64_t)x87 << 32 | mxcsr;
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
#else
#error "no assembly for this processor: build with -Dcoro=ucontext"
#endif
}
