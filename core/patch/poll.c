/* SPDX-License-Identifier: MIT */
/*
 * poll and epoll_wait: the plain call looks, without waiting; in between the task waits until there
 * may be something to see.
 *
 * The plain call has the last word, so what is reported is exactly what it says. A signal mask
 * counts while the call looks; a signal that only the mask lets through wakes it by a signalfd.
 */
#include "core/patch/poll.h"

#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>

#include "core/patch/patch_impl.h"
#include "core/patch/plain.h"
#include "core/patch/wait.h"

hr_usec hr__patch_span(const struct timespec *span)
{
    if (!span)
        return HR_FOREVER;
    if (span->tv_sec < 0 || span->tv_nsec < 0 || span->tv_nsec >= 1000000000)
        return -1;
    return hr_later(hr_seconds(span->tv_sec), (span->tv_nsec + 999) / 1000);
}

int hr__patch_signals(const sigset_t *mask)
{
    sigset_t blocked, through;
    bool any = false;
    if (!mask)
        return -1;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    sigemptyset(&through);
    for (int number = 1; number <= SIGRTMAX; number++) {
        if (sigismember(&blocked, number) == 1 && sigismember(mask, number) == 0)
            any |= sigaddset(&through, number) == 0;
    }
    return any ? signalfd(-1, &through, SFD_CLOEXEC | SFD_NONBLOCK) : -1;
}

/* How a call looks, without waiting. */
typedef int look_fn(void *arg);

/* Waits for the descriptors and looks, until there is something to see or the span is over. */
static int look_waiting(look_fn *look, void *arg, const struct pollfd *fds, size_t count,
                        hr_usec span)
{
    struct hr__patch_limit limit = {0};
    int r = look(arg);
    if (r != 0 || span == 0)
        return r;
    if (!hr__patch_limit_start(&limit, span))
        return -1;
    do {
        int waited = hr__patch_wait(fds, count, &limit);
        /* What was closed meanwhile shows when the call looks. */
        r = waited < 0 && errno != EBADF ? -1 : look(arg);
    } while (r == 0 && !limit.passed);
    int saved = errno;
    hr__patch_limit_stop(&limit);
    errno = saved;
    return r;
}

struct poll_look {
    struct pollfd *fds;
    nfds_t count;
    const sigset_t *mask;
};

static int look_poll(void *arg)
{
    static const struct timespec at_once;
    struct poll_look *look = arg;
    return hr__plain()->ppoll(look->fds, look->count, &at_once, look->mask);
}

/* As look_waiting(), with one descriptor more. */
static int look_with(int signals, struct poll_look *look, hr_usec span)
{
    struct pollfd *fds = calloc(look->count + 1, sizeof(*fds));
    int r = -1;
    if (fds) {
        if (look->count > 0)
            memcpy(fds, look->fds, look->count * sizeof(*fds));
        fds[look->count] = (struct pollfd){.fd = signals, .events = POLLIN};
        r = look_waiting(look_poll, look, fds, look->count + 1, span);
        free(fds);
    }
    int saved = errno;
    hr__plain()->close(signals);
    errno = saved;
    return r;
}

HR_PUBLIC int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    if (timeout == 0 || !hr__patch_on(HR_PATCH_POLL))
        return hr__plain()->poll(fds, count, timeout);
    struct poll_look look = {fds, count, NULL};
    return look_waiting(look_poll, &look, fds, count, timeout < 0 ? HR_FOREVER : hr_ms(timeout));
}

HR_PUBLIC int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                    const sigset_t *mask)
{
    hr_usec span = hr__patch_span(timeout);
    if (span <= 0 || !hr__patch_on(HR_PATCH_POLL))
        return hr__plain()->ppoll(fds, count, timeout, mask);
    struct poll_look look = {fds, count, mask};
    int signals = hr__patch_signals(mask);
    if (signals >= 0)
        return look_with(signals, &look, span);
    return look_waiting(look_poll, &look, fds, count, span);
}

struct epoll_look {
    int fd, most;
    struct epoll_event *events;
    const sigset_t *mask;
};

static int look_epoll(void *arg)
{
    struct epoll_look *look = arg;
    return hr__plain()->epoll_pwait(look->fd, look->events, look->most, 0, look->mask);
}

HR_PUBLIC int epoll_pwait(int fd, struct epoll_event *events, int most, int timeout,
                          const sigset_t *mask)
{
    if (timeout == 0 || !hr__patch_on(HR_PATCH_POLL))
        return hr__plain()->epoll_pwait(fd, events, most, timeout, mask);
    int signals = hr__patch_signals(mask);
    struct epoll_look look = {fd, most, events, mask};
    struct pollfd fds[] = {
        {.fd = fd,      .events = POLLIN},
        {.fd = signals, .events = POLLIN},
    };
    int r = look_waiting(look_epoll, &look, fds, signals < 0 ? 1 : 2,
                         timeout < 0 ? HR_FOREVER : hr_ms(timeout));
    int saved = errno;
    if (signals >= 0)
        hr__plain()->close(signals);
    errno = saved;
    return r;
}

HR_PUBLIC int epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
    if (timeout == 0 || !hr__patch_on(HR_PATCH_POLL))
        return hr__plain()->epoll_wait(fd, events, most, timeout);
    return epoll_pwait(fd, events, most, timeout, NULL);
}
