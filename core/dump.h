/* SPDX-License-Identifier: MIT */
/*
 * Where does every task wait: the answer to "it hangs".
 */
#pragma once

#include <stdio.h>

#include "core/loop.h"

/* Writes a line for each unfinished task of the loop (NULL: the running one): name, state, what it
 * waits for, since when, stack used. */
HR_PUBLIC void hr_dump_tasks(hr_loop *loop, FILE *to);
