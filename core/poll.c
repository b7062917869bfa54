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
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/loop_impl.h"

/* A busy loop looks at descriptors that often. */
#define POLL_EVERY 50

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

static struct event *watch(hr_loop *loop, int fd, event_callback_fn fn)
{
    struct event *event = event_new(loop->base, fd, EV_READ | EV_PERSIST, fn, loop);
    if (event && event_add(event, NULL) < 0) {
        event_free(event);
        return NULL;
    }
    return event;
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

/* The copy gets the number of the one that is shared with the parent. */
static void replace(int number, int copy)
{
    if (copy >= 0 && copy != number) {
        dup3(copy, number, O_CLOEXEC);
        close(copy);
    }
}

/* In a child that a task has forked: what its copy of the loop frees, watches or sleeps would be
 * done to the parent's, since both have the same epoll, eventfd and timerfd. Each is closed before
 * it is made again, so that there is a number for it; what cannot be made stays closed, which the
 * child alone will notice. */
static void forked(void)
{
    hr_loop *loop = hr__loop_running;
    if (!loop)
        return;
    close(loop->wake_fd);
    replace(loop->wake_fd, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    close(loop->timer_fd);
    replace(loop->timer_fd, timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    loop->timer_set = HR_FOREVER; /* the next sleep sets it */
    event_reinit(loop->base);
}

static void expect_forks(void)
{
    pthread_atfork(NULL, NULL, forked);
}

int hr__poll_open(hr_loop *loop, const char *backend)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, expect_forks);
    loop->timer_set = HR_FOREVER;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->wake_fd < 0 || loop->timer_fd < 0)
        return hr_fail(-errno, "no descriptor for a loop: %s", hr_error_text(-errno));
    loop->base = open_base(backend);
    if (!loop->base)
        return hr_fail(-EINVAL, "libevent offers no way to watch descriptors by %s",
                       backend ? backend : "default");
    loop->wake_event = watch(loop, loop->wake_fd, woken);
    loop->timer_event = watch(loop, loop->timer_fd, timer_fired);
    if (!loop->wake_event || !loop->timer_event)
        return hr_fail(-ENOMEM, "no memory for a loop");
    return 0;
}

void hr__poll_close(hr_loop *loop)
{
    if (loop->wake_event)
        event_free(loop->wake_event);
    if (loop->timer_event)
        event_free(loop->timer_event);
    if (loop->base)
        event_base_free(loop->base);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->timer_fd >= 0)
        close(loop->timer_fd);
    loop->wake_event = loop->timer_event = NULL;
    loop->base = NULL;
    loop->wake_fd = loop->timer_fd = -1;
}

struct event_base *hr_loop_event_base(hr_loop *loop)
{
    return loop->base;
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
    event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static bool has_mail(void *arg)
{
    return !hr__inbox_empty(arg);
}

static void poll_asleep(hr_loop *loop, hr_usec deadline)
{
    if ((loop->jobs > 0 || loop->had_mail) && hr__spin(&loop->spin, has_mail, loop)) {
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
    loop->had_mail = !hr__inbox_empty(loop);
    if (loop->had_mail)
        hr__inbox_drain(loop);
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
