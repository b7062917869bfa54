/* SPDX-License-Identifier: MIT */
/*
 * The cancel request of a scope: made at most once, told from foreign ones, taken back at the exit.
 *
 * Part of the scopes that callers put on their stacks; its fields and calls are for core/ only.
 */
#pragma once

#include "core/task.h"

struct hr__request {
    hr_task *task;
    unsigned before; /* requests at entry that had been delivered */
    bool made;
    const char *outer;      /* the scope that the task was in before, */
    const void *outer_site; /* and where that was entered */
};

/* At the entry of a scope of the running task, which counts it until hr__request_over(). name is
 * that of the call, site where it returns to. HR_ENOTASK outside of a task. */
int hr__request_init(struct hr__request *request, const char *name, const void *site);
void hr__request_over(struct hr__request *request);

/* For cleanups that find their scope entered by another task, or one inside that was entered later:
 * they end the program. */
__attribute__((noreturn)) void hr__request_misused(const char *call);

void hr__request_make(struct hr__request *request, const char *reason);

/* Takes the scope's own request back, also when it has not been delivered. True when somebody else
 * has asked for a cancel since the entry. */
bool hr__request_settle(struct hr__request *request);
