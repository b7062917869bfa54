/* SPDX-License-Identifier: MIT */
/*
 * A semaphore for tasks of one loop: at most n of them hold it, the rest wait in order.
 *
 * Why not a counter and an event: a waiter cancelled in the instant it is woken has to pass its
 * turn on, or the turn is lost. That hand-over is the whole point of this file.
 */
#pragma once

#include "core/line.h"

typedef struct hr_semaphore {
    unsigned count, bound; /* a release never raises the count above the bound */
    struct hr__line line;
} hr_semaphore;

/* Embedded, with count turns to begin with; bounded refuses a release above them. done asserts that
 * nobody waits. */
HR_PUBLIC void hr_semaphore_init(hr_semaphore *semaphore, unsigned count, bool bounded);
HR_PUBLIC void hr_semaphore_done(hr_semaphore *semaphore);

/* Takes a turn, waiting for one if need be. 0, or -ECANCELED, HR_ENOTASK, HR_EWRONGLOOP: no turn is
 * held. */
HR_PUBLIC hr_async int hr_semaphore_acquire(hr_semaphore *semaphore);

/* As acquire, for a scope that releases on every way out:
 *     hr_auto(hr_semaphore_releasep) hr_semaphore *held = NULL;
 *     int r = hr_semaphore_hold(&semaphore, &held); */
HR_PUBLIC hr_async int hr_semaphore_hold(hr_semaphore *semaphore, hr_semaphore **ret);
HR_PUBLIC void hr_semaphore_releasep(hr_semaphore **held);

/* 0, or -EBUSY; never suspends and never overtakes. */
HR_PUBLIC int hr_semaphore_try(hr_semaphore *semaphore);

/* Hands the turn to the first waiter, else raises the count. 0, or -EINVAL above the bound. */
HR_PUBLIC int hr_semaphore_release(hr_semaphore *semaphore);
