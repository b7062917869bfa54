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
};

/* At the entry of a scope of the running task: HR_ENOTASK outside of one. */
int hr__request_init(struct hr__request *request, const char *what);

void hr__request_make(struct hr__request *request, const char *reason);

/* Takes the scope's own request back, also when it has not been delivered. True when somebody else
 * has asked for a cancel since the entry. */
bool hr__request_settle(struct hr__request *request);
