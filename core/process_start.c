/* SPDX-License-Identifier: MIT */
/*
 * How a worker of a process pool is started: this program, run anew, with a socket to its parent.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef HR_WITH_VALGRIND
#include <valgrind/valgrind.h>
#endif

#include "core/process_impl.h"

/* Under valgrind /proc/self/exe runs valgrind, but reads as the program. */
static const char *program(char *path, size_t size)
{
#ifdef HR_WITH_VALGRIND
    ssize_t n = RUNNING_ON_VALGRIND ? readlink("/proc/self/exe", path, size - 1) : -1;
    if (n > 0) {
        path[n] = '\0';
        return path;
    }
#endif
    snprintf(path, size, "/proc/self/exe");
    return path;
}

static hr_child *run_program(const char *name, int socket)
{
    char path[4096], option[64];
    snprintf(option, sizeof(option), "%s%d", HR__WORKER_OPTION, (int)getpid());
    struct hr_child_options options = {
        .argv = (const char *const[]){hr__process_program, option, name, NULL},
        .file = program(path, sizeof(path)),
        .streams = {{HR_CHILD_NULL, 0}              },
        .fds = &socket,
        .fd_count = 1,
        .end_group = true,
    };
    return hr_child_spawn(&options);
}

hr_child *hr__process_start(const char *name, int *ret_socket)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        hr_fail(-errno, "no socket for a worker: %s", hr_error_text(-errno));
        return NULL;
    }
    hr_child *child = run_program(name, ends[1]);
    close(ends[1]);
    if (child)
        *ret_socket = ends[0];
    else
        close(ends[0]);
    return child;
}
