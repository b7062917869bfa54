/* SPDX-License-Identifier: MIT */
/*
 * How old the oldest item of a list may be, reckoned from its lengths, as a list keeps no dates.
 *
 * What lies in the list at a look is gone once as many items have been taken. So the oldest item
 * came after the latest look whose items are gone all: it is at most that old.
 */
#pragma once

#include "core/base.h"

#define AGE_MARKS 32

struct age_mark {
    hr_usec at;
    uint64_t gone_at; /* its items are gone when so many have been taken */
};

/* Starts zeroed. */
struct age {
    struct age_mark marks[AGE_MARKS]; /* looks whose items are not all gone, oldest first */
    size_t count;
    hr_usec since;  /* the latest look whose items are gone, or the first of all */
    hr_usec looked; /* the latest look; 0: none yet */
};

/* A look at the list: its length, and how many items we have taken from it since any fixed moment,
 * less what we have put back. What others take is only noticed where the list gets shorter. Returns
 * the age; 0 for an empty list, and for the first look, or one after a long time without any, which
 * know nothing. */
hr_usec age_look(struct age *age, uint64_t length, uint64_t taken, hr_usec now);
