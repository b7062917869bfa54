/* SPDX-License-Identifier: MIT */
/*
 * A body to a file: every call on the file is a job of a thread, and the file has its name only
 * when it is whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/executor.h"
#include "core/timeout.h"
#include "drivers/http/impl.h"
#include "drivers/missing.h"

#define PIECE ((size_t)256 * 1024)

struct saving {
    const char *path;
    const char *partial; /* where it grows */
    int fd;
    char *bytes;
    size_t size;
};

static int refuse(const struct saving *s, int code)
{
    return hr_fail(code, "%s: %s", s->path, hr_error_text(code));
}

/* A name that no file can have is refused before the body is taken. */
static int begin_file(void *arg, void **ret_value)
{
    struct saving *s = arg;
    struct stat status;
    int r = lstat(s->path, &status);
    if (r < 0 && errno != ENOENT)
        return refuse(s, -errno);
    if (r == 0 && S_ISDIR(status.st_mode))
        return refuse(s, -EISDIR);
    s->fd = open(s->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return s->fd < 0 ? refuse(s, -errno) : 0;
}

static int write_piece(void *arg, void **ret_value)
{
    struct saving *s = arg;
    size_t done = 0;
    while (done < s->size) {
        ssize_t n = write(s->fd, s->bytes + done, s->size - done);
        if (n < 0 && errno != EINTR)
            return refuse(s, -errno);
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int name_file(void *arg, void **ret_value)
{
    struct saving *s = arg;
    int fd = s->fd;
    s->fd = -1;
    if (close(fd) < 0 || rename(s->partial, s->path) < 0) {
        int code = refuse(s, -errno);
        unlink(s->partial);
        return code;
    }
    return 0;
}

static int drop_file(void *arg, void **ret_value)
{
    struct saving *s = arg;
    close(s->fd);
    unlink(s->partial);
    return 0;
}

/* Runs a job to its end: it works on this frame. A cancel comes at the next wait. */
static int in_thread(hr_job_fn *job, struct saving *s)
{
    hr_future *future = hr_run_in_executor(NULL, job, s, NULL);
    if (!future)
        return hr_last_error()->code;
    hr_shield_enter();
    int r = hr_join(future);
    hr_shield_leave();
    return r;
}

static int copy(hr_http_response *response, struct saving *s, uint64_t *size)
{
    for (;;) {
        ssize_t n = hr_http_read(response, s->bytes, PIECE);
        if (n <= 0)
            return (int)n;
        s->size = (size_t)n;
        *size += (uint64_t)n;
        int r = in_thread(write_piece, s);
        if (r < 0)
            return r;
    }
}

static int save(hr_http_response *response, struct saving *s, uint64_t *size)
{
    int r = in_thread(begin_file, s);
    if (r >= 0)
        r = copy(response, s, size);
    if (r >= 0)
        r = in_thread(name_file, s);
    if (r < 0 && s->fd >= 0) {
        struct hr_error why = {0};
        hr_error_copy(&why, hr_last_error());
        if (in_thread(drop_file, s) < 0)
            drop_file(s, NULL);
        hr_error_raise(&why);
        hr_error_done(&why);
    }
    return r;
}

/* "path.0123456789abcdef"; of a name that leaves no room for that, less. */
static char *name_partial(const char *path, uint64_t chance)
{
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash + 1 - path) : 0;
    size_t name = strnlen(path + folder, NAME_MAX - 1 - 2 * sizeof(chance));
    char *partial;
    int n = asprintf(&partial, "%.*s.%016" PRIx64, (int)(folder + name), path, chance);
    return n < 0 ? NULL : partial;
}

int(hr_http_save)(hr_http_response *response, const char *path, uint64_t *ret_size)
{
    hr_auto(hr_freep) char *partial = NULL;
    hr_auto(hr_freep) char *bytes = malloc(PIECE);
    uint64_t size = 0, chance = 0;
    if (!response)
        return hr__missing_object("an HTTP response");
    if (!path || !path[0])
        return hr_fail(-EINVAL, "http: no file is named to save a body in");
    if (getrandom(&chance, sizeof(chance), 0) < 0)
        return hr_fail(-errno, "%s: no random name", path);
    if (bytes)
        partial = name_partial(path, chance);
    if (!partial)
        return hr_fail(-ENOMEM, "no memory to save a body");
    struct saving s = {.path = path, .partial = partial, .fd = -1, .bytes = bytes};
    if (response->room < PIECE && !response->whole)
        response->room = PIECE;
    int r = save(response, &s, &size);
    if (r >= 0 && ret_size)
        *ret_size = size;
    return r < 0 ? r : 0;
}
