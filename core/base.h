/* SPDX-License-Identifier: MIT */
/*
 * What every other header stands on: spans of time, attributes, cleanup on scope exit.
 *
 * Nothing here needs a loop or a library beyond libc, so config/ may use it as well.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* A span of time, or a moment on the loop's clock, in microseconds. */
typedef int64_t hr_usec;

/* The span that never ends: no timer is armed for it. */
#define HR_FOREVER INT64_MAX

/* Spans in the units people write. What does not fit, however large or negative, saturates. */
static inline hr_usec hr_ms(int64_t ms)
{
    hr_usec span;
    return !__builtin_mul_overflow(ms, 1000, &span) ? span : ms > 0 ? HR_FOREVER : INT64_MIN;
}

static inline hr_usec hr_seconds(int64_t s)
{
    hr_usec span;
    return !__builtin_mul_overflow(s, 1000000, &span) ? span : s > 0 ? HR_FOREVER : INT64_MIN;
}

/* A span for people: printf("took %.1f s\n", hr_in_seconds(hr_now() - begin)); */
static inline double hr_in_seconds(hr_usec span)
{
    return (double)span / 1e6;
}

/* The moment a span after another; saturates likewise. */
static inline hr_usec hr_later(hr_usec moment, hr_usec span)
{
    hr_usec later;
    return !__builtin_add_overflow(moment, span, &later) ? later
           : span > 0                                    ? HR_FOREVER
                                                         : INT64_MIN;
}

/* Marks a call that may suspend the running task; its result is worth checking. Where a task has to
 * wait, every one of them returns -ECANCELED if a cancel comes, and HR_ENOTASK outside of a task.
 */
#define hr_async __attribute__((warn_unused_result))

/* Marks a call whose handle is the caller's: dropped, it is never freed, nor is an error in it ever
 * reported. */
#define hr_owned __attribute__((warn_unused_result))

/* Declares what the shared libraries export, also for C++. Everything else stays hidden. */
#ifdef __cplusplus
#define HR_PUBLIC extern "C" __attribute__((visibility("default")))
#else
#define HR_PUBLIC extern __attribute__((visibility("default")))
#endif

#define hr_printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

/* A local that its function fills by itself: a build that clears all of them leaves it alone. */
#if defined(__has_attribute) && __has_attribute(uninitialized)
#define hr_unset __attribute__((uninitialized))
#else
#define hr_unset
#endif

/* Calls fn(&variable) when the variable's scope ends, on every way out. */
#define hr_auto(fn) __attribute__((cleanup(fn)))

/* Moves a pointer out of its owner: yields it and leaves NULL behind. */
#define hr_take(p)                                                                                 \
    ({                                                                                             \
        __typeof__(p) *hr_take_from_ = &(p);                                                       \
        __typeof__(p) hr_taken_ = *hr_take_from_;                                                  \
        *hr_take_from_ = NULL;                                                                     \
        hr_taken_;                                                                                 \
    })

#define HR_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define hr_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define hr_likely(x)   __builtin_expect(!!(x), 1)
#define hr_unlikely(x) __builtin_expect(!!(x), 0)

/* Checks a promise between our own functions; it stays on in release builds. Never for data
 * that comes from outside. */
#define hr_assert(cond)                                                                            \
    do {                                                                                           \
        if (hr_unlikely(!(cond)))                                                                  \
            hr_assert_failed(#cond, __FILE__, __LINE__);                                           \
    } while (0)

/* Says which promise was broken and where on standard error, then aborts. */
HR_PUBLIC __attribute__((noreturn)) void hr_assert_failed(const char *cond, const char *file,
                                                          int line);

/* Whether a tool runs the program that sees which memory is used after its end (AddressSanitizer in
 * a program that was built with it, valgrind): what was used is freed then, and not used again. */
HR_PUBLIC bool hr_memory_watched(void);

/* free() for hr_auto(): hr_auto(hr_freep) char *text = NULL; */
static inline void hr_freep(void *p)
{
    free(*(void **)p);
}
