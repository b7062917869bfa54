/* SPDX-License-Identifier: MIT */
/*
 * Delays between attempts: exponential, with full jitter, so that a thousand clients do not come
 * back in the same instant ("Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
 */
#pragma once

#include "core/base.h"

struct hr_backoff {
    hr_usec first, max;
    double factor;
    bool jitter; /* full jitter: uniform between 0 and the delay */
    unsigned attempt;
};

/* The next delay, counting the attempt; between first/4 and max with jitter off or on. */
HR_PUBLIC hr_usec hr_backoff_next(struct hr_backoff *backoff);

/* The delay before attempt number n (1, 2, …), without state. random is uniform in [0, 1). */
HR_PUBLIC hr_usec hr_backoff_delay(const struct hr_backoff *backoff, unsigned attempt,
                                   double random);

/* Success: start over. */
HR_PUBLIC void hr_backoff_reset(struct hr_backoff *backoff);
