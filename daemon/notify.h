/* SPDX-License-Identifier: MIT */
/*
 * What systemd is told: ready, stopping, a line of live numbers, and that the loop is alive.
 *
 * Without systemd (no NOTIFY_SOCKET) every call does nothing.
 */
#pragma once

#include "core/headrace.h"

void notify_ready(void);
void notify_stopping(void);
void notify_status(const char *text);

/* How often the watchdog wants to hear from us: half of WATCHDOG_USEC; HR_FOREVER when it is off.
 */
hr_usec notify_watchdog_every(void);
void notify_watchdog(void);
