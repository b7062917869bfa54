/* SPDX-License-Identifier: MIT */
/*
 * The monotonic clock, and the virtual one that jumps.
 */
#include "core/clock.h"

#include <time.h>

static hr_usec read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (hr_usec)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static hr_usec monotonic_now(struct hr_clock *clock)
{
    return read_clock(CLOCK_MONOTONIC);
}

static bool monotonic_jump(struct hr_clock *clock, hr_usec until)
{
    return false;
}

struct hr_clock *hr_clock_monotonic(void)
{
    static struct hr_clock clock = {monotonic_now, monotonic_jump};
    return &clock;
}

hr_usec hr_boottime(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

hr_usec hr_walltime(void)
{
    return read_clock(CLOCK_REALTIME);
}

static hr_usec virtual_now(struct hr_clock *clock)
{
    return hr_container_of(clock, struct hr_virtual_clock, clock)->now;
}

static bool virtual_jump(struct hr_clock *clock, hr_usec until)
{
    struct hr_virtual_clock *self = hr_container_of(clock, struct hr_virtual_clock, clock);
    if (until == HR_FOREVER) /* only a descriptor or another thread can go on */
        return false;
    if (until > self->now)
        self->now = until;
    return true;
}

void hr_virtual_clock_init(struct hr_virtual_clock *clock, hr_usec start)
{
    *clock = (struct hr_virtual_clock){
        {virtual_now, virtual_jump},
        start
    };
}
