/* SPDX-License-Identifier: MIT */
/*
 * Several futures at once: gather them all, or wait until enough are done.
 */
#pragma once

#include "core/loop.h"

/* A growing array of futures that owns a reference to each. Start with { 0 }. */
struct hr_futures {
    hr_future **items;
    size_t count, capacity;
    int failed; /* 0, or the code of the first future that could not be made or added */
};

/* Takes the reference; NULL (a future that could not be made) marks the array as failed, with the
 * code of the present record (-EINVAL: it has none). So does running out of memory here; the future
 * is cancelled then, as nobody would wait for it. */
HR_PUBLIC void hr_futures_add(struct hr_futures *futures, hr_future *future);

/* Gives all references back and frees the array; for hr_auto(). */
HR_PUBLIC void hr_futures_done(struct hr_futures *futures);

/* Divides the members into those that are done and those that are not: each goes to the end of one
 * of the two arrays, once and in order, with a reference of its own. Either may be NULL: not
 * wanted. 0; -ENOMEM, and both are as they were. */
HR_PUBLIC int hr_futures_split(const struct hr_futures *futures, struct hr_futures *done,
                               struct hr_futures *pending);

enum hr_gather_flags {
    HR_RETURN_ERRORS = 1, /* errors stay in their futures; wait for all */
    HR_CANCEL_REST = 2,   /* at the first error cancel the others and wait for them */
};

/* Waits for all members (0 at once for an array without any); results stand in the futures, in
 * order. 0, or the first error (others go on, unless HR_CANCEL_REST, and their errors are dropped
 * in silence); or
 *   -ECANCELED      the task was cancelled: all members were, and are over. Also as a first error
 *   -ENOMEM         or the code of a failed array: counts as a first error
 *   HR_EWRONGLOOP · HR_ESELFAWAIT · HR_ENOTASK      misuse; nobody was waited for */
HR_PUBLIC hr_async int hr_gather(struct hr_futures *futures, int flags);

enum hr_wait_until { HR_ALL_COMPLETED, HR_FIRST_COMPLETED, HR_FIRST_ERROR };

/* Waits until the condition holds or the limit passes (HR_FOREVER: none), cancels nobody and reads
 * no error. Returns how many are done (which: hr_future_done(), hr_futures_split()), -EINVAL for an
 * empty array or an unknown condition, the code of a failed array, -ENOMEM, -ECANCELED (members are
 * left alone), HR_EWRONGLOOP, HR_ESELFAWAIT, HR_ENOTASK. */
HR_PUBLIC hr_async int hr_wait(struct hr_futures *futures, enum hr_wait_until until, hr_usec limit);
