/* SPDX-License-Identifier: MIT */
/*
 * Looking around: descriptors, the inbox, the clock, timers; and sleeping when nothing is ready.
 *
 * How it works: libevent watches descriptors only. Its timers are not used: the next deadline goes
 * into one timerfd, which is exact to the microsecond and is set anew only when an earlier deadline
 * than the one it holds turns up, so that timers which are mostly cancelled cost no system call.
 */
#include <event2/event.h>
#include <sys/timerfd.h>
#include <time.h>

#include "core/loop_impl.h"

/* A busy loop looks at descriptors that often. */
#define POLL_EVERY 50

/* For so long a loop sleeps that cannot be woken. */
#define NAP hr_ms(5)

static void set_timer(hr_loop *loop, hr_usec deadline)
{
    if (deadline >= loop->timer_set)
        return; /* it wakes us up early enough */
    hr_usec span = deadline - hr__clock_now(loop);
    if (span < 1)
        span = 1; /* 0 would disarm it */
    struct itimerspec spec = {
        .it_value = {.tv_sec = span / 1000000, .tv_nsec = span % 1000000 * 1000},
    };
    timerfd_settime(loop->timer_fd, 0, &spec, NULL);
    loop->timer_set = deadline;
}

/* EVLOOP_NONBLOCK alone goes round for as long as a descriptor is ready. */
static void poll_now(hr_loop *loop)
{
    if (loop->world)
        hr__world_look(loop);
    if (hr__poll_own(loop) == 0)
        event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    else
        hr__signals_deliver(loop);
}

/* Without a base of its own a child looks again in a while: there may be descriptors then. */
static void nap(hr_usec span)
{
    if (span > NAP)
        span = NAP;
    struct timespec time = {.tv_sec = span / 1000000, .tv_nsec = span % 1000000 * 1000};
    nanosleep(&time, NULL);
}

static bool has_mail(void *arg)
{
    return !hr__inbox_empty(arg);
}

static void poll_asleep(hr_loop *loop, hr_usec deadline)
{
    bool more_may_come = loop->jobs > 0 || loop->had_mail;
    loop->had_mail = false;
    if (more_may_come && hr__spin(&loop->spin, has_mail, loop)) {
        poll_now(loop);
        return;
    }
    if (hr__poll_own(loop) < 0) {
        nap(deadline - hr__clock_now(loop));
        poll_now(loop);
        return;
    }
    set_timer(loop, deadline);
    /* Whoever posts afterwards sees the flag; who posted before is seen here. */
    atomic_store(&loop->sleeping, true);
    event_base_loop(loop->base, EVLOOP_ONCE | (hr__inbox_empty(loop) ? 0 : EVLOOP_NONBLOCK));
    atomic_store_explicit(&loop->sleeping, false, memory_order_relaxed);
}

static void look_idle(hr_loop *loop)
{
    hr_usec tidy_up = hr__fibers_trim(loop);
    bool many_spares = hr__tasks_trim(loop);
    /* Something may be left to do, but nothing that could not wait. */
    if (tidy_up <= loop->now || many_spares) {
        poll_now(loop);
        return;
    }
    if (hr__clock_is_virtual(loop)) {
        /* A clock that jumps must not jump over what is there already. */
        poll_now(loop);
        if (loop->ready.first || !hr__inbox_empty(loop) ||
            loop->clock->jump(loop->clock, hr__timers_next(&loop->timers)))
            return;
    }
    hr_usec wake = hr__timers_wake(&loop->timers);
    if (wake <= loop->now)
        poll_now(loop);
    else
        poll_asleep(loop, wake < tidy_up ? wake : tidy_up);
}

bool hr__poll(hr_loop *loop)
{
    if (hr_unlikely(loop->inherited))
        hr__loop_take_over(loop);
    hr_usec before = loop->now;
    loop->now = hr__clock_now(loop);
    if (hr_unlikely(loop->world))
        hr__world_gather(loop);
    bool slow = loop->now - before >= POLL_EVERY || hr__clock_is_virtual(loop);
    if (!loop->ready.first && !loop->stopping) {
        look_idle(loop);
        loop->now = loop->polled = hr__clock_now(loop);
        slow = true; /* who knows what has come */
    } else if (slow || loop->stopping || loop->now - loop->polled >= POLL_EVERY) {
        poll_now(loop);
        loop->polled = loop->now;
    }
    if (!hr__inbox_empty(loop)) {
        loop->had_mail = true;
        hr__inbox_drain(loop);
    }
    hr_usec lag = hr__timers_run(&loop->timers, loop->now);
    if (lag > 0)
        loop->lag = lag;
    if (hr_unlikely(loop->world) && !loop->stopping)
        hr__world_cut(loop);
    return slow;
}

bool hr__poll_quiet(hr_loop *loop)
{
    if (hr__clock_is_virtual(loop))
        return false;
    hr_usec now = hr__clock_now(loop);
    if (now - loop->now >= POLL_EVERY || now - loop->polled >= POLL_EVERY ||
        !hr__timers_quiet(&loop->timers, now) || !hr__inbox_empty(loop))
        return false;
    loop->now = now;
    return true;
}

void hr__loop_arm(hr_loop *loop, struct hr__timer *timer, hr_usec deadline)
{
    hr__timer_arm(&loop->timers, timer, deadline);
    if (deadline <= loop->now)
        hr__poll_soon(loop);
}
