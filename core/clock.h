/* SPDX-License-Identifier: MIT */
/*
 * Clocks behind one small table: what a loop takes its time from, and how it sleeps.
 *
 * Tests give a virtual clock, which jumps to the next deadline instead of sleeping, so that an hour
 * of timeouts runs in microseconds and always the same way.
 */
#pragma once

#include "core/base.h"

struct hr_clock {
    hr_usec (*now)(struct hr_clock *clock);
    /* Asked when nothing is ready and the next timer is due at that moment (HR_FOREVER: none):
     * true means "time stands there now, poll without blocking"; false: really sleep. */
    bool (*jump)(struct hr_clock *clock, hr_usec until);
};

/* CLOCK_MONOTONIC. */
HR_PUBLIC struct hr_clock *hr_clock_monotonic(void);

/* CLOCK_BOOTTIME right now: goes on while the machine is suspended. */
HR_PUBLIC hr_usec hr_boottime(void);

/* Wall clock in microseconds since 1970. */
HR_PUBLIC hr_usec hr_walltime(void);

/* A clock that starts at a given moment and moves only when jumped or advanced. */
struct hr_virtual_clock {
    struct hr_clock clock;
    hr_usec now;
};
HR_PUBLIC void hr_virtual_clock_init(struct hr_virtual_clock *clock, hr_usec start);
