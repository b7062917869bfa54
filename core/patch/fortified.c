/* SPDX-License-Identifier: MIT */
/*
 * What libraries built with _FORTIFY_SOURCE call instead: the same, with the size of the buffer.
 *
 * Distributions build all of theirs that way, so without these the patch would miss most of what it
 * is for. A call that would overrun its buffer ends the program, as libc does.
 */
#include "core/patch/plain.h"

_Noreturn void __chk_fail(void); /* libc's */

HR_PUBLIC ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room);
HR_PUBLIC ssize_t __recv_chk(int fd, void *bytes, size_t size, size_t room, int flags);
HR_PUBLIC ssize_t __recvfrom_chk(int fd, void *bytes, size_t size, size_t room, int flags,
                                 __SOCKADDR_ARG from, socklen_t *from_size);
HR_PUBLIC int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room);
HR_PUBLIC int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                          const sigset_t *mask, size_t room);

ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room)
{
    if (size > room)
        __chk_fail();
    return read(fd, bytes, size);
}

ssize_t __recv_chk(int fd, void *bytes, size_t size, size_t room, int flags)
{
    if (size > room)
        __chk_fail();
    return recv(fd, bytes, size, flags);
}

ssize_t __recvfrom_chk(int fd, void *bytes, size_t size, size_t room, int flags,
                       __SOCKADDR_ARG from, socklen_t *from_size)
{
    if (size > room)
        __chk_fail();
    return recvfrom(fd, bytes, size, flags, from, from_size);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room)
{
    if (room / sizeof(*fds) < count)
        __chk_fail();
    return poll(fds, count, timeout);
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t room)
{
    if (room / sizeof(*fds) < count)
        __chk_fail();
    return ppoll(fds, count, timeout, mask);
}
