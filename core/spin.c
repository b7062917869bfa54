/* SPDX-License-Identifier: MIT */
/*
 * After n looks in vain 2^n occasions are left out, 1024 at most; one that was worth it begins
 * anew.
 */
#include "core/spin.h"

#include <sched.h>

#include "core/clock.h"

#define SPAN        20 /* µs; about what a wake-up costs */
#define MISSES_MAX  10
#define CLOCK_EVERY 16

hr_usec hr__spin_span(hr_usec wanted)
{
    cpu_set_t cpus;
    bool alone = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) == 1;
    if (wanted < 0 || alone)
        return 0;
    return wanted > 0 ? wanted : SPAN;
}

static inline void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool look(hr_usec span, bool (*there)(void *arg), void *arg)
{
    struct hr_clock *clock = hr_clock_monotonic();
    hr_usec until = clock->now(clock) + span;
    do {
        for (int i = 0; i < CLOCK_EVERY; i++) {
            if (there(arg))
                return true;
            pause_briefly();
        }
    } while (clock->now(clock) < until);
    return there(arg);
}

bool hr__spin(struct hr__spin *spin, bool (*there)(void *arg), void *arg)
{
    if (spin->span == 0)
        return false;
    if (spin->skip > 0) {
        spin->skip--;
        return false;
    }
    bool seen = look(spin->span, there, arg);
    spin->misses = seen ? 0 : spin->misses + (spin->misses < MISSES_MAX);
    spin->skip = seen ? 0 : 1U << spin->misses;
    return seen;
}
