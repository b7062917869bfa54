/* SPDX-License-Identifier: MIT */
/*
 * A stack of exits: what was entered is left in reverse, on every way out.
 *
 *     struct hr_exits exits = { 0 };
 *     int r = hr_exits_enter(&exits, connect, disconnect, &server);
 *     if (r >= 0)
 *         r = talk(&server);
 *     return hr_exits_leave(&exits, r);
 *
 * hr_auto() does the same for what is known when the program is written and need not wait. Here the
 * number of resources may depend on the day, and both enter and exit may suspend.
 */
#pragma once

#include "core/error.h"

/* Makes something usable. ≥ 0, or an error: then there is nothing to exit. */
typedef int hr_enter_fn(void *arg);

/* Ends it. code is how the body, or the exit before, ended; what is returned goes on outward, so
 * most exits return it as it is. Waiting under a pending cancel gives -ECANCELED here as anywhere:
 * a cleanup that has to wait enters a shielded scope (core/timeout.h). */
typedef int hr_exit_fn(void *arg, int code);

/* Starts with { 0 }. */
struct hr_exits {
    struct hr__exit {
        hr_exit_fn *fn;
        void *arg;
    } * items;
    size_t count, capacity;
};

/* Enters something and keeps its exit (enter NULL: entered already). What enter returned; -ENOMEM
 * when there is no room for the exit: then nothing was entered. */
HR_PUBLIC hr_async int hr_exits_enter(struct hr_exits *exits, hr_enter_fn *enter, hr_exit_fn *exit,
                                      void *arg);

/* Keeps a plain cleanup, as free(), that takes no part in codes. 0, -ENOMEM, -EINVAL (NULL). */
HR_PUBLIC int hr_exits_add(struct hr_exits *exits, void (*cleanup)(void *arg), void *arg);

/* Runs all exits, newest first, also those that were added meanwhile; the stack is empty then.
 * Returns code as the exits left it. An error of an exit replaces the one before, which becomes the
 * last of its causes. */
HR_PUBLIC hr_async int hr_exits_leave(struct hr_exits *exits, int code);
