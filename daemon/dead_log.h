/* SPDX-License-Identifier: MIT */
/*
 * What the log says of dead letters: how many a job made, by class, in one line from time to time,
 * however many there are. Never whose: the letters themselves tell.
 */
#pragma once

#include "daemon/job.h"

/* What was told of a job; all zero at first. */
struct dead_log {
    uint64_t told[CLASS_COUNT];
    hr_usec not_before;
};

/* Logs what is new, unless a line was written less than ten seconds ago. last: in any case. */
void dead_log_tell(struct dead_log *log, const struct job *job, bool last);
