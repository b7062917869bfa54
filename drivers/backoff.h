/* SPDX-License-Identifier: MIT */
/*
 * Delays between attempts: exponential, with full jitter, so that a thousand clients do not come
 * back in the same instant ("Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
 */
#pragma once

#include "core/base.h"

struct hr_backoff {
    hr_usec first, max;
    double factor;    /* from one delay to the next; up to 1: they do not grow */
    bool jitter;      /* full jitter: uniform between 0 and the delay */
    unsigned attempt; /* how many there were; starts at 0 */
};

/* Counts the attempt and returns the delay after it: at least first/4 (but never more than max), so
 * that jitter makes nobody hammer. */
HR_PUBLIC hr_usec hr_backoff_next(struct hr_backoff *backoff);

/* The delay before attempt number n (1, 2, …), without state. random is uniform in [0, 1). */
HR_PUBLIC hr_usec hr_backoff_delay(const struct hr_backoff *backoff, unsigned attempt,
                                   double random);

/* Success: start over. */
HR_PUBLIC void hr_backoff_reset(struct hr_backoff *backoff);
