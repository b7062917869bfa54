/* SPDX-License-Identifier: MIT */
/*
 * A small file read whole, with a bound.
 *
 * It reads to the end instead of trusting the size, so that pipes and files that grow are bounded
 * alike. Every buffer is wiped, since the file may be a credential.
 */
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FIRST_ROOM 4096

static void fd_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

int hr__conf_read_file(struct hr_conf_mem *mem, const char *path, size_t max, char **ret,
                       size_t *ret_len)
{
    hr_auto(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t room = FIRST_ROOM, len = 0;
    char *text = hr_conf_alloc(mem, room);
    while (text) {
        ssize_t n = read(fd, text + len, room - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        len += (size_t)n;
        if (len > max)
            return -EFBIG;
        if (n == 0) {
            *ret = text; /* there is room for the NUL: a full buffer was enlarged */
            *ret_len = len;
            return 0;
        }
        if (len == room) {
            char *larger = hr_conf_alloc(mem, 2 * room);
            if (larger)
                memcpy(larger, text, len);
            text = larger;
            room *= 2;
        }
    }
    return -ENOMEM;
}
