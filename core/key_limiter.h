/* SPDX-License-Identifier: MIT */
/*
 * A limit a key: at most n at a time for each host, customer or file, whatever the others do.
 *
 * Keys come and go: one that nobody holds or waits for takes no memory.
 */
#pragma once

#include "core/semaphore.h"

typedef struct hr_key_limiter hr_key_limiter;

/* At most each (> 0) holders a key. NULL, with a record: -EINVAL, -ENOMEM. */
HR_PUBLIC hr_owned hr_key_limiter *hr_key_limiter_new(unsigned each);

/* Nobody may hold or wait for a key. NULL is fine; returns NULL. */
HR_PUBLIC hr_key_limiter *hr_key_limiter_free(hr_key_limiter *limiter);
HR_PUBLIC void hr_key_limiter_freep(hr_key_limiter **limiter);

/* Takes a turn for key, waiting in order behind those with the same one; the text is copied. 0;
 * -ECANCELED: no turn is held; -ENOMEM, HR_ENOTASK, HR_EWRONGLOOP. */
HR_PUBLIC hr_async int hr_key_limiter_acquire(hr_key_limiter *limiter, const char *key);

/* Gives it back. 0, or -EINVAL when nobody holds that key. */
HR_PUBLIC int hr_key_limiter_release(hr_key_limiter *limiter, const char *key);

/* A turn that is given back by itself, on every way out of a scope:
 *     hr_auto(hr_key_limiter_releasep) struct hr_key_turn turn = { 0 };
 *     int r = hr_key_limiter_hold(limiter, host, &turn);
 * As acquire; *ret is written on success only, and keeps no copy of the key, which has to be there
 * until then. */
struct hr_key_turn {
    hr_key_limiter *limiter; /* NULL: none, or given back */
    const char *key;
};
HR_PUBLIC hr_async int hr_key_limiter_hold(hr_key_limiter *limiter, const char *key,
                                           struct hr_key_turn *ret);
HR_PUBLIC void hr_key_limiter_releasep(struct hr_key_turn *turn);

/* Keys that are held or waited for. */
HR_PUBLIC size_t hr_key_limiter_keys(const hr_key_limiter *limiter);
