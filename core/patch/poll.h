/* SPDX-License-Identifier: MIT */
/*
 * Spans and signals of the calls that look at many descriptors. Inside core/patch/ only.
 */
#pragma once

#include <signal.h>
#include <time.h>

#include "core/base.h"

/* A span in microseconds, rounded up; HR_FOREVER for NULL, negative when it is no span. */
hr_usec hr__patch_span(const struct timespec *span);

/* A descriptor that is readable when a signal is pending that mask lets through and the thread does
 * not: the call then has to look, with the mask, and be interrupted. -1 where there is no such. */
int hr__patch_signals(const sigset_t *mask);
