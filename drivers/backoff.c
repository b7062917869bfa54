/* SPDX-License-Identifier: MIT */
/*
 * How delays grow: by the factor at each attempt, up to the maximum, then spread by chance.
 */
#include "drivers/backoff.h"

#include "core/world.h"

/* Uniform in [0, 1). Asked once an attempt, so a system call is cheap enough and needs no state. */
static double random_fraction(void)
{
    return (double)(hr_random() >> 11) * 0x1p-53;
}

hr_usec hr_backoff_delay(const struct hr_backoff *backoff, unsigned attempt, double random)
{
    double delay = (double)backoff->first;
    double max = (double)backoff->max;
    bool grows = delay > 0 && backoff->factor > 1;
    for (unsigned n = 1; grows && n < attempt && delay < max; n++)
        delay *= backoff->factor;
    if (delay > max)
        delay = max;
    if (backoff->jitter)
        delay *= random;
    return delay >= (double)HR_FOREVER ? HR_FOREVER : (hr_usec)delay;
}

hr_usec hr_backoff_next(struct hr_backoff *backoff)
{
    if (backoff->attempt < UINT_MAX)
        backoff->attempt++;
    hr_usec delay = hr_backoff_delay(backoff, backoff->attempt, random_fraction());
    hr_usec least = backoff->first / 4 < backoff->max ? backoff->first / 4 : backoff->max;
    return delay < least ? least : delay;
}

void hr_backoff_reset(struct hr_backoff *backoff)
{
    backoff->attempt = 0;
}
