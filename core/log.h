/* SPDX-License-Identifier: MIT */
/*
 * The log hook: the libraries say what they do at debug level, if somebody wants to hear it.
 *
 * Failures are returned, never logged: whoever handles them decides what is worth a line.
 */
#pragma once

#include "core/base.h"

/* Gets a line without its end, and where it comes from ("redis"). May be called by any thread; may
 * not suspend. */
typedef void hr_log_fn(const char *area, const char *line, void *cookie);

/* Sets the hook, before other threads start; NULL: silence, as at first. */
HR_PUBLIC void hr_log_set(hr_log_fn *fn, void *cookie);

/* Says something, cut at 500 bytes. Costs a load and a branch when nobody listens, and does not
 * look at its arguments then: hr_debug("redis", "%s: connected", name); */
#define hr_debug(area, ...)                                                                        \
    do {                                                                                           \
        if (hr_unlikely(hr_log_wanted))                                                            \
            hr_log_write(area, __VA_ARGS__);                                                       \
    } while (0)

HR_PUBLIC bool hr_log_wanted;
HR_PUBLIC void hr_log_write(const char *area, const char *fmt, ...) hr_printf_like(2, 3);
