/* SPDX-License-Identifier: MIT */
/*
 * The plain calls behind the patched ones. Inside core/patch/ only.
 */
#pragma once

#include <netdb.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "core/base.h"

/* X(name) for every call that has a patched one in front of it. */
#define HR__PATCH_CALLS(X)                                                                         \
    X(sleep)                                                                                       \
    X(usleep)                                                                                      \
    X(nanosleep)                                                                                   \
    X(clock_nanosleep)                                                                             \
    X(read)                                                                                        \
    X(readv)                                                                                       \
    X(write)                                                                                       \
    X(writev)                                                                                      \
    X(recv)                                                                                        \
    X(recvfrom)                                                                                    \
    X(recvmsg)                                                                                     \
    X(send)                                                                                        \
    X(sendto)                                                                                      \
    X(sendmsg)                                                                                     \
    X(connect)                                                                                     \
    X(accept)                                                                                      \
    X(accept4)                                                                                     \
    X(close)                                                                                       \
    X(poll)                                                                                        \
    X(ppoll)                                                                                       \
    X(select)                                                                                      \
    X(pselect)                                                                                     \
    X(epoll_wait)                                                                                  \
    X(epoll_pwait)                                                                                 \
    X(getaddrinfo)                                                                                 \
    X(getnameinfo)                                                                                 \
    X(gethostbyname)                                                                               \
    X(gethostbyname2)                                                                              \
    X(gethostbyaddr)                                                                               \
    X(gethostbyname_r)                                                                             \
    X(gethostbyname2_r)                                                                            \
    X(gethostbyaddr_r)

struct hr__patch_calls {
#define HR__PATCH_MEMBER(name) __typeof__(name) *name;
    HR__PATCH_CALLS(HR__PATCH_MEMBER)
#undef HR__PATCH_MEMBER
};

/* The calls that would have been made without this library: libc's, or those of the next library
 * that puts its own in front. */
const struct hr__patch_calls *hr__plain(void);
