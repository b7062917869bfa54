/* SPDX-License-Identifier: MIT */
/*
 * read and write: of sockets, pipes, devices, files.
 *
 * Nothing here touches O_NONBLOCK, which others would see. Sockets take a flag for the call, and
 * are tried first: what is none says so. Pipes do since Linux 6.5 (RWF_NOWAIT); before, and for
 * devices, poll() is asked first, and a pipe is written in pieces that have room when poll() says
 * so. Files go to the pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "core/patch/connect.h"
#include "core/patch/patch_impl.h"
#include "core/patch/plain.h"
#include "core/patch/pool.h"
#include "core/patch/socket.h"
#include "core/patch/vector.h"
#include "core/patch/wait.h"

/* What a descriptor is that is no socket, as far as it matters for not blocking. */
enum kind {
    PLAIN,  /* does not block, or is not open: the plain call says it all */
    PIPE,   /* RWF_NOWAIT works on newer kernels */
    DEVICE, /* a terminal, an eventfd …: poll(), and hope that nobody comes between */
    DISK,   /* cannot be polled */
};

typedef ssize_t vector_call(int fd, const struct iovec *items, int count);

/* refusing: with which access mode it is not open for the call. What poll() is asked first would
 * never be ready for that. */
static enum kind kind_of(int fd, int refusing)
{
    struct stat status;
    int saved = errno;
    bool waits = hr__patch_blocks(fd) && (fcntl(fd, F_GETFL) & O_ACCMODE) != refusing &&
                 fstat(fd, &status) == 0;
    errno = saved;
    if (!waits)
        return PLAIN;
    switch (status.st_mode & S_IFMT) {
    case S_IFIFO:
        return PIPE;
    case S_IFREG:
    case S_IFBLK:
        return DISK;
    case S_IFDIR:
    case S_IFLNK:
        return PLAIN;
    default:
        return DEVICE;
    }
}

/* Whether poll() sees the events, or an error that the call will tell. */
static bool is_ready(int fd, short events)
{
    struct pollfd poll = {.fd = fd, .events = events};
    return hr__plain()->poll(&poll, 1, 0) != 0;
}

static bool wait_until_ready(int fd, short events)
{
    struct hr__patch_limit none = {0};
    struct pollfd poll = {.fd = fd, .events = events};
    return hr__patch_wait(&poll, 1, &none) > 0;
}

/* The kernel does not know RWF_NOWAIT for this descriptor. */
static bool unknown(ssize_t n)
{
    return n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL);
}

static ssize_t try_read(int fd, enum kind kind, const struct iovec *items, int count)
{
    if (kind == PIPE) {
        ssize_t n = preadv2(fd, items, count, -1, RWF_NOWAIT);
        if (!unknown(n))
            return n;
    }
    if (is_ready(fd, POLLIN))
        return hr__plain()->readv(fd, items, count);
    errno = EAGAIN;
    return -1;
}

static ssize_t read_waiting(int fd, enum kind kind, const struct iovec *items, int count)
{
    for (;;) {
        ssize_t n = try_read(fd, kind, items, count);
        if (n >= 0 || errno != EAGAIN || !wait_until_ready(fd, POLLIN))
            return n;
    }
}

static ssize_t try_write(int fd, enum kind kind, const struct hr__patch_vector *left)
{
    if (kind == PIPE) {
        ssize_t n = pwritev2(fd, left->items, (int)left->count, -1, RWF_NOWAIT);
        if (!unknown(n))
            return n;
    }
    if (!is_ready(fd, POLLOUT)) {
        errno = EAGAIN;
        return -1;
    }
    if (kind == DEVICE || left->bytes <= PIPE_BUF)
        return hr__plain()->writev(fd, left->items, (int)left->count);
    const struct iovec *first = left->items;
    return hr__plain()->write(fd, first->iov_base,
                              first->iov_len < PIPE_BUF ? first->iov_len : PIPE_BUF);
}

static ssize_t write_waiting(int fd, enum kind kind, struct hr__patch_vector *left)
{
    ssize_t written = 0;
    for (;;) {
        ssize_t n = try_write(fd, kind, left);
        if (n >= 0) {
            written += n;
            hr__patch_vector_advance(left, (size_t)n);
            if (left->bytes == 0 || kind == DEVICE)
                return written;
        } else if (errno != EAGAIN || !wait_until_ready(fd, POLLOUT)) {
            return written > 0 ? written : -1;
        }
    }
}

struct file_call {
    vector_call *call;
    int fd, count;
    const struct iovec *items;
    ssize_t result;
    int error;
};

static void call_file(void *arg)
{
    struct file_call *file = arg;
    file->result = file->call(file->fd, file->items, file->count);
    file->error = errno;
}

static ssize_t in_pool(vector_call *call, int fd, const struct iovec *items, int count)
{
    struct file_call file = {.call = call, .fd = fd, .items = items, .count = count};
    hr__patch_in_pool(call_file, &file);
    if (file.result < 0)
        errno = file.error;
    return file.result;
}

/* Whether calls on that kind of descriptor shall suspend. */
static bool wanted(enum kind kind)
{
    return kind != PLAIN && hr__patch_on(kind == DISK ? HR_PATCH_FILE : HR_PATCH_STREAM);
}

static ssize_t read_any(int fd, const struct iovec *items, int count)
{
    if (hr__patch_on(HR_PATCH_STREAM)) {
        struct msghdr message = {.msg_iov = (struct iovec *)items, .msg_iovlen = (size_t)count};
        ssize_t n = hr__patch_recvmsg(fd, &message, 0);
        if (n >= 0 || errno != ENOTSOCK)
            return n;
    }
    enum kind kind = kind_of(fd, O_WRONLY);
    if (!wanted(kind))
        return hr__plain()->readv(fd, items, count);
    return kind == DISK ? in_pool(hr__plain()->readv, fd, items, count)
                        : read_waiting(fd, kind, items, count);
}

static ssize_t write_any(int fd, const struct iovec *items, int count)
{
    if (hr__patch_on(HR_PATCH_STREAM)) {
        struct msghdr message = {.msg_iov = (struct iovec *)items, .msg_iovlen = (size_t)count};
        ssize_t n = hr__patch_sendmsg(fd, &message, 0);
        if (n >= 0 || errno != ENOTSOCK)
            return n;
    }
    enum kind kind = kind_of(fd, O_RDONLY);
    if (!wanted(kind))
        return hr__plain()->writev(fd, items, count);
    if (kind == DISK)
        return in_pool(hr__plain()->writev, fd, items, count);
    struct hr__patch_vector left;
    if (!hr__patch_vector_init(&left, items, (size_t)count))
        return -1;
    ssize_t n = write_waiting(fd, kind, &left);
    hr__patch_vector_done(&left);
    return n;
}

/* A call that succeeds leaves errno alone, whatever was tried. */
static ssize_t do_read(int fd, const struct iovec *items, int count)
{
    int before = errno;
    ssize_t n = read_any(fd, items, count);
    if (n >= 0)
        errno = before;
    return n;
}

static ssize_t do_write(int fd, const struct iovec *items, int count)
{
    int before = errno;
    ssize_t n = write_any(fd, items, count);
    if (n >= 0)
        errno = before;
    return n;
}

/* Whether a task makes the call: then it is worth looking at the descriptor. */
static bool may_suspend(void)
{
    return hr__patch_on(HR_PATCH_STREAM) || hr__patch_on(HR_PATCH_FILE);
}

HR_PUBLIC ssize_t read(int fd, void *bytes, size_t size)
{
    if (size == 0 || size > SSIZE_MAX || !may_suspend())
        return hr__plain()->read(fd, bytes, size);
    return do_read(fd, &(struct iovec){bytes, size}, 1);
}

HR_PUBLIC ssize_t write(int fd, const void *bytes, size_t size)
{
    if (size == 0 || size > SSIZE_MAX || !may_suspend())
        return hr__plain()->write(fd, bytes, size);
    return do_write(fd, &(struct iovec){(void *)bytes, size}, 1);
}

/* A vector that the plain call would not refuse, and that moves something. */
static bool sound(const struct iovec *items, int count)
{
    size_t bytes = 0;
    if (count < 0 || count > IOV_MAX)
        return false;
    for (int i = 0; i < count; i++) {
        if (__builtin_add_overflow(bytes, items[i].iov_len, &bytes) || bytes > SSIZE_MAX)
            return false;
    }
    return bytes > 0;
}

HR_PUBLIC ssize_t readv(int fd, const struct iovec *items, int count)
{
    if (!may_suspend() || !sound(items, count))
        return hr__plain()->readv(fd, items, count);
    return do_read(fd, items, count);
}

HR_PUBLIC ssize_t writev(int fd, const struct iovec *items, int count)
{
    if (!may_suspend() || !sound(items, count))
        return hr__plain()->writev(fd, items, count);
    return do_write(fd, items, count);
}
