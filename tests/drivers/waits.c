/* SPDX-License-Identifier: MIT */
/*
 * The cancel is asked for before the wait begins, so the wait is the one that it cuts.
 */
#include "tests/drivers/waits.h"

#include "core/event.h"
#include "core/io.h"
#include "core/task.h"

static int waits, cancel_at;
static enum test_waits counted;
static const hr_task *only;

int __real_hr_io_wait(hr_io *io, int directions);
int __wrap_hr_io_wait(hr_io *io, int directions);
int __real_hr_io_wait_as(hr_io *io, int directions, const char *what);
int __wrap_hr_io_wait_as(hr_io *io, int directions, const char *what);
int __real_hr_event_wait(hr_event *event);
int __wrap_hr_event_wait(hr_event *event);
int __real_hr_event_wait_as(hr_event *event, const char *what);
int __wrap_hr_event_wait_as(hr_event *event, const char *what);
int __real_hr_yield(void);
int __wrap_hr_yield(void);

static void count(enum test_waits which)
{
    if (which > counted || (only && only != hr_current_task()))
        return;
    if (++waits == cancel_at)
        hr_task_cancel(hr_current_task(), "the test says so");
}

int __wrap_hr_io_wait(hr_io *io, int directions)
{
    count(TEST_WAITS_IO);
    return __real_hr_io_wait(io, directions);
}

int __wrap_hr_io_wait_as(hr_io *io, int directions, const char *what)
{
    count(TEST_WAITS_IO);
    return __real_hr_io_wait_as(io, directions, what);
}

int __wrap_hr_event_wait(hr_event *event)
{
    if (!event->set)
        count(TEST_WAITS_ALL);
    return __real_hr_event_wait(event);
}

int __wrap_hr_event_wait_as(hr_event *event, const char *what)
{
    if (!event->set)
        count(TEST_WAITS_ALL);
    return __real_hr_event_wait_as(event, what);
}

int __wrap_hr_yield(void)
{
    count(TEST_WAITS_IO);
    return __real_hr_yield();
}

int test_cancel_at(int n, enum test_waits which, const hr_task *task)
{
    int were = waits;
    waits = 0;
    cancel_at = n;
    counted = which;
    only = task;
    return were;
}
