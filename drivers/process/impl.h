/* SPDX-License-Identifier: MIT */
/*
 * What the worker pool asks of a process besides its public calls.
 */
#pragma once

#include "drivers/process.h"

/* Whether it lives and has said nothing on its standard output that was not read. */
bool hr__process_is_quiet(const hr_process *process);

/* Whether it has said something on its standard output that was not read. */
bool hr__process_has_spoken(const hr_process *process);

/* Whether its standard output has ended: a line that was read with it had no end of its own. */
bool hr__process_has_ended_output(const hr_process *process);

/* SIGKILL to it and its group; its end comes through the loop. */
void hr__process_kill_all(hr_process *process);
