/* SPDX-License-Identifier: MIT */
#include "daemon/solitude.h"

/* Sets or clears both events from the counts; called after every change. */
static void settle(struct solitude *solitude)
{
    if (solitude->hermits == 0 && !solitude->alone)
        hr_event_set(&solitude->calm);
    else
        hr_event_clear(&solitude->calm);
    if (solitude->company == 0 && !solitude->alone)
        hr_event_set(&solitude->empty);
    else
        hr_event_clear(&solitude->empty);
}

void solitude_init(struct solitude *solitude)
{
    *solitude = (struct solitude){0};
    hr_event_init(&solitude->calm);
    hr_event_init(&solitude->empty);
    settle(solitude);
}

void solitude_done(struct solitude *solitude)
{
    hr_assert(solitude->company == 0 && !solitude->alone);
    hr_event_done(&solitude->calm);
    hr_event_done(&solitude->empty);
}

int solitude_join(struct solitude *solitude)
{
    int r = 0;
    solitude->joiners++;
    while (r >= 0 && (solitude->hermits > 0 || solitude->alone))
        r = hr_event_wait(&solitude->calm);
    solitude->joiners--;
    if (r < 0)
        return r;
    solitude->company++;
    settle(solitude);
    return 0;
}

void solitude_leave(struct solitude *solitude)
{
    hr_assert(solitude->company > 0);
    solitude->company--;
    settle(solitude);
}

int solitude_pause(struct solitude *solitude, hr_usec span)
{
    solitude_leave(solitude);
    int r = hr_sleep(span);
    if (r >= 0)
        r = solitude_join(solitude);
    if (r >= 0)
        return 0;
    solitude->company++;
    settle(solitude);
    return r;
}

int solitude_begin(struct solitude *solitude)
{
    int r = 0;
    solitude->hermits++;
    settle(solitude);
    while (r >= 0 && (solitude->company > 0 || solitude->alone))
        r = hr_event_wait(&solitude->empty);
    solitude->hermits--;
    if (r >= 0)
        solitude->alone = true;
    settle(solitude);
    return r < 0 ? r : 0;
}

void solitude_end(struct solitude *solitude)
{
    hr_assert(solitude->alone);
    solitude->alone = false;
    settle(solitude);
}
