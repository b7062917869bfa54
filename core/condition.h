/* SPDX-License-Identifier: MIT */
/*
 * A condition for tasks of one loop: wait until somebody notifies, under a lock.
 *
 * Wake-ups may be spurious: callers check in a loop.
 */
#pragma once

#include "core/lock.h"

typedef struct hr_condition {
    hr_lock *lock;
    struct hr__line line;
} hr_condition;

/* Embedded; the lock stays the caller's and outlives it. done asserts that nobody waits. */
HR_PUBLIC void hr_condition_init(hr_condition *condition, hr_lock *lock);
HR_PUBLIC void hr_condition_done(hr_condition *condition);

/* Releases the lock, waits, takes it again before returning in every case. 0 or -ECANCELED; or,
 * and the lock was not released, -EINVAL (it is not held), HR_EWRONGLOOP, HR_ENOTASK. */
HR_PUBLIC hr_async int hr_condition_wait(hr_condition *condition);

/* Waits until holds(arg) is true, looking before the first wait and after each: 0. Otherwise as
 * hr_condition_wait(). holds runs with the lock held, and does not suspend. */
HR_PUBLIC hr_async int hr_condition_wait_until(hr_condition *condition, bool (*holds)(void *arg),
                                               void *arg);

/* Wakes up to n waiters in order (UINT_MAX: all); needs the lock held, else -EINVAL. */
HR_PUBLIC int hr_condition_notify(hr_condition *condition, unsigned n);
