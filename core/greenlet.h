/* SPDX-License-Identifier: MIT */
/*
 * Greenlets: functions that hand control to each other by name.
 *
 * No scheduler is between them: a switch leaves one and goes on in the other, and whoever switches
 * back gives the value that the first switch returns. They run as part of the task, or outside of
 * tasks of the thread, in which they were made: a greenlet that waits suspends its whole task.
 */
#pragma once

#include "core/error.h"

typedef struct hr_greenlet hr_greenlet;

/* The body. *value is what the first switch passed, and what goes to the parent at the end. The
 * result goes along: ≥ 0, or an error, which is raised at the parent's switch; HR_EEXIT is an
 * ordinary end there, 0 without a value. */
typedef int hr_greenlet_fn(void *arg, void **value);

/* Makes a greenlet, which starts at its first switch; parent NULL: the one that runs. NULL, with a
 * record: -ENOMEM, -EAGAIN (no guard), HR_EWRONGTHREAD (the parent is not from here), -EINVAL (no
 * fn). */
HR_PUBLIC hr_owned hr_greenlet *hr_greenlet_new(hr_greenlet_fn *fn, void *arg, hr_greenlet *parent);

/* With a stack of that many bytes of address space (memory as touched) instead of 256 KiB. Up to
 * 1,024 stacks of a size are kept warm in each thread. */
HR_PUBLIC hr_owned hr_greenlet *hr_greenlet_new_sized(hr_greenlet_fn *fn, void *arg,
                                                      hr_greenlet *parent, size_t stack_size);

/* Frees it; one that is suspended gets HR_EEXIT first, so that its cleanups run, and if it switches
 * away instead of ending, gets it once more and is lost then. So is one whose task is over. NULL is
 * fine. Returns NULL, or the greenlet when it stays: a main one, and the one that runs. */
HR_PUBLIC hr_greenlet *hr_greenlet_free(hr_greenlet *greenlet);
HR_PUBLIC void hr_greenlet_freep(hr_greenlet **greenlet);

/* Leaves the running greenlet and goes on in target, whose switch returns value. Returns when
 * something switches back, with what that passed in *ret (NULL: not wanted): its status, 0 from a
 * switch, or the code that was thrown here. A target that is dead stands for its nearest living
 * parent; switching to oneself returns at once. HR_EWRONGTHREAD: not from this task or thread;
 * -ENOMEM: no memory for a task's first switch. */
HR_PUBLIC int hr_greenlet_switch(hr_greenlet *target, void *value, void **ret);

/* As switch, with a code (< 0) that the target's switch returns; the record goes along. A target
 * that has not started dies of it, and the code goes to its parent; HR_EEXIT arrives there as 0.
 * -EINVAL for a code that is none. */
HR_PUBLIC int hr_greenlet_throw(hr_greenlet *target, int code, void **ret);

/* The one that runs; every task, and every thread, has a main one. NULL when memory is out. */
HR_PUBLIC hr_greenlet *hr_greenlet_current(void);

/* NULL for a main one. Setting refuses (-EINVAL) rings, a main greenlet and NULL. */
HR_PUBLIC hr_greenlet *hr_greenlet_parent(const hr_greenlet *greenlet);
HR_PUBLIC int hr_greenlet_set_parent(hr_greenlet *greenlet, hr_greenlet *parent);

/* Whether it has begun and is not over; is over; has begun, is not over, and does not run. */
HR_PUBLIC bool hr_greenlet_started(const hr_greenlet *greenlet);
HR_PUBLIC bool hr_greenlet_dead(const hr_greenlet *greenlet);
HR_PUBLIC bool hr_greenlet_suspended(const hr_greenlet *greenlet);

/* Sees every switch (code 0) and throw of this thread, ends included, before it happens. NULL:
 * none. May not switch. */
typedef void hr_greenlet_trace(hr_greenlet *from, hr_greenlet *to, int code, void *cookie);
HR_PUBLIC void hr_greenlet_set_trace(hr_greenlet_trace *trace, void *cookie);
