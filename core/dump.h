/* SPDX-License-Identifier: MIT */
/*
 * Where does every task wait: the answer to "it hangs".
 */
#pragma once

#include <stdio.h>

#include "core/loop.h"

/* Writes a line for each unfinished task of the loop (NULL: the running one): name, state, what it
 * waits for, since when, stack used, and where it was made, as "headraced+0x1a2b" for addr2line(1):
 * that is the call, or the caller of a function that made it as the last thing it did. */
HR_PUBLIC void hr_dump_tasks(hr_loop *loop, FILE *to);
