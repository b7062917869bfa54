/* SPDX-License-Identifier: MIT */
/*
 * A barrier: n tasks wait for each other, then all go on, round after round.
 */
#pragma once

#include "core/line.h"

typedef struct hr_barrier {
    unsigned parties, waiting;
    unsigned round; /* how often a round was completed or broken */
    bool broken;
    struct hr__line line;
} hr_barrier;

/* Embedded. 0; -EINVAL for no parties. done asserts that nobody waits. */
HR_PUBLIC int hr_barrier_init(hr_barrier *barrier, unsigned parties);
HR_PUBLIC void hr_barrier_done(hr_barrier *barrier);

/* Waits until as many tasks as there are parties are here; the last one to come does not suspend.
 * The task's place in the order of coming, 0 to parties - 1; or
 *   -ECANCELED   the task was cancelled, and is not counted; when its round was complete already,
 *                the others have that all the same
 *   HR_EBROKEN   aborted, or reset meanwhile
 *   HR_ENOTASK · HR_EWRONGLOOP   misuse */
HR_PUBLIC hr_async int hr_barrier_wait(hr_barrier *barrier);

/* Breaks the barrier: who waits, and who comes later, gets HR_EBROKEN. */
HR_PUBLIC void hr_barrier_abort(hr_barrier *barrier);

/* Makes it usable again; who waits gets HR_EBROKEN. */
HR_PUBLIC void hr_barrier_reset(hr_barrier *barrier);

/* How many wait in the present round; whether it was aborted. */
HR_PUBLIC unsigned hr_barrier_waiting(const hr_barrier *barrier);
HR_PUBLIC bool hr_barrier_broken(const hr_barrier *barrier);
