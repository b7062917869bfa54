/* SPDX-License-Identifier: MIT */
/*
 * A limiter: tokens on loan, each borrower at most one, the rest wait in order.
 *
 * A semaphore counts; this knows who has a token. So a second loan to the same borrower, which
 * would wait for itself, is refused, and so is giving back what was not borrowed. The number of
 * tokens can change while they are out.
 */
#pragma once

#include "core/line.h"

typedef struct hr_limiter hr_limiter;

/* NULL, with a record: -ENOMEM. */
HR_PUBLIC hr_owned hr_limiter *hr_limiter_new(unsigned tokens);

/* All tokens have to be back; asserts that nobody waits. NULL is fine; returns NULL. */
HR_PUBLIC hr_limiter *hr_limiter_free(hr_limiter *limiter);
HR_PUBLIC void hr_limiter_freep(hr_limiter **limiter);

/* Borrows a token for borrower, any pointer (NULL: the running task). 0; -ECANCELED: none is
 * borrowed; -EBUSY: it has one or waits for one already; -ENOMEM, HR_ENOTASK, HR_EWRONGLOOP. */
HR_PUBLIC hr_async int hr_limiter_acquire(hr_limiter *limiter, const void *borrower);

/* Gives it back. 0, or -EINVAL when the borrower has none. */
HR_PUBLIC int hr_limiter_release(hr_limiter *limiter, const void *borrower);

/* A loan that is given back by itself, on every way out of a scope:
 *     hr_auto(hr_limiter_releasep) struct hr_loan loan = { 0 };
 *     int r = hr_limiter_hold(limiter, NULL, &loan);
 * As acquire; *ret is written on success only. */
struct hr_loan {
    hr_limiter *limiter; /* NULL: none, or given back */
    const void *borrower;
};
HR_PUBLIC hr_async int hr_limiter_hold(hr_limiter *limiter, const void *borrower,
                                       struct hr_loan *ret);
HR_PUBLIC void hr_limiter_releasep(struct hr_loan *loan);

/* Changes the number of tokens; with fewer than are out, nobody gets one until enough are back. */
HR_PUBLIC void hr_limiter_set_tokens(hr_limiter *limiter, unsigned tokens);

/* Tokens in all, and out on loan. */
HR_PUBLIC unsigned hr_limiter_tokens(const hr_limiter *limiter);
HR_PUBLIC unsigned hr_limiter_borrowed(const hr_limiter *limiter);
