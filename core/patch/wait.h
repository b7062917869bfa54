/* SPDX-License-Identifier: MIT */
/*
 * How a patched call waits: for descriptors, for a limit, or for their being closed. Inside
 * core/patch/ only.
 */
#pragma once

#include <poll.h>

#include "core/future.h"
#include "core/loop.h"

/* How long one call may take in all its waits. Starts with { 0 }: without limit. */
struct hr__patch_limit {
    hr_handle *timer;   /* NULL: none, or it has fired */
    hr_future *waiting; /* of the wait that is going on */
    bool passed;
};

/* Begins to count; HR_FOREVER: no limit. False: no memory, in errno. */
bool hr__patch_limit_start(struct hr__patch_limit *limit, hr_usec span);
void hr__patch_limit_stop(struct hr__patch_limit *limit);

/* Suspends the running task until one of the descriptors may be ready for what its events say, or
 * the limit passes; negative descriptors are left out. Others may come first: the caller tries, and
 * waits again. 1; 0: the limit passed; or -1 and errno:
 *   ECANCELED   the task was cancelled
 *   EBADF       one was closed by another task
 *   ENOMEM, EMFILE, …   it cannot be watched */
int hr__patch_wait(const struct pollfd *fds, size_t count, struct hr__patch_limit *limit);
