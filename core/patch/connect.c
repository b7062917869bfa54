/* SPDX-License-Identifier: MIT */
/*
 * connect and accept: the calls that have no flag for not waiting.
 *
 * How it works: O_NONBLOCK is set for the one system call and taken back before anybody waits,
 * under a lock, so that no task and no patched call of another thread takes the socket for one that
 * does not block. What another process, or a thread that asks the kernel itself, may see of it is
 * the length of a call that returns at once; accept makes it only when poll() has seen a peer. The
 * other ways were worse: a thread a connect lets as many wait as there are threads, and accept()
 * behind poll() stops the loop when another process was faster.
 */
#include "core/patch/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/un.h>

#include "core/patch/patch_impl.h"
#include "core/patch/plain.h"
#include "core/patch/socket.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

bool hr__patch_blocks(int fd)
{
    pthread_mutex_lock(&lock);
    int flags = fcntl(fd, F_GETFL);
    pthread_mutex_unlock(&lock);
    return flags >= 0 && !(flags & O_NONBLOCK);
}

/* Makes the next call return at once. True: end_attempt() is due. */
static bool begin_attempt(int fd, int *ret_flags)
{
    pthread_mutex_lock(&lock);
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && !(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0) {
        *ret_flags = flags;
        return true;
    }
    pthread_mutex_unlock(&lock);
    return false;
}

static void end_attempt(int fd, int flags)
{
    int saved = errno;
    fcntl(fd, F_SETFL, flags);
    pthread_mutex_unlock(&lock);
    errno = saved;
}

void hr__patch_hold_attempts(void)
{
    pthread_mutex_lock(&lock);
}

void hr__patch_let_go_of_attempts(void)
{
    pthread_mutex_unlock(&lock);
}

/* The outcome of a connection that was begun: 0, or -1 and errno. */
static int finish(struct hr__patch_patience *patience)
{
    if (!hr__patch_be_patient(patience)) {
        if (errno == EAGAIN) /* what the plain call says when SO_SNDTIMEO has passed */
            errno = EINPROGRESS;
        return -1;
    }
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(patience->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -1;
    if (error != 0)
        errno = error;
    return error == 0 ? 0 : -1;
}

/* A listener of AF_UNIX that is behind says so, and nothing ever shows that it is not any more. */
static bool pause_connecting(struct hr__patch_patience *patience, hr_usec *pause)
{
    if (!hr__patch_begin_patience(patience))
        return false;
    if (patience->limit.passed) {
        errno = EAGAIN;
        return false;
    }
    if (hr_sleep(*pause) < 0) {
        errno = ECANCELED;
        return false;
    }
    if (*pause < hr_ms(32))
        *pause *= 2;
    return true;
}

static int connect_waiting(struct hr__patch_patience *patience, __CONST_SOCKADDR_ARG address,
                           socklen_t size)
{
    for (hr_usec pause = hr_ms(1);;) {
        int flags;
        if (!begin_attempt(patience->fd, &flags))
            return hr__plain()->connect(patience->fd, address, size);
        int r = hr__plain()->connect(patience->fd, address, size);
        end_attempt(patience->fd, flags);
        if (r == 0)
            return 0;
        if (errno == EINPROGRESS || errno == EALREADY)
            return finish(patience);
        if (errno != EAGAIN || address.__sockaddr__->sa_family != AF_UNIX ||
            !pause_connecting(patience, &pause))
            return -1;
    }
}

HR_PUBLIC int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
    if (!hr__patch_on(HR_PATCH_SOCKET) || !address.__sockaddr__)
        return hr__plain()->connect(fd, address, size);
    struct hr__patch_patience patience = {.fd = fd, .option = SO_SNDTIMEO, .events = POLLOUT};
    int before = errno;
    int r = connect_waiting(&patience, address, size);
    int saved = r < 0 ? errno : before;
    hr__patch_limit_stop(&patience.limit);
    errno = saved;
    return r;
}

/* Takes a connection if there is one; EAGAIN: there is none. */
static int try_accept(int fd, __SOCKADDR_ARG address, socklen_t *size, int options)
{
    struct pollfd poll = {.fd = fd, .events = POLLIN};
    int flags;
    if (hr__plain()->poll(&poll, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    if (!begin_attempt(fd, &flags))
        return hr__plain()->accept4(fd, address, size, options);
    int r = hr__plain()->accept4(fd, address, size, options);
    end_attempt(fd, flags);
    return r;
}

HR_PUBLIC int accept4(int fd, __SOCKADDR_ARG address, socklen_t *size, int options)
{
    if (!hr__patch_on(HR_PATCH_SOCKET) || !hr__patch_blocks(fd))
        return hr__plain()->accept4(fd, address, size, options);
    struct hr__patch_patience patience = {.fd = fd, .option = SO_RCVTIMEO, .events = POLLIN};
    int r, before = errno;
    do {
        r = try_accept(fd, address, size, options);
    } while (r < 0 && errno == EAGAIN && hr__patch_be_patient(&patience));
    int saved = r < 0 ? errno : before;
    hr__patch_limit_stop(&patience.limit);
    errno = saved;
    return r;
}

HR_PUBLIC int accept(int fd, __SOCKADDR_ARG address, socklen_t *size)
{
    return accept4(fd, address, size, 0);
}
