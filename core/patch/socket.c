/* SPDX-License-Identifier: MIT */
/*
 * How it works: every call is tried with MSG_DONTWAIT, and again whenever the socket is ready,
 * until it has done what the plain call would have waited for: something for a receive, everything
 * for a receive with MSG_WAITALL and for a send. Only a call that has to wait asks whether the
 * socket blocks, so that code which never does pays nothing.
 */
#include "core/patch/socket.h"

#include <errno.h>

#include "core/patch/connect.h"
#include "core/patch/patch_impl.h"
#include "core/patch/plain.h"
#include "core/patch/vector.h"

/* Calls with these never wait. */
#define NEVER_WAITS (MSG_DONTWAIT | MSG_ERRQUEUE)

/* A full receiver of datagrams does not show at the sender's end. */
#define PAUSE hr_ms(1)

static hr_usec timeout_of(int fd, int option)
{
    struct timeval timeout = {0};
    socklen_t size = sizeof(timeout);
    if (getsockopt(fd, SOL_SOCKET, option, &timeout, &size) < 0)
        return HR_FOREVER;
    hr_usec span = hr_later(hr_seconds(timeout.tv_sec), timeout.tv_usec);
    return span > 0 ? span : HR_FOREVER;
}

bool hr__patch_begin_patience(struct hr__patch_patience *patience)
{
    if (patience->waited)
        return true;
    patience->waited = true;
    if (!hr__patch_blocks(patience->fd)) {
        errno = EAGAIN;
        return false;
    }
    return hr__patch_limit_start(&patience->limit, timeout_of(patience->fd, patience->option));
}

bool hr__patch_be_patient(struct hr__patch_patience *patience)
{
    if (!hr__patch_begin_patience(patience))
        return false;
    struct pollfd poll = {.fd = patience->fd, .events = patience->events};
    int r = hr__patch_wait(&poll, 1, &patience->limit);
    if (r == 0)
        errno = EAGAIN;
    return r > 0;
}

static bool is_stream(int fd)
{
    int type = 0;
    socklen_t size = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/* Receives once, waiting for it. */
static ssize_t recv_some(struct hr__patch_patience *patience, struct msghdr *message, int flags)
{
    for (;;) { /* a call that fails leaves the message as it was */
        ssize_t n = hr__plain()->recvmsg(patience->fd, message, flags | MSG_DONTWAIT);
        if (n >= 0 || errno != EAGAIN || !hr__patch_be_patient(patience))
            return n;
    }
}

/* Goes on until the buffers are full, the stream ends, or something came that is not bytes. */
static ssize_t recv_rest(struct hr__patch_patience *patience, const struct msghdr *message,
                         size_t received, int flags)
{
    struct hr__patch_vector left;
    if (!hr__patch_vector_init(&left, message->msg_iov, message->msg_iovlen))
        return (ssize_t)received;
    hr__patch_vector_advance(&left, received);
    while (left.bytes > 0) {
        struct msghdr rest = {.msg_iov = left.items, .msg_iovlen = left.count};
        ssize_t n = recv_some(patience, &rest, flags);
        if (n <= 0)
            break;
        received += (size_t)n;
        hr__patch_vector_advance(&left, (size_t)n);
    }
    hr__patch_vector_done(&left);
    return (ssize_t)received;
}

ssize_t hr__patch_recvmsg(int fd, struct msghdr *message, int flags)
{
    struct hr__patch_patience patience = {.fd = fd, .option = SO_RCVTIMEO, .events = POLLIN};
    bool bytes_only = !message->msg_control;
    int before = errno; /* a call that succeeds leaves it alone, whatever was tried */
    ssize_t n = recv_some(&patience, message, flags);
    if (n > 0 && flags & MSG_WAITALL && !(flags & MSG_PEEK) && bytes_only && is_stream(fd))
        n = recv_rest(&patience, message, (size_t)n, flags);
    int saved = n < 0 ? errno : before;
    hr__patch_limit_stop(&patience.limit);
    errno = saved;
    return n;
}

/* Waits until a send may be tried again. */
static bool wait_to_send(struct hr__patch_patience *patience, const struct msghdr *message)
{
    bool again = patience->waited;
    if (!hr__patch_be_patient(patience))
        return false;
    if (!again || !message->msg_name)
        return true;
    int r = hr_sleep(PAUSE); /* it was ready before, and had no room for this receiver */
    if (r < 0)
        errno = ECANCELED;
    return r == 0;
}

static ssize_t send_all(struct hr__patch_patience *patience, const struct msghdr *message,
                        struct hr__patch_vector *left, int flags)
{
    struct msghdr part = *message;
    ssize_t sent = 0;
    for (;;) {
        part.msg_iov = left->items;
        part.msg_iovlen = left->count;
        ssize_t n = hr__plain()->sendmsg(patience->fd, &part, flags | MSG_DONTWAIT);
        if (n >= 0) {
            sent += n;
            hr__patch_vector_advance(left, (size_t)n);
            if (left->bytes == 0)
                return sent;
            /* What goes along with the bytes has gone; and the plain call, when it has sent a part
             * and the peer is gone, says how much, and raises SIGPIPE the next time. */
            part.msg_name = NULL;
            part.msg_namelen = 0;
            part.msg_control = NULL;
            part.msg_controllen = 0;
            flags |= MSG_NOSIGNAL;
        } else if (errno != EAGAIN || !wait_to_send(patience, &part)) {
            return sent > 0 ? sent : -1;
        }
    }
}

ssize_t hr__patch_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct hr__patch_patience patience = {.fd = fd, .option = SO_SNDTIMEO, .events = POLLOUT};
    struct hr__patch_vector left;
    int before = errno;
    if (!hr__patch_vector_init(&left, message->msg_iov, message->msg_iovlen))
        return -1;
    ssize_t n = send_all(&patience, message, &left, flags);
    int saved = n < 0 ? errno : before;
    hr__patch_vector_done(&left);
    hr__patch_limit_stop(&patience.limit);
    errno = saved;
    return n;
}

static bool wanted(int flags)
{
    return !(flags & NEVER_WAITS) && hr__patch_on(HR_PATCH_SOCKET);
}

HR_PUBLIC ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
    if (!wanted(flags))
        return hr__plain()->recv(fd, bytes, size, flags);
    struct iovec item = {bytes, size};
    return hr__patch_recvmsg(fd, &(struct msghdr){.msg_iov = &item, .msg_iovlen = 1}, flags);
}

HR_PUBLIC ssize_t recvfrom(int fd, void *bytes, size_t size, int flags, __SOCKADDR_ARG from,
                           socklen_t *from_size)
{
    if (!wanted(flags))
        return hr__plain()->recvfrom(fd, bytes, size, flags, from, from_size);
    struct iovec item = {bytes, size};
    struct msghdr message = {.msg_iov = &item, .msg_iovlen = 1};
    if (from.__sockaddr__ && from_size) {
        message.msg_name = from.__sockaddr__;
        message.msg_namelen = *from_size;
    }
    ssize_t n = hr__patch_recvmsg(fd, &message, flags);
    if (n >= 0 && message.msg_name && from_size)
        *from_size = message.msg_namelen;
    return n;
}

HR_PUBLIC ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    if (!wanted(flags) || message->msg_iovlen > UIO_MAXIOV)
        return hr__plain()->recvmsg(fd, message, flags);
    return hr__patch_recvmsg(fd, message, flags);
}

HR_PUBLIC ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    if (!wanted(flags))
        return hr__plain()->send(fd, bytes, size, flags);
    struct iovec item = {(void *)bytes, size};
    return hr__patch_sendmsg(fd, &(struct msghdr){.msg_iov = &item, .msg_iovlen = 1}, flags);
}

HR_PUBLIC ssize_t sendto(int fd, const void *bytes, size_t size, int flags, __CONST_SOCKADDR_ARG to,
                         socklen_t to_size)
{
    if (!wanted(flags))
        return hr__plain()->sendto(fd, bytes, size, flags, to, to_size);
    struct iovec item = {(void *)bytes, size};
    struct msghdr message = {
        .msg_name = (void *)to.__sockaddr__,
        .msg_namelen = to_size,
        .msg_iov = &item,
        .msg_iovlen = 1,
    };
    return hr__patch_sendmsg(fd, &message, flags);
}

HR_PUBLIC ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (!wanted(flags) || message->msg_iovlen > UIO_MAXIOV)
        return hr__plain()->sendmsg(fd, message, flags);
    return hr__patch_sendmsg(fd, message, flags);
}
