/* SPDX-License-Identifier: MIT */
/*
 * Unix signals as callbacks of the loop, not in signal context. Several of a kind may merge.
 */
#pragma once

#include "core/loop.h"

/* Calls callback(arg) from the ready queue when the signal comes; replaces an earlier one. One loop
 * a process owns signals. 0; -EINVAL (no callback, no such signal, or none that can be handled),
 * -EBUSY (another loop's), HR_ENOLOOP, HR_ECLOSED; -EMFILE and -ENFILE in a forked child. */
HR_PUBLIC int hr_add_signal_handler(int signal, hr_callback *callback, void *arg);

/* Restores what was there before. True if there was a handler of ours. */
HR_PUBLIC bool hr_remove_signal_handler(int signal);
