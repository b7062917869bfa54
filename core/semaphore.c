/* SPDX-License-Identifier: MIT */
/*
 * A release hands its turn to the first waiter and leaves the count alone: while somebody waits the
 * count is zero, so no newcomer gets between.
 */
#include "core/semaphore.h"

#include "core/debug.h"
#include "core/error_impl.h"

void hr_semaphore_init(hr_semaphore *semaphore, unsigned count, bool bounded)
{
    semaphore->count = count;
    semaphore->bound = bounded ? count : UINT_MAX;
    hr__line_init(&semaphore->line);
}

void hr_semaphore_done(hr_semaphore *semaphore)
{
    if (!hr__line_empty(&semaphore->line))
        hr__misused("hr_semaphore_done(): tasks wait for a turn; let them end first");
}

static inline int take(hr_semaphore *semaphore)
{
    if (semaphore->count == 0)
        return -EBUSY;
    semaphore->count--;
    return 0;
}

int hr_semaphore_try(hr_semaphore *semaphore)
{
    if (hr__line_foreign(&semaphore->line))
        return hr__debug_refuse("hr_semaphore_try()", semaphore);
    return take(semaphore);
}

int hr_semaphore_acquire(hr_semaphore *semaphore)
{
    if (take(semaphore) == 0)
        return 0;

    bool ours;
    int r = hr__line_wait(&semaphore->line, "a semaphore", &ours);
    if (r < 0 && ours)
        hr_semaphore_release(semaphore);
    return r;
}

int hr_semaphore_release(hr_semaphore *semaphore)
{
    hr__line_demand(&semaphore->line, "hr_semaphore_release()", semaphore);
    if (semaphore->count >= semaphore->bound)
        return hr_fail(-EINVAL, "semaphore: released more often than acquired");
    if (!hr__line_call(&semaphore->line, 0))
        semaphore->count++;
    return 0;
}

int hr_semaphore_hold(hr_semaphore *semaphore, hr_semaphore **ret)
{
    int r = hr_semaphore_acquire(semaphore);
    if (r == 0)
        *ret = semaphore;
    return r;
}

void hr_semaphore_releasep(hr_semaphore **held)
{
    if (*held)
        hr_semaphore_release(hr_take(*held));
}
