/* SPDX-License-Identifier: MIT */
/*
 * Fault points: named places where a test makes the program fail. Compiled with -Dfault_points=true
 * only; elsewhere HR_FAULT() is the constant false.
 *
 *     if (HR_FAULT("crash-before-commit"))
 *         raise(SIGKILL);
 *
 * Armed by a call, or by the environment: HEADRACE_FAULT="crash-before-commit lose-reply:3" makes
 * the first hit of one point and the third of another true, once each. May be hit by any thread.
 */
#pragma once

#include "core/base.h"

#ifdef HR_FAULT_POINTS

#define HR_FAULT(name) hr_fault_hit(name)

/* Counts a hit; true for the one that the point was armed for. */
HR_PUBLIC bool hr_fault_hit(const char *name);

/* Arms a point: its n-th hit from now on (the first is 1) is true. 0, -EINVAL (n is 0, no name, a
 * name longer than 47 bytes), -ENOBUFS (more than 32 points). Arming again starts anew. */
HR_PUBLIC int hr_fault_arm(const char *name, unsigned n);

/* Arms what a text in the environment's form names. 0, or -EINVAL and -ENOBUFS as above. */
HR_PUBLIC int hr_fault_arm_all(const char *text);

/* Disarms all points, those of the environment included. */
HR_PUBLIC void hr_fault_reset(void);

#else

#define HR_FAULT(name) false

#endif
