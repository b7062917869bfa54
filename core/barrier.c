/* SPDX-License-Identifier: MIT */
/*
 * How it works: whoever completes a round calls the line with the places in it and empties the
 * count at once, so a task that comes while the others are on their way belongs to the next round.
 */
#include "core/barrier.h"

int hr_barrier_init(hr_barrier *barrier, unsigned parties)
{
    if (parties < 1 || parties > INT_MAX)
        return hr_fail(-EINVAL, "a barrier for %u tasks", parties);
    *barrier = (hr_barrier){.parties = parties};
    hr__line_init(&barrier->line);
    return 0;
}

void hr_barrier_done(hr_barrier *barrier)
{
    hr_assert(hr__line_empty(&barrier->line));
}

static int complete(hr_barrier *barrier)
{
    int place = 0;
    while (hr__line_call(&barrier->line, place))
        place++;
    barrier->waiting = 0;
    barrier->round++;
    return place;
}

int hr_barrier_wait(hr_barrier *barrier)
{
    if (barrier->broken)
        return hr_fail(HR_EBROKEN, "the barrier is broken");
    if (!hr_current_task())
        return hr_fail(HR_ENOTASK, "barrier: waited for outside of a task");
    if (barrier->waiting + 1 == barrier->parties)
        return complete(barrier);

    bool called;
    unsigned round = barrier->round;
    barrier->waiting++;
    int r = hr__line_wait(&barrier->line, "a barrier", &called);
    if (r < 0 && barrier->round == round)
        barrier->waiting--; /* nobody has called: it is not here any more */
    return r == HR_EBROKEN ? hr_fail(r, "the barrier was broken") : r;
}

void hr_barrier_abort(hr_barrier *barrier)
{
    barrier->broken = true;
    barrier->waiting = 0;
    barrier->round++;
    hr__line_call_all(&barrier->line, HR_EBROKEN);
}

void hr_barrier_reset(hr_barrier *barrier)
{
    hr_barrier_abort(barrier);
    barrier->broken = false;
}

unsigned hr_barrier_waiting(const hr_barrier *barrier)
{
    return barrier->waiting;
}

bool hr_barrier_broken(const hr_barrier *barrier)
{
    return barrier->broken;
}
