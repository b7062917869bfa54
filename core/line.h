/* SPDX-License-Identifier: MIT */
/*
 * A line of waiting tasks: first come, first called, and no call is lost. Inside core/ only.
 *
 * Being called and being cancelled can fall into the same pass. Then the cancel wins, and the task
 * holds a turn that it cannot use: it learns so and has to pass the turn on.
 */
#pragma once

#include "core/park.h"

/* Waits at the end of the line until called. The result given to the call, or -ECANCELED,
 * HR_ENOTASK. *ret_turn, written in every case, tells whether a call with 0 arrived: on -ECANCELED
 * that turn has to go to somebody else. */
hr_async int hr__line_wait(struct hr_list *line, const char *what, bool *ret_turn);

/* Calls the first in line. False when nobody waits. */
bool hr__line_call(struct hr_list *line, int result);

/* Calls everybody, in order. */
void hr__line_call_all(struct hr_list *line, int result);
