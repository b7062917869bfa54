/* SPDX-License-Identifier: MIT */
/*
 * Looking around: descriptors, the inbox, the clock, timers; and sleeping when nothing is ready.
 *
 * How it works: libevent watches descriptors only. Its timers are not used: the next deadline goes
 * into one timerfd, which is exact to the microsecond and is set anew only when an earlier deadline
 * than the one it holds turns up, so that timers which are mostly cancelled cost no system call.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "core/loop_impl.h"

/* A busy loop looks at descriptors that often. */
#define POLL_EVERY 50

/* For so long a loop sleeps that cannot be woken. */
#define NAP hr_ms(5)

static void timer_fired(evutil_socket_t fd, short events, void *arg)
{
    hr_loop *loop = arg;
    uint64_t count;
    if (read(fd, &count, sizeof(count)) < 0 && errno == EAGAIN)
        return; /* set anew in between */
    loop->timer_set = HR_FOREVER;
}

static void woken(evutil_socket_t fd, short events, void *arg)
{
    uint64_t count;
    if (read(fd, &count, sizeof(count)) == sizeof(count))
        hr__signals_deliver(arg);
}

unsigned hr__forks;

static struct event *watch(hr_loop *loop, int fd, event_callback_fn fn)
{
    struct event *event = event_new(loop->base, fd, EV_READ | EV_PERSIST, fn, loop);
    if (event && event_add(event, NULL) < 0) {
        event_free(event);
        return NULL;
    }
    return event;
}

/* What a base is made of: an epoll and a pair of pipes or sockets for signals. */
#define BASE_FILES 3

/* libevent ends the process when it gets no descriptor for a base, so somebody has to ask first. */
static int check_descriptors(int count)
{
    int fds[BASE_FILES], r = 0, opened = 0;
    while (opened < count && (fds[opened] = epoll_create1(EPOLL_CLOEXEC)) >= 0)
        opened++;
    if (opened < count)
        r = hr_fail(-errno, "no descriptor for a loop: %s", hr_error_text(-errno));
    while (opened > 0)
        close(fds[--opened]);
    return r;
}

/* What libevent has on Linux. Its own list is not asked for: that call is not thread-safe. */
static const char *const backends[] = {"epoll", "poll", "select"};

static struct event_base *open_base(const char *backend)
{
    struct event_config *config = event_config_new();
    if (!config)
        return NULL;
    bool known = !backend;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME); /* nobody asks it for the time */
    for (size_t i = 0; backend && i < HR_ARRAY_LEN(backends); i++) {
        if (strcmp(backends[i], backend) == 0)
            known = true;
        else
            event_config_avoid_method(config, backends[i]);
    }
    struct event_base *base = known ? event_base_new_with_config(config) : NULL;
    event_config_free(config);
    return base;
}

/* A child has what its parent's loops have, and must leave it alone. That costs nothing here, for a
 * child that runs another program: each loop is given what is its own when it is first used. The
 * one that runs now may be calling events. Those that are left of them touch the base when they are
 * called, so they are called later. */
static void forked(void)
{
    hr__forks++;
    hr__signals_wake(NULL);
    hr_loop *loop = hr__loop_running;
    if (loop) {
        hr__loop_at_home(loop);
        hr__poll_soon(loop); /* no slice runs before a look */
        event_base_loopbreak(loop->base);
    }
}

__attribute__((constructor)) static void expect_forks(void)
{
    pthread_atfork(NULL, NULL, forked);
}

/* The two descriptors that are the loop's own, and their events. */
static int open_own(hr_loop *loop)
{
    loop->timer_set = HR_FOREVER;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->wake_fd < 0 || loop->timer_fd < 0)
        return hr_fail(-errno, "no descriptor for a loop: %s", hr_error_text(-errno));
    loop->wake_event = watch(loop, loop->wake_fd, woken);
    loop->timer_event = watch(loop, loop->timer_fd, timer_fired);
    if (!loop->wake_event || !loop->timer_event)
        return hr_fail(-ENOMEM, "no memory for a loop");
    return 0;
}

/* The descriptors come first: what the kernel no longer knows by these numbers is taken from no
 * epoll, neither ours, which has lost it with them, nor a parent's. */
static void close_own(hr_loop *loop)
{
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->timer_fd >= 0)
        close(loop->timer_fd);
    if (loop->wake_event)
        event_free(loop->wake_event);
    if (loop->timer_event)
        event_free(loop->timer_event);
    loop->wake_event = loop->timer_event = NULL;
    loop->wake_fd = loop->timer_fd = -1;
}

int hr__poll_open(hr_loop *loop, const char *backend)
{
    loop->forks = loop->home = hr__forks;
    int r = check_descriptors(BASE_FILES);
    if (r < 0)
        return r;
    loop->base = open_base(backend);
    if (!loop->base)
        return hr_fail(-EINVAL, "libevent offers no way to watch descriptors by %s",
                       backend ? backend : "default");
    return open_own(loop);
}

int hr__poll_renew(hr_loop *loop)
{
    if (loop->stranded)
        return hr_fail(-EMFILE, "there was no descriptor for a forked child's loop");
    close_own(loop); /* two numbers are free then, and the base frees what it takes */
    int r = loop->base ? check_descriptors(2) : HR_ECLOSED;
    if (r < 0)
        return r;
    event_reinit(loop->base); /* fails for events whose descriptor was closed */
    r = open_own(loop);
    if (r < 0)
        return r;
    loop->forks = hr__forks;
    hr__signals_wake(loop);
    return 0;
}

/* Only one that the kernel watches is taken out of an epoll, and out of a parent's it must not be.
 */
void hr_loop_event_free(hr_loop *loop, struct event *event)
{
    if (!event)
        return;
    if (!event_pending(event, EV_READ | EV_WRITE | EV_CLOSED, NULL) || hr__poll_own(loop) == 0)
        event_free(event);
    else
        loop->stranded = true;
}

void hr__poll_close(hr_loop *loop)
{
    bool own = loop->base && hr__poll_own(loop) == 0;
    close_own(loop);
    if (own)
        event_base_free(loop->base);
    loop->base = NULL;
}

struct event_base *hr_loop_event_base(hr_loop *loop)
{
    return hr__poll_own(loop) == 0 ? loop->base : NULL;
}

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
