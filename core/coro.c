/* SPDX-License-Identifier: MIT */
/*
 * How it works: hr__context_swap() does the switching; around it, the tools that watch stacks are
 * told: AddressSanitizer, LeakSanitizer, ThreadSanitizer, valgrind.
 */
#include "core/coro.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define WITH_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define WITH_TSAN 1
#endif

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef HR_WITH_VALGRIND
#include <valgrind/valgrind.h>
#endif

struct start {
    void (*entry)(void *arg);
    void *arg;
    struct hr__coro *self;
};

static void tell_created(struct hr__coro *coro)
{
#ifdef WITH_ASAN
    /* Who was lost half-way has left the traps around its frames. */
    __asan_unpoison_memory_region(coro->stack, coro->size);
    /* Memory held only by a suspended task is not lost. */
    __lsan_register_root_region(coro->stack, coro->size);
#endif
#ifdef WITH_TSAN
    coro->tsan_fiber = __tsan_create_fiber(0);
#endif
#ifdef HR_WITH_VALGRIND
    const char *stack = coro->stack;
    coro->valgrind_id = VALGRIND_STACK_REGISTER(stack, stack + coro->size - 1);
#endif
}

static void tell_gone(struct hr__coro *coro)
{
#ifdef WITH_ASAN
    __lsan_unregister_root_region(coro->stack, coro->size);
#endif
#ifdef WITH_TSAN
    __tsan_destroy_fiber(coro->tsan_fiber);
#endif
#ifdef HR_WITH_VALGRIND
    VALGRIND_STACK_DEREGISTER(coro->valgrind_id);
#endif
}

/* Inlined always: a call that began on one fiber's shadow stack would return on another's. */
static inline __attribute__((always_inline)) void tell_leaving(struct hr__coro *from,
                                                               struct hr__coro *to, bool last)
{
#ifdef WITH_ASAN
    to->came_from = from;
    __sanitizer_start_switch_fiber(last ? NULL : &from->asan_frames, to->stack, to->size);
#endif
#ifdef WITH_TSAN
    __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
}

/* The first thing on the other side. */
static inline void tell_arrived(struct hr__coro *self)
{
#ifdef WITH_ASAN
    /* The bounds of where we come from are news only when that is a thread's own stack. */
    __sanitizer_finish_switch_fiber(self->asan_frames, &self->came_from->stack,
                                    &self->came_from->size);
#endif
}

static void begin(void *arg)
{
    struct start start = *(struct start *)arg;
    tell_arrived(start.self);
    start.entry(start.arg);
    __builtin_trap();
}

void hr__coro_init_thread(struct hr__coro *coro)
{
    *coro = (struct hr__coro){0};
#ifdef WITH_TSAN
    coro->tsan_fiber = __tsan_get_current_fiber();
#endif
}

void hr__coro_init(struct hr__coro *coro, void *stack, size_t size, void (*entry)(void *arg),
                   void *arg)
{
    *coro = (struct hr__coro){.stack = stack, .size = size};
    tell_created(coro);

    uintptr_t top = ((uintptr_t)stack + size - sizeof(struct start)) & ~(uintptr_t)15;
    struct start *start = (struct start *)top;
    *start = (struct start){entry, arg, coro};
    coro->sp = hr__context_prepare(start, begin, start);
}

void hr__coro_switch(struct hr__coro *from, struct hr__coro *to)
{
    tell_leaving(from, to, false);
    hr__context_swap(&from->sp, to->sp);
    tell_arrived(from);
}

_Noreturn void hr__coro_exit(struct hr__coro *from, struct hr__coro *to)
{
    tell_leaving(from, to, true);
    hr__context_swap(&from->sp, to->sp);
    __builtin_trap();
}

void hr__coro_done(struct hr__coro *coro)
{
    tell_gone(coro);
    *coro = (struct hr__coro){0};
}
