/* SPDX-License-Identifier: MIT */
/*
 * Callbacks on descriptors: called for as long as they can be read, or written.
 *
 * Tasks wait by core/io.h, which is cheaper for them; this is for code that is made of callbacks.
 */
#pragma once

#include "core/io.h"

/* Calls callback(arg) from the ready queue whenever fd can be read (HR_READ) or written (HR_WRITE),
 * until it is removed; a new one replaces the one of that descriptor and direction, from its next
 * call on. fd stays the caller's: remove the watch before closing it. 0; -EINVAL (no such
 * direction, or no callback), -ENOMEM, HR_ENOLOOP, -EPERM (a file), or why the kernel does not
 * watch it. */
HR_PUBLIC int hr_watch_add(int fd, int direction, hr_callback *callback, void *arg);

/* Removes the watch; one that is queued is not called any more. True if there was one. */
HR_PUBLIC bool hr_watch_remove(int fd, int direction);
