/* SPDX-License-Identifier: MIT */
/*
 * What a task has to do with greenlets: it is the home of those that it makes. Inside core/ only.
 */
#pragma once

#include "core/greenlet.h"

struct hr__home;

/* The task that the home belongs to is over; greenlets that are left keep the rest of it. */
void hr__home_leave(struct hr__home *home);
