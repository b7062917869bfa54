/* SPDX-License-Identifier: MIT */
/*
 * Timers: a hierarchical wheel that still fires in exact order. Inside core/ only.
 *
 * Arming and cancelling cost the same however many timers there are. Timers fire by deadline, equal
 * deadlines in arming order, never before their microsecond has come.
 */
#pragma once

#include "core/list.h"

#define HR__WHEEL_SLOTS (2 * 1024 + 8 * 64) /* of all levels; together they cover an hr_usec */

struct hr__timer {
    struct hr_list link;
    hr_usec deadline;
    void (*fire)(struct hr__timer *timer); /* called once; the timer is disarmed by then */
};

struct hr__timers {
    hr_usec now;         /* where the wheel stands; everything before it is in near, or was fired */
    size_t count;        /* armed timers */
    struct hr_list near; /* due, by deadline */
    struct hr_list never;                /* armed for HR_FOREVER: fire at the end of time only */
    uint64_t used[HR__WHEEL_SLOTS / 64]; /* a bit a slot; set for every slot that is not empty */
    struct hr_list slots[HR__WHEEL_SLOTS];
};

void hr__timers_init(struct hr__timers *timers, hr_usec now);

/* A timer has to be initialised once before it is armed or disarmed. */
static inline void hr__timer_init(struct hr__timer *timer, void (*fire)(struct hr__timer *timer))
{
    hr_list_init(&timer->link);
    timer->fire = fire;
}

static inline bool hr__timer_armed(const struct hr__timer *timer)
{
    return !hr_list_empty(&timer->link);
}

/* Arms a timer that is not armed. Deadlines in the past fire at the next look. */
void hr__timer_arm(struct hr__timers *timers, struct hr__timer *timer, hr_usec deadline);

/* Takes an armed timer back; without effect on one that is not armed. */
static inline void hr__timer_disarm(struct hr__timers *timers, struct hr__timer *timer)
{
    if (!hr__timer_armed(timer))
        return;
    hr_list_remove(&timer->link);
    timers->count--;
}

/* Fires what is due at now. Returns how late the latest of them was, 0 when none was due. */
hr_usec hr__timers_run(struct hr__timers *timers, hr_usec now);

/* A moment not after the earliest deadline, mostly the deadline itself; HR_FOREVER without any. */
hr_usec hr__timers_next(struct hr__timers *timers);

/* When a thread that sleeps for them had better wake up: at the earliest deadline or, when many
 * fall due one after the other, up to 256 µs later, so that one wake-up serves them all. */
hr_usec hr__timers_wake(struct hr__timers *timers);
