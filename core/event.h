/* SPDX-License-Identifier: MIT */
/*
 * An event for tasks of one loop: a flag that tasks wait for.
 */
#pragma once

#include "core/line.h"

typedef struct hr_event {
    bool set;
    struct hr__line line;
} hr_event;

/* Embedded in the caller's struct; starts unset. done asserts that nobody waits. */
HR_PUBLIC void hr_event_init(hr_event *event);
HR_PUBLIC void hr_event_done(hr_event *event);

/* Wakes all waiters, in order, even if clear follows at once. */
HR_PUBLIC void hr_event_set(hr_event *event);
HR_PUBLIC void hr_event_clear(hr_event *event);

/* 0 once it is (or was) set, or -ECANCELED, HR_ENOTASK, HR_EWRONGLOOP. Does not suspend when set.
 */
HR_PUBLIC hr_async int hr_event_wait(hr_event *event);

/* The same for an event of a library's own, which its user does not know: hr_dump_tasks() says that
 * the task waits for what, "a reply of Redis". A literal, or whatever outlives the wait. */
HR_PUBLIC hr_async int hr_event_wait_as(hr_event *event, const char *what);
