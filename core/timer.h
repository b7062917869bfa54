/* SPDX-License-Identifier: MIT */
/*
 * Timers: a hierarchical wheel that still fires in exact order. Inside core/ only.
 *
 * Arming and cancelling cost the same however many timers there are. Timers fire by deadline, equal
 * deadlines in arming order, never before their microsecond has come.
 */
#pragma once

#include "core/list.h"

/* Of the first level, and of all others; together they cover an hr_usec. */
#define HR__WHEEL_TICKS 1024
#define HR__WHEEL_SLOTS (1024 + 8 * 64)

struct hr__timer {
    struct hr_list link;
    hr_usec deadline;
    void (*fire)(struct hr__timer *timer); /* called once; the timer is disarmed by then */
    const void *ahead; /* what firing touches beside the timer; NULL: nothing worth a hint */
    const void *hint;  /* a timer that stood some places before this one in its slot, or did */
};

/* One cache line. */
struct hr__slot {
    struct hr_list timers;
    hr_usec earliest;      /* of their deadlines; of one since disarmed, perhaps */
    const void *latest[5]; /* the timers that came last, the newest at the end; for hints only */
};

struct hr__timers {
    hr_usec now;        /* where the wheel stands; everything before it is in near, or was fired */
    hr_usec quiet;      /* before this moment no slot has to be looked at */
    hr_usec bound;      /* no timer in a slot falls due before; one since disarmed did, perhaps */
    size_t count;       /* armed timers */
    unsigned new_count; /* in fresh, at most */
    struct hr_list fresh; /* armed, and not in their slots yet */
    struct hr_list near;  /* due, by deadline */
    struct hr_list never; /* armed for HR_FOREVER: fire at the end of time only */
    /* A bit a slot; set for every slot that is not empty. Others hold nothing of meaning. */
    uint64_t used[(HR__WHEEL_TICKS + HR__WHEEL_SLOTS) / 64];
    struct hr_list ticks[HR__WHEEL_TICKS];
    struct hr__slot slots[HR__WHEEL_SLOTS];
};

void hr__timers_init(struct hr__timers *timers, hr_usec now);

/* A timer has to be initialised once before it is armed or disarmed. */
static inline void hr__timer_init(struct hr__timer *timer, void (*fire)(struct hr__timer *timer))
{
    hr_list_init(&timer->link);
    timer->fire = fire;
    timer->ahead = NULL;
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

/* Whether nothing is due at now, and nothing has to be done to know that. */
static inline bool hr__timers_quiet(const struct hr__timers *timers, hr_usec now)
{
    return now < timers->quiet && hr_list_empty(&timers->near) && hr_list_empty(&timers->fresh);
}

/* Fires what is due at now. Returns how late the latest of them was, 0 when none was due. */
hr_usec hr__timers_run(struct hr__timers *timers, hr_usec now);

/* A moment not after the earliest deadline, mostly the deadline itself; HR_FOREVER without any. */
hr_usec hr__timers_next(struct hr__timers *timers);

/* When a thread that sleeps for them had better wake up: at the earliest deadline or, when several
 * fall due one after the other, up to 256 µs later, and up to 1 ms where they stand in crowds, so
 * that one wake-up serves them all. A timer that was disarmed may have its wake-up still, once. */
hr_usec hr__timers_wake(struct hr__timers *timers);
