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
HR_PUBLIC hr_key_limiter *hr_key_limiter_new(unsigned each);

/* Nobody may hold or wait for a key. NULL is fine; returns NULL. */
HR_PUBLIC hr_key_limiter *hr_key_limiter_free(hr_key_limiter *limiter);
HR_PUBLIC void hr_key_limiter_freep(hr_key_limiter **limiter);

/* Takes a turn for key, waiting in order behind those with the same one; the text is copied. 0;
 * -ECANCELED: no turn is held; -ENOMEM, HR_ENOTASK, HR_EWRONGLOOP. */
HR_PUBLIC hr_async int hr_key_limiter_acquire(hr_key_limiter *limiter, const char *key);

/* Gives it back. 0, or -EINVAL when nobody holds that key. */
HR_PUBLIC int hr_key_limiter_release(hr_key_limiter *limiter, const char *key);

/* Keys that are held or waited for. */
HR_PUBLIC size_t hr_key_limiter_keys(const hr_key_limiter *limiter);
