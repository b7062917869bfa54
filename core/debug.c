/* SPDX-License-Identifier: MIT */
/*
 * The loops that run in debug mode stand in a small table. It is only compared with: a line may
 * point to a loop that is gone. What does not fit in is not watched.
 */
#include "core/debug.h"

#include <stdio.h>
#include <stdlib.h>
#ifdef HR_WITH_VALGRIND
#include <valgrind/valgrind.h>
#endif

#include "core/loop_impl.h"

atomic_uint hr__debug_loops;

static _Atomic(const hr_loop *) loops[64];

void hr__debug_enter(hr_loop *loop)
{
    atomic_fetch_add(&hr__debug_loops, 1);
    for (size_t i = 0; i < HR_ARRAY_LEN(loops); i++) {
        const hr_loop *none = NULL;
        if (atomic_compare_exchange_strong(&loops[i], &none, loop))
            return;
    }
}

void hr__debug_leave(hr_loop *loop)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(loops); i++) {
        const hr_loop *found = loop;
        if (atomic_compare_exchange_strong(&loops[i], &found, NULL))
            break;
    }
    atomic_fetch_sub(&hr__debug_loops, 1);
}

void hr__debug_forked(void)
{
    hr_loop *mine = hr__loop_running && hr__loop_running->debug ? hr__loop_running : NULL;
    for (size_t i = 0; i < HR_ARRAY_LEN(loops); i++) {
        if (loops[i] != mine)
            loops[i] = NULL;
    }
    hr__debug_loops = mine ? 1 : 0;
}

/* Of AddressSanitizer, in a program that was built with it. */
extern void __asan_init(void) __attribute__((weak));

bool hr_memory_watched(void)
{
#ifdef HR_WITH_VALGRIND
    if (RUNNING_ON_VALGRIND)
        return true;
#endif
    return __asan_init != NULL;
}

static bool is_running(const hr_loop *loop)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(loops); i++) {
        if (loops[i] == loop)
            return true;
    }
    return false;
}

bool hr__debug_foreign(const struct hr__line *line)
{
    const hr_loop *owner = line->loop;
    if (!owner && !hr__loop_running)
        owner = line->maker;
    return owner && owner != hr__loop_running && is_running(owner);
}

int hr__debug_refuse(const char *call, const void *object)
{
    return hr_fail(HR_EWRONGTHREAD,
                   "%s of %p by a thread that does not run its loop; hr_submit() and "
                   "hr_call_soon_threadsafe() are the ways in",
                   call, object);
}

void hr__debug_end(const char *call, const void *object)
{
    hr__debug_refuse(call, object);
    fprintf(stderr, "headrace: %s\n", hr_last_error()->message);
    abort();
}

void hr__wrong_hands(const char *call, const hr_future *future)
{
    if (!future || !future->is_task)
        hr__debug_end(call, future);
    fprintf(stderr,
            "headrace: %s of task %s by a thread that does not run its loop; hr_submit() and "
            "hr_call_soon_threadsafe() are the ways in\n",
            call, hr__task_name(hr__task(future)));
    abort();
}
