/* SPDX-License-Identifier: MIT */
#include "drivers/redis/census.h"

struct hr__redis_census *hr__redis_census_new(void)
{
    struct hr__redis_census *census = calloc(1, sizeof(*census));
    if (!census)
        return NULL;
    census->refs = 1;
    hr_event_init(&census->none);
    hr_event_set(&census->none);
    return census;
}

void hr__redis_census_unref(struct hr__redis_census *census)
{
    if (!census || --census->refs > 0)
        return;
    hr_event_done(&census->none);
    free(census);
}

struct hr__redis_census *hr__redis_census_enter(struct hr__redis_census *census)
{
    census->refs++;
    census->conns++;
    hr_event_clear(&census->none);
    return census;
}

void hr__redis_census_leave(struct hr__redis_census *census)
{
    if (--census->conns == 0)
        hr_event_set(&census->none);
    hr__redis_census_unref(census);
}
