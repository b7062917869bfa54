/* SPDX-License-Identifier: MIT */
/*
 * What a call says that is handed NULL instead of what another should have made: that one's code
 * and record, so that a caller may look at the last of several calls only.
 */
#pragma once

#include <errno.h>

#include "core/error.h"

/* The code in the caller's record, where something has failed; else -EINVAL, with a record. what
 * names the thing. */
static inline int hr__missing_object(const char *what)
{
    int code = hr_last_error()->code;
    return code < 0 ? code : hr_fail(-EINVAL, "%s: NULL, and nothing has failed before", what);
}
