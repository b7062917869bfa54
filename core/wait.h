/* SPDX-License-Identifier: MIT */
/*
 * Waiting for futures without touching them: nothing is cancelled, read or left behind. Inside
 * core/ only.
 */
#pragma once

#include "core/future_impl.h"
#include "core/gather.h"

/* Waits until the future is done or the limit has passed (≤ 0: at once); needs no memory. 0,
 * -ECANCELED, or as hr_await() says: HR_EWRONGLOOP, HR_ESELFAWAIT, HR_ENOTASK, NULL's code. what, a
 * literal, shows in dumps. */
hr_async int hr__wait_done(hr_future *future, hr_usec limit, const char *what);

/* 0, or with a record the code of the first future that could not be made or kept. */
int hr__futures_check(const struct hr_futures *futures);

/* What ends a wait for several futures, besides all being done. */
enum hr__wait_end {
    HR__END_ALL = 0,
    HR__END_ANY = 1,       /* one is done */
    HR__END_ERROR = 2,     /* one failed */
    HR__END_CANCELLED = 4, /* one was cancelled */
};

/* Waits until the end has come or the limit has passed. Suspends only when it has to. 0, -ENOMEM,
 * -ECANCELED, HR_EWRONGLOOP, HR_ENOTASK; *ret_first is the member that brought the end: the first
 * in time, among those done before the first in order; NULL when none did. */
hr_async int hr__wait_several(const struct hr_futures *futures, enum hr__wait_end end,
                              hr_usec limit, hr_future **ret_first);
