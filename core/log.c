/* SPDX-License-Identifier: MIT */
/*
 * One hook a process.
 */
#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_BYTES 501

bool hr_log_wanted;
static hr_log_fn *hook;
static void *hook_cookie;

void hr_log_set(hr_log_fn *fn, void *cookie)
{
    hook = fn;
    hook_cookie = cookie;
    hr_log_wanted = fn;
}

void hr_log_write(const char *area, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;

    if (!hook)
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    hook(area, line, hook_cookie);
}
