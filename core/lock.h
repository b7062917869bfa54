/* SPDX-License-Identifier: MIT */
/*
 * A lock for tasks of one loop: one holds it, the rest wait in the order they came.
 *
 * Not tied to a task: whoever knows the lock may release it.
 */
#pragma once

#include "core/line.h"

typedef struct hr_lock {
    bool locked;
    struct hr__line line;
} hr_lock;

/* Embedded in the caller's struct. done asserts that nobody waits. */
HR_PUBLIC void hr_lock_init(hr_lock *lock);
HR_PUBLIC void hr_lock_done(hr_lock *lock);

/* Takes the lock. 0, or -ECANCELED, HR_ENOTASK, HR_EWRONGLOOP: it is not held. Does not suspend
 * when free and nobody waits. */
HR_PUBLIC hr_async int hr_lock_acquire(hr_lock *lock);

/* As acquire, for a scope that releases on every way out:
 *     hr_auto(hr_lock_releasep) hr_lock *held = NULL;
 *     int r = hr_lock_hold(&lock, &held); */
HR_PUBLIC hr_async int hr_lock_hold(hr_lock *lock, hr_lock **ret);
HR_PUBLIC void hr_lock_releasep(hr_lock **held);

/* 0, or -EBUSY; never suspends and never overtakes. */
HR_PUBLIC int hr_lock_try(hr_lock *lock);

/* Wakes the first waiter. 0, or -EINVAL when it is free. */
HR_PUBLIC int hr_lock_release(hr_lock *lock);
