/* SPDX-License-Identifier: MIT */
#include "daemon/notify.h"

#include <systemd/sd-daemon.h>

void notify_ready(void)
{
    sd_notify(0, "READY=1");
}

void notify_stopping(void)
{
    sd_notify(0, "STOPPING=1\nSTATUS=finishing what is begun");
}

void notify_status(const char *text)
{
    sd_notifyf(0, "STATUS=%s", text);
}

hr_usec notify_watchdog_every(void)
{
    uint64_t usec = 0;
    if (sd_watchdog_enabled(0, &usec) <= 0 || usec == 0)
        return HR_FOREVER;
    return (hr_usec)(usec / 2);
}

void notify_watchdog(void)
{
    sd_notify(0, "WATCHDOG=1");
}
