/* SPDX-License-Identifier: MIT */
/*
 * How many connections of a client exist, their tasks included: who closes it waits until all are
 * gone. A connection may outlive the client, so each holds a reference.
 */
#pragma once

#include "core/event.h"

struct hr__redis_census {
    unsigned refs, conns;
    hr_event none; /* set while there is none */
};

/* NULL: no memory. */
struct hr__redis_census *hr__redis_census_new(void);
void hr__redis_census_unref(struct hr__redis_census *census);

/* A connection is made, and is gone. */
struct hr__redis_census *hr__redis_census_enter(struct hr__redis_census *census);
void hr__redis_census_leave(struct hr__redis_census *census);
