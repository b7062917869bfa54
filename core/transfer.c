/* SPDX-License-Identifier: MIT */
/*
 * How it works: sockets are told not to signal. Other descriptors cannot be, so there SIGPIPE is
 * blocked in this thread for as long as the write takes, and one that it raised is taken back;
 * the signal comes to the thread that wrote, so nobody else's is lost.
 */
#include "core/transfer.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/loop_impl.h"

static ssize_t write_with_signal_blocked(int fd, const void *bytes, size_t size)
{
    static const struct timespec at_once;
    sigset_t broken_pipe, before, pending;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
    ssize_t n = write(fd, bytes, size);
    int code = n < 0 ? -errno : 0;
    if (code == -EPIPE && !sigismember(&pending, SIGPIPE)) {
        while (sigtimedwait(&broken_pipe, NULL, &at_once) < 0 && errno == EINTR)
            ;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n < 0 ? code : n;
}

ssize_t hr_write_quietly(int fd, const void *bytes, size_t size)
{
    ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    return errno == ENOTSOCK ? write_with_signal_blocked(fd, bytes, size) : -errno;
}

ssize_t hr_io_read(hr_io *io, void *bytes, size_t size)
{
    int wrong = hr__io_check_loop(io);
    if (wrong < 0)
        return wrong;
    for (;;) {
        ssize_t n = read(hr_io_fd(io), bytes, size);
        if (n >= 0)
            return n;
        if (errno == EAGAIN) {
            int r = hr_io_wait(io, HR_READ);
            if (r < 0)
                return r;
        } else if (errno != EINTR) {
            return hr_fail(-errno, "descriptor %d cannot be read: %s", hr_io_fd(io),
                           hr_error_text(-errno));
        }
    }
}

int hr_io_write(hr_io *io, const void *bytes, size_t size, size_t *written)
{
    const char *next = bytes;
    int wrong = hr__io_check_loop(io);
    if (wrong < 0)
        return wrong;
    while (size > 0) {
        ssize_t n = hr_write_quietly(hr_io_fd(io), next, size);
        if (n >= 0) {
            next += n;
            size -= (size_t)n;
            if (written)
                *written += (size_t)n;
        } else if (n == -EAGAIN) {
            int r = hr_io_wait(io, HR_WRITE);
            if (r < 0)
                return r;
        } else if (n != -EINTR) {
            return hr_fail((int)n, "descriptor %d cannot be written: %s", hr_io_fd(io),
                           hr_error_text((int)n));
        }
    }
    return 0;
}
