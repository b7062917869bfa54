/* SPDX-License-Identifier: MIT */
/*
 * What crosses the socket between a process pool and a worker: whole frames, by blocking calls.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "core/process_impl.h"

int hr__frame_send(int fd, const void *head, size_t head_size, const void *bytes, size_t size)
{
    struct iovec parts[2] = {
        {.iov_base = (void *)head,  .iov_len = head_size},
        {.iov_base = (void *)bytes, .iov_len = size     },
    };
    size_t left = head_size + size;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    while (left > 0) {
        ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return errno == ECONNRESET ? -EPIPE : -errno;
        }
        left -= (size_t)n;
        for (int i = 0; i < 2; i++) { /* what has gone is cut off at the front */
            size_t cut = (size_t)n < parts[i].iov_len ? (size_t)n : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + cut;
            parts[i].iov_len -= cut;
            n -= (ssize_t)cut;
        }
    }
    return 0;
}

int hr__frame_receive(int fd, void *bytes, size_t size)
{
    char *next = bytes;
    while (size > 0) {
        ssize_t n = recv(fd, next, size, MSG_WAITALL);
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return -EPIPE;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            next += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

int hr__frame_skip(int fd, size_t size)
{
    char dropped[4096];
    int r = 0;
    while (size > 0 && r == 0) {
        size_t n = size < sizeof(dropped) ? size : sizeof(dropped);
        r = hr__frame_receive(fd, dropped, n);
        size -= n;
    }
    return r;
}

/* FNV-1a over the names. */
uint32_t hr__process_functions_mark(void)
{
    uint32_t mark = UINT32_C(2166136261);
    for (const struct hr_process_function *f = hr__process_functions; f->name; f++) {
        for (const char *c = f->name;; c++) {
            mark = (mark ^ (unsigned char)*c) * UINT32_C(16777619);
            if (!*c)
                break;
        }
    }
    return mark;
}
