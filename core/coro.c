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

#if defined(WITH_ASAN) || defined(WITH_TSAN)
#define RETURNS 1 /* they keep account of who was called: nobody leaves his frames for good */
#else
#define RETURNS 0
#endif

static void begin(void *arg)
{
    struct hr__coro *self = arg;
    tell_arrived(self);
    do
        self->entry(self->arg);
    while (RETURNS);
}

void hr__coro_init_thread(struct hr__coro *coro)
{
    *coro = (struct hr__coro){.control = hr__context_control()};
#ifdef WITH_TSAN
    coro->tsan_fiber = __tsan_get_current_fiber();
#endif
}

void hr__coro_init(struct hr__coro *coro, void *stack, size_t size, void (*entry)(void *arg),
                   void *arg)
{
    *coro = (struct hr__coro){
        .stack = stack,
        .size = size - ((uintptr_t)stack + size) % 16, /* as frames are aligned */
        .entry = entry,
        .arg = arg,
        .control = hr__context_control(),
    };
    tell_created(coro);
}

/* Leaves what runs, its state noted in *from, and goes on in to, or begins there. */
static inline void go(void **from, struct hr__coro *to)
{
    if (hr_likely(to->sp))
        hr__context_swap(from, to->sp);
    else
        hr__context_begin(from, (char *)to->stack + to->size, begin, to, &to->control);
}

void hr__coro_switch(struct hr__coro *from, struct hr__coro *to)
{
    tell_leaving(from, to, false);
    go(&from->sp, to);
    tell_arrived(from);
}

static __attribute__((noinline)) void leave_for_good(struct hr__coro *to)
{
    void *nowhere;
    go(&nowhere, to);
}

void hr__coro_idle(struct hr__coro *from, struct hr__coro *to)
{
    if (RETURNS) {
        hr__coro_switch(from, to);
        return;
    }
    from->sp = NULL;
    if (hr_unlikely(!to->sp))
        leave_for_good(to);
    else
        hr__context_resume(to->sp);
}

_Noreturn void hr__coro_exit(struct hr__coro *from, struct hr__coro *to)
{
    tell_leaving(from, to, true);
    go(&from->sp, to);
    __builtin_trap();
}

void hr__coro_done(struct hr__coro *coro)
{
    tell_gone(coro);
    *coro = (struct hr__coro){0};
}
