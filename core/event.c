/* SPDX-License-Identifier: MIT */
/*
 * Setting calls everybody who waits at that moment; what the flag says when they resume does not
 * matter to them.
 */
#include "core/event.h"

#include "core/debug.h"

void hr_event_init(hr_event *event)
{
    event->set = false;
    hr__line_init(&event->line);
}

void hr_event_done(hr_event *event)
{
    hr_assert(hr__line_empty(&event->line));
}

void hr_event_set(hr_event *event)
{
    hr__line_demand(&event->line, "hr_event_set()", event);
    event->set = true;
    hr__line_call_all(&event->line, 0);
}

void hr_event_clear(hr_event *event)
{
    hr__line_demand(&event->line, "hr_event_clear()", event);
    event->set = false;
}

int hr_event_wait_as(hr_event *event, const char *what)
{
    bool called;

    return event->set ? 0 : hr__line_wait(&event->line, what, &called);
}

int hr_event_wait(hr_event *event)
{
    return hr_event_wait_as(event, "an event");
}
