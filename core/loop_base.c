/* SPDX-License-Identifier: MIT */
/*
 * What a loop watches and sleeps with: libevent's base and two descriptors of its own, which are
 * made, lent to other libraries, made anew in a forked child, and closed.
 */
#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/loop_impl.h"

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

static int watch(hr_loop *loop, int fd, event_callback_fn fn, struct event **ret)
{
    *ret = event_new(loop->base, fd, EV_READ | EV_PERSIST, fn, loop);
    return *ret ? hr_loop_event_add(loop, *ret) : hr_fail(-ENOMEM, "no memory for a loop");
}

/* What a base is made of: an epoll and a pair of pipes or sockets for signals. */
#define BASE_FILES 3

/* libevent ends the process when it gets no descriptor for a base, so somebody has to ask first. */
static int check_descriptors(int count)
{
    int fds[BASE_FILES + 2], r = 0, opened = 0;
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

/* The two descriptors that are the loop's own, and their events. */
static int open_own(hr_loop *loop)
{
    loop->timer_set = HR_FOREVER;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->wake_fd < 0 || loop->timer_fd < 0)
        return hr_fail(-errno, "no descriptor for a loop: %s", hr_error_text(-errno));
    loop->highest_fd = loop->timer_fd > loop->wake_fd ? loop->timer_fd : loop->wake_fd;
    int r = watch(loop, loop->wake_fd, woken, &loop->wake_event);
    return r < 0 ? r : watch(loop, loop->timer_fd, timer_fired, &loop->timer_event);
}

static void free_own_events(hr_loop *loop)
{
    if (loop->wake_event)
        event_free(loop->wake_event);
    if (loop->timer_event)
        event_free(loop->timer_event);
    loop->wake_event = loop->timer_event = NULL;
}

/* Of a base that is a parent's the descriptors go first: what the kernel no longer knows by these
 * numbers is taken from no epoll. */
static void close_own(hr_loop *loop, bool parents)
{
    if (!parents)
        free_own_events(loop);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->timer_fd >= 0)
        close(loop->timer_fd);
    loop->wake_fd = loop->timer_fd = -1;
    free_own_events(loop);
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

/* How many descriptors there must be for a base made anew and what is the loop's own beside it. The
 * base gives back what it had before it takes that again; but a number beyond a limit that was
 * lowered since is gone. */
static int needed_anew(const hr_loop *loop)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > (rlim_t)loop->highest_fd ? 2 : BASE_FILES + 2;
}

int hr__poll_renew(hr_loop *loop)
{
    if (loop->stranded)
        return hr_fail(-EMFILE, "there was no descriptor for a forked child's loop");
    close_own(loop, true); /* two numbers are free then */
    int r = loop->base ? check_descriptors(needed_anew(loop)) : HR_ECLOSED;
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

/* libevent's select() writes beyond its sets, or ends the program, for a descriptor that they do
 * not hold. */
int hr_loop_event_add(hr_loop *loop, struct event *event)
{
    int fd = event_get_fd(event);
    if (fd >= FD_SETSIZE && strcmp(event_base_get_method(loop->base), "select") == 0)
        return hr_fail(-EMFILE, "descriptor %d cannot be watched: select takes those below %d", fd,
                       FD_SETSIZE);
    errno = 0;
    if (event_add(event, NULL) == 0)
        return 0;
    int code = errno ? -errno : -ENOMEM;
    return hr_fail(code, "descriptor %d cannot be watched: %s", fd, hr_error_text(code));
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
    close_own(loop, !own);
    if (own)
        event_base_free(loop->base);
    loop->base = NULL;
}

struct event_base *hr_loop_event_base(hr_loop *loop)
{
    return hr__poll_own(loop) == 0 ? loop->base : NULL;
}
