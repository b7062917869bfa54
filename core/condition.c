/* SPDX-License-Identifier: MIT */
/*
 * A notified task is in line for the lock from then on; a cancel in between makes it no less the
 * holder when it returns, and sends the notification on to the next.
 */
#include "core/condition.h"

#include "core/park.h"

void hr_condition_init(hr_condition *condition, hr_lock *lock)
{
    condition->lock = lock;
    hr__line_init(&condition->line);
}

void hr_condition_done(hr_condition *condition)
{
    hr_assert(hr__line_empty(&condition->line));
}

int hr_condition_wait(hr_condition *condition)
{
    if (!hr_current_task())
        return hr_fail(HR_ENOTASK, "condition: waited for outside of a task");
    if (!condition->lock->locked)
        return hr_fail(-EINVAL, "condition: waited for without holding its lock");

    /* Who gives the lock up has to get it back, so both lines are looked at before. */
    bool notified;
    int r = hr__line_settle(&condition->line, "a condition");
    if (r == 0)
        r = hr__line_settle(&condition->lock->line, "a condition's lock");
    if (r < 0)
        return r;
    hr_lock_release(condition->lock);
    r = hr__line_wait(&condition->line, "a condition", &notified);
    hr__be_patient(true);
    while (hr_lock_acquire(condition->lock) < 0)
        r = -ECANCELED; /* each request interrupts one attempt; the next one may work */
    hr__be_patient(false);
    if (r < 0 && notified)
        hr_condition_notify(condition, 1);
    return r;
}

int hr_condition_wait_until(hr_condition *condition, bool (*holds)(void *arg), void *arg)
{
    if (!condition->lock->locked)
        return hr_fail(-EINVAL, "condition: waited for without holding its lock");
    int r = 0;
    while (r == 0 && !holds(arg))
        r = hr_condition_wait(condition);
    return r;
}

int hr_condition_notify(hr_condition *condition, unsigned n)
{
    if (!condition->lock->locked)
        return hr_fail(-EINVAL, "condition: notified without holding its lock");
    for (; n > 0 && hr__line_call(&condition->line, 0); n--)
        ;
    return 0;
}
