/* SPDX-License-Identifier: MIT */
/*
 * How the end of a process is learnt without SIGCHLD: by a pidfd. Where the kernel has none, or a
 * sandbox or valgrind does not know it, a thread waits for that process, leaves it to be reaped,
 * and hangs up a pipe, so that everybody else sees a descriptor in both cases.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/child_impl.h"
#include "core/clock.h"
#include "core/thread.h"

bool hr__child_without_pidfd;

static int open_pidfd(pid_t pid)
{
    if (hr__child_without_pidfd)
        return -ENOSYS;
    long fd = syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
    return fd < 0 ? -errno : (int)fd;
}

struct watcher {
    pid_t pid;
    int fd;
};

static void *watch(void *arg)
{
    struct watcher watcher = *(struct watcher *)arg;
    siginfo_t info;
    free(arg);
    while (waitid(P_PID, (id_t)watcher.pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
    close(watcher.fd);
    return NULL;
}

static int open_thread(struct hr__child_end *end)
{
    int ends[2];
    struct watcher *watcher = malloc(sizeof(*watcher));
    if (!watcher)
        return -ENOMEM;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        int code = -errno;
        free(watcher);
        return code;
    }
    *watcher = (struct watcher){.pid = end->pid, .fd = ends[1]};
    int r = hr__thread_start(&end->thread, watch, watcher);
    if (r < 0) {
        close(ends[0]);
        close(ends[1]);
        free(watcher);
        return r;
    }
    end->by_thread = true;
    end->fd = ends[0];
    return 0;
}

int hr__child_end_open(struct hr__child_end *end, pid_t pid)
{
    *end = (struct hr__child_end){.pid = pid, .fd = -1};
    int fd = open_pidfd(pid);
    if (fd >= 0) {
        end->fd = fd;
        return 0;
    }
    if (fd == -ESRCH)
        return -ECHILD;
    return fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM ? fd : open_thread(end);
}

void hr__child_end_close(struct hr__child_end *end)
{
    if (end->fd < 0)
        return;
    close(end->fd);
    end->fd = -1;
    if (end->by_thread) /* it has hung up, or is about to */
        pthread_join(end->thread, NULL);
}

void hr__child_end_leave(struct hr__child_end *end)
{
    end->by_thread = false;
    hr__child_end_close(end);
}

bool hr__child_end_poll(const struct hr__child_end *end, hr_usec limit)
{
    struct hr_clock *clock = hr_clock_monotonic();
    hr_usec until = limit == HR_FOREVER ? HR_FOREVER : hr_later(clock->now(clock), limit);
    struct pollfd watched = {.fd = end->fd, .events = POLLIN};
    for (;;) {
        hr_usec left = until == HR_FOREVER ? HR_FOREVER : until - clock->now(clock);
        int ms = left <= 0 ? 0 : left > hr_seconds(60) ? 60000 : (int)((left + 999) / 1000);
        int r = poll(&watched, 1, ms);
        if (r > 0)
            return true;
        if (left <= 0)
            return false;
    }
}

static void translate(const siginfo_t *info, struct hr_child_exit *ret)
{
    bool exited = info->si_code == CLD_EXITED;
    *ret = (struct hr_child_exit){
        .status = exited ? info->si_status & 255 : -1,
        .signal = exited ? 0 : info->si_status,
        .core = info->si_code == CLD_DUMPED,
    };
}

int hr__child_end_reap(struct hr__child_end *end, struct hr_child_exit *ret)
{
    siginfo_t info = {0};
    int r;
    do {
        r = end->by_thread ? waitid(P_PID, (id_t)end->pid, &info, WEXITED | WNOHANG)
                           : waitid(P_PIDFD, (id_t)end->fd, &info, WEXITED | WNOHANG);
    } while (r < 0 && errno == EINTR);
    if (r < 0)
        return -ECHILD;
    if (info.si_pid == 0)
        return -EAGAIN;
    translate(&info, ret);
    return 0;
}

int hr__child_end_signal(const struct hr__child_end *end, int signal)
{
    long r = end->by_thread ? kill(end->pid, signal)
                            : syscall(SYS_pidfd_send_signal, end->fd, signal, NULL, 0);
    return r < 0 ? -errno : 0;
}
