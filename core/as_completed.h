/* SPDX-License-Identifier: MIT */
/*
 * Futures in the order in which they are done, one a step.
 *
 *     hr_auto(hr_as_completed_freep) hr_as_completed *steps =
 *         hr_as_completed_new(&asks, HR_FOREVER, 0);
 *     hr_future *ask;
 *     int r;
 *     while ((r = hr_as_completed_next(steps, &ask)) >= 0)
 *         use(ask);
 *     return r == HR_EEND ? 0 : r;
 */
#pragma once

#include "core/gather.h"

typedef struct hr_as_completed hr_as_completed;

/* Begins to watch the futures, which stay the array's; a reference to each is taken, and one given
 * twice counts once. The limit is for all steps together (HR_FOREVER: none; ≤ 0: only what is done
 * now). With HR_CANCEL_REST in flags, freeing cancels what is not done. NULL, with a record:
 * -ENOMEM, HR_ENOLOOP, HR_EWRONGLOOP, the code of a failed array. */
HR_PUBLIC hr_owned hr_as_completed *hr_as_completed_new(const struct hr_futures *futures,
                                                        hr_usec limit, int flags);

/* Stops watching; waits for nobody. A task that is in a step gets HR_ECLOSED. NULL is fine; returns
 * NULL. */
HR_PUBLIC hr_as_completed *hr_as_completed_free(hr_as_completed *steps);
HR_PUBLIC void hr_as_completed_freep(hr_as_completed **steps);

/* Waits for the next one to be done; reads no outcome. Several tasks may step, and are served in
 * the order of asking. 0 and *ret, borrowed until the iteration is freed; or
 *   HR_EEND       all have been given out
 *   -ETIMEDOUT    the limit has passed, and what was done before is given out; nobody is cancelled
 *   -ECANCELED    the task was cancelled; the completion goes to the next step
 *   HR_ECLOSED    freed meanwhile
 *   HR_ENOTASK · HR_EWRONGLOOP    it would have to wait, and is no task of the iteration's loop
 * steps may be NULL, as hr_await() says of a future. */
HR_PUBLIC hr_async int hr_as_completed_next(hr_as_completed *steps, hr_future **ret);
