/* SPDX-License-Identifier: MIT */
/*
 * Sleeping: a task sleeps on its loop's clock.
 *
 * A signal does not wake it, as the thread is asleep in the loop; a cancel does. What a plain call
 * would refuse is left to it.
 */
#include <errno.h>

#include "core/loop.h"
#include "core/patch/patch_impl.h"
#include "core/patch/plain.h"

/* A span in microseconds, rounded up. */
static hr_usec span_of(const struct timespec *spec)
{
    return hr_later(hr_seconds(spec->tv_sec), (spec->tv_nsec + 999) / 1000);
}

static bool valid(const struct timespec *spec)
{
    return spec && spec->tv_sec >= 0 && spec->tv_nsec >= 0 && spec->tv_nsec < 1000000000;
}

/* Sleeps; 0, or the error and what is left. */
static int sleep_for(hr_usec span, hr_usec *ret_left)
{
    hr_usec began = hr_now();
    int r = hr_sleep(span);
    if (r == 0)
        return 0;
    hr_usec gone = hr_now() - began;
    *ret_left = gone < span ? span - gone : 0;
    return r > -1000 ? -r : EIO;
}

HR_PUBLIC unsigned sleep(unsigned seconds)
{
    if (!hr__patch_on(HR_PATCH_TIME))
        return hr__plain()->sleep(seconds);
    hr_usec left;
    int error = sleep_for(hr_seconds(seconds), &left);
    if (error == 0)
        return 0;
    errno = error;
    return (unsigned)((left + 999999) / 1000000);
}

HR_PUBLIC int usleep(useconds_t span)
{
    if (!hr__patch_on(HR_PATCH_TIME))
        return hr__plain()->usleep(span);
    hr_usec left;
    int error = sleep_for(span, &left);
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}

/* The end of a sleep that may have been cut: 0, or the error. */
static int sleep_telling(hr_usec span, struct timespec *left)
{
    hr_usec rest;
    int error = sleep_for(span, &rest);
    if (error != 0 && left)
        *left = (struct timespec){rest / 1000000, rest % 1000000 * 1000};
    return error;
}

HR_PUBLIC int nanosleep(const struct timespec *span, struct timespec *left)
{
    if (!hr__patch_on(HR_PATCH_TIME) || !valid(span))
        return hr__plain()->nanosleep(span, left);
    int error = sleep_telling(span_of(span), left);
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}

HR_PUBLIC int clock_nanosleep(clockid_t clock, int flags, const struct timespec *when,
                              struct timespec *left)
{
    bool known = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME ||
                 clock == CLOCK_TAI;
    if (!hr__patch_on(HR_PATCH_TIME) || !known || !valid(when))
        return hr__plain()->clock_nanosleep(clock, flags, when, left);
    if (!(flags & TIMER_ABSTIME))
        return sleep_telling(span_of(when), left);
    struct timespec now;
    clock_gettime(clock, &now);
    hr_usec begin = hr_later(hr_seconds(now.tv_sec), now.tv_nsec / 1000);
    return sleep_telling(hr_later(span_of(when), -begin), NULL);
}
