/* SPDX-License-Identifier: MIT */
/*
 * A line of waiting tasks: first come, first called, and no call is lost.
 *
 * Being called and being cancelled can fall into the same pass. Then the cancel wins, and the task
 * holds a turn that it cannot use: it learns so and has to pass the turn on.
 *
 * Part of the primitives that callers embed; its fields and calls are for core/ only.
 */
#pragma once

#include "core/list.h"
#include "core/loop.h"

struct hr__line {
    struct hr_list waiters;
    hr_loop *loop;        /* of the first task that ever waited here; tasks of others are refused */
    const hr_loop *maker; /* that ran when it was made, in debug mode; may be gone */
};

void hr__line_init(struct hr__line *line);

static inline bool hr__line_empty(const struct hr__line *line)
{
    return hr_list_empty(&line->waiters);
}

/* Whether tasks of the running loop may wait here: 0 or HR_EWRONGLOOP. what shows in the record. */
int hr__line_settle(struct hr__line *line, const char *what);

/* Waits at the end of the line until called. The result given to the call, or -ECANCELED,
 * HR_ENOTASK, HR_EWRONGLOOP. *ret_turn, written in every case, tells whether a call with 0 arrived:
 * on -ECANCELED that turn has to go to somebody else. */
hr_async int hr__line_wait(struct hr__line *line, const char *what, bool *ret_turn);

/* Calls the first in line. False when nobody waits. */
bool hr__line_call(struct hr__line *line, int result);

/* Calls everybody, in order. */
void hr__line_call_all(struct hr__line *line, int result);
