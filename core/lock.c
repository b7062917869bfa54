/* SPDX-License-Identifier: MIT */
/*
 * A release hands the lock over to the first waiter: it stays locked all the while, so that no
 * newcomer gets between.
 */
#include "core/lock.h"

#include "core/debug.h"
#include "core/error_impl.h"

void hr_lock_init(hr_lock *lock)
{
    lock->locked = false;
    hr__line_init(&lock->line);
}

void hr_lock_done(hr_lock *lock)
{
    if (!hr__line_empty(&lock->line))
        hr__misused("hr_lock_done(): tasks wait for the lock; let them end first");
}

static inline int take(hr_lock *lock)
{
    if (lock->locked)
        return -EBUSY;
    lock->locked = true;
    return 0;
}

int hr_lock_try(hr_lock *lock)
{
    if (hr__line_foreign(&lock->line))
        return hr__debug_refuse("hr_lock_try()", lock);
    return take(lock);
}

int hr_lock_acquire(hr_lock *lock)
{
    if (take(lock) == 0)
        return 0;

    bool ours;
    int r = hr__line_wait(&lock->line, "a lock", &ours);
    if (r < 0 && ours)
        hr_lock_release(lock);
    return r;
}

int hr_lock_release(hr_lock *lock)
{
    hr__line_demand(&lock->line, "hr_lock_release()", lock);
    if (!lock->locked)
        return hr_fail(-EINVAL, "lock: released, but nobody holds it");
    if (!hr__line_call(&lock->line, 0))
        lock->locked = false;
    return 0;
}

int hr_lock_hold(hr_lock *lock, hr_lock **ret)
{
    int r = hr_lock_acquire(lock);
    if (r == 0)
        *ret = lock;
    return r;
}

void hr_lock_releasep(hr_lock **held)
{
    if (*held)
        hr_lock_release(hr_take(*held));
}
