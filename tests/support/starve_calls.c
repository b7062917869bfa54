/* SPDX-License-Identifier: MIT */
/*
 * Other calls of the runtime that can fail, in front of the real ones: the kernel's and libevent's.
 */
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>

#include "tests/support/starve.h"

/* Wraps a call: while nothing is permitted it yields `failed`, and errno is what it would be. */
#define STARVE(type, name, failed, code, params, args)                                             \
    type __real_##name params;                                                                     \
    type __wrap_##name params;                                                                     \
    type __wrap_##name params                                                                      \
    {                                                                                              \
        if (starve_permits())                                                                      \
            return __real_##name args;                                                             \
        errno = (code);                                                                            \
        return failed;                                                                             \
    }

STARVE(void *, mmap64, MAP_FAILED, ENOMEM,
       (void *where, size_t size, int access, int flags, int fd, off_t offset),
       (where, size, access, flags, fd, offset))
STARVE(int, mprotect, -1, ENOMEM, (void *where, size_t size, int access), (where, size, access))
STARVE(int, madvise, -1, ENOMEM, (void *where, size_t size, int advice), (where, size, advice))
STARVE(int, eventfd, -1, EMFILE, (unsigned count, int flags), (count, flags))
STARVE(int, timerfd_create, -1, EMFILE, (clockid_t clock, int flags), (clock, flags))
STARVE(int, pthread_create, EAGAIN, EAGAIN,
       (pthread_t * thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg),
       (thread, attr, fn, arg))
STARVE(struct event_config *, event_config_new, NULL, ENOMEM, (void), ())
STARVE(struct event_base *, event_base_new_with_config, NULL, ENOMEM,
       (const struct event_config *config), (config))
STARVE(struct event *, event_new, NULL, ENOMEM,
       (struct event_base * base, evutil_socket_t fd, short events, event_callback_fn fn,
        void *arg),
       (base, fd, events, fn, arg))
STARVE(int, event_add, -1, ENOMEM, (struct event * event, const struct timeval *limit),
       (event, limit))
