/* SPDX-License-Identifier: MIT */
/*
 * Makes a program live FAST_CLOCK times as fast: preloaded, it shows every clock at that speed and
 * lets every wait take that much less, so that programs of seconds are tested as they are, in less.
 *
 * What a clock shows is counted from boot, so that all processes agree and nothing has to be
 * remembered. C programs and Python alike come here, as both ask libc.
 */
#undef _FORTIFY_SOURCE /* its inline forms would stand in the way of ours */
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BILLION INT64_C(1000000000)

#define SHOWN __attribute__((visibility("default")))

static int64_t speed = 1;

__attribute__((constructor)) static void read_speed(void)
{
    const char *text = getenv("FAST_CLOCK");
    speed = text && atoi(text) > 0 ? atoi(text) : 1;
}

/* The libc's own function behind ours. pthread_cond_timedwait() has an older one of that name. */
#define REAL(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(&(name)) libc_;                                                          \
        if (!libc_)                                                                                \
            libc_ = (__typeof__(libc_))find(#name);                                                \
        libc_;                                                                                     \
    })

static void *find(const char *name)
{
    void *real = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
    return real ? real : dlsym(RTLD_NEXT, name);
}

static int64_t to_ns(const struct timespec *t)
{
    return t->tv_sec * BILLION + t->tv_nsec;
}

static struct timespec from_ns(int64_t ns)
{
    return (struct timespec){ns / BILLION, ns % BILLION};
}

static int64_t real_now(clockid_t id)
{
    struct timespec t;
    syscall(SYS_clock_gettime, id, &t);
    return to_ns(&t);
}

static bool is_wall(clockid_t id)
{
    return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
}

static bool is_fast(clockid_t id)
{
    return is_wall(id) || id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE ||
           id == CLOCK_MONOTONIC_RAW || id == CLOCK_BOOTTIME;
}

/* What a clock shows: since boot everything has happened faster. */
static int64_t fast_now(clockid_t id)
{
    if (!is_fast(id))
        return real_now(id);
    return real_now(id) + (speed - 1) * real_now(CLOCK_MONOTONIC);
}

/* A tenth of a span, rounded up: no wait is shorter than it was asked to be. */
static struct timespec real_span(const struct timespec *span)
{
    return from_ns((to_ns(span) + speed - 1) / speed);
}

/* When a moment that a fast clock will show comes on the real one. */
static struct timespec real_moment(clockid_t id, const struct timespec *moment)
{
    int64_t span = to_ns(moment) - fast_now(id);
    return from_ns(real_now(id) + (span > 0 ? (span + speed - 1) / speed : 0));
}

/* A moment after 2001 is one of the wall clock: no machine has been up for so long. */
static clockid_t clock_of(const struct timespec *moment)
{
    return moment->tv_sec > BILLION ? CLOCK_REALTIME : CLOCK_MONOTONIC;
}

static int real_ms(int ms)
{
    return ms > 0 ? (ms + speed - 1) / speed : ms;
}

/* --- clocks */

SHOWN int clock_gettime(clockid_t id, struct timespec *ret)
{
    if (!is_fast(id))
        return (int)syscall(SYS_clock_gettime, id, ret);
    *ret = from_ns(fast_now(id));
    return 0;
}

SHOWN int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    int64_t now = fast_now(CLOCK_REALTIME);
    *ret = (struct timeval){now / BILLION, now % BILLION / 1000};
    return 0;
}

SHOWN time_t time(time_t *ret)
{
    time_t now = fast_now(CLOCK_REALTIME) / BILLION;
    if (ret)
        *ret = now;
    return now;
}

/* --- sleeps */

SHOWN int clock_nanosleep(clockid_t id, int flags, const struct timespec *span,
                          struct timespec *left)
{
    struct timespec real = flags & TIMER_ABSTIME ? real_moment(id, span) : real_span(span);
    return REAL(clock_nanosleep)(id, flags, &real, left);
}

SHOWN int nanosleep(const struct timespec *span, struct timespec *left)
{
    struct timespec real = real_span(span);
    return REAL(nanosleep)(&real, left);
}

SHOWN int usleep(useconds_t us)
{
    struct timespec span = from_ns(us * INT64_C(1000));
    return nanosleep(&span, NULL);
}

SHOWN unsigned sleep(unsigned seconds)
{
    struct timespec span = {.tv_sec = seconds};
    return nanosleep(&span, NULL) == 0 ? 0 : 1;
}

SHOWN int timerfd_settime(int fd, int flags, const struct itimerspec *spec,
                          struct itimerspec *before)
{
    bool moment = flags & TFD_TIMER_ABSTIME && to_ns(&spec->it_value) > 0;
    struct itimerspec real = {
        .it_interval = real_span(&spec->it_interval),
        .it_value = moment ? real_moment(clock_of(&spec->it_value), &spec->it_value)
                           : real_span(&spec->it_value),
    };
    return REAL(timerfd_settime)(fd, flags, &real, before);
}

/* --- waits for descriptors */

SHOWN int epoll_wait(int fd, struct epoll_event *events, int count, int ms)
{
    return REAL(epoll_wait)(fd, events, count, real_ms(ms));
}

SHOWN int epoll_pwait(int fd, struct epoll_event *events, int count, int ms, const sigset_t *mask)
{
    return REAL(epoll_pwait)(fd, events, count, real_ms(ms), mask);
}

SHOWN int poll(struct pollfd *fds, nfds_t count, int ms)
{
    return REAL(poll)(fds, count, real_ms(ms));
}

SHOWN int select(int count, fd_set *restrict in, fd_set *restrict out, fd_set *restrict except,
                 struct timeval *restrict span)
{
    if (!span)
        return REAL(select)(count, in, out, except, NULL);
    int64_t us = (span->tv_sec * INT64_C(1000000) + span->tv_usec + speed - 1) / speed;
    struct timeval real = {us / 1000000, us % 1000000};
    return REAL(select)(count, in, out, except, &real);
}

/* --- waits of threads for each other */

SHOWN int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict lock,
                                 const struct timespec *restrict until)
{
    struct timespec real = real_moment(clock_of(until), until);
    return REAL(pthread_cond_timedwait)(cond, lock, &real);
}

SHOWN int pthread_cond_clockwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict lock,
                                 clockid_t id, const struct timespec *restrict until)
{
    struct timespec real = real_moment(id, until);
    return REAL(pthread_cond_clockwait)(cond, lock, id, &real);
}

SHOWN int sem_timedwait(sem_t *restrict sem, const struct timespec *restrict until)
{
    struct timespec real = real_moment(CLOCK_REALTIME, until);
    return REAL(sem_timedwait)(sem, &real);
}

SHOWN int sem_clockwait(sem_t *restrict sem, clockid_t id, const struct timespec *restrict until)
{
    struct timespec real = real_moment(id, until);
    return REAL(sem_clockwait)(sem, id, &real);
}
