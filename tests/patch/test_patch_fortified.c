/* SPDX-License-Identifier: MIT */
/*
 * The names under which libraries built with _FORTIFY_SOURCE call.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/hrtest.h"

ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room);
ssize_t __recv_chk(int fd, void *bytes, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *bytes, size_t size, size_t room, int flags,
                       struct sockaddr *from, socklen_t *from_size);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t room);

static int ends[2];

/* Each with room for one less than asked for, or for all of it. */
static ssize_t call(int which, size_t missing)
{
    char bytes[2];
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    const struct timespec moment = {0, 1000000};
    size_t room = sizeof(bytes) - missing, fds_room = sizeof(fd) - missing;
    switch (which) {
    case 0:
        return __read_chk(ends[0], bytes, sizeof(bytes), room);
    case 1:
        return __recv_chk(ends[0], bytes, sizeof(bytes), room, 0);
    case 2:
        return __recvfrom_chk(ends[0], bytes, sizeof(bytes), room, 0, NULL, NULL);
    case 3:
        return __poll_chk(&fd, 1, 1, fds_room);
    default:
        return __ppoll_chk(&fd, 1, &moment, NULL, fds_room);
    }
}

enum { CALLS = 5 };

static void open_ends(void)
{
    const struct timeval limit = {0, 1000};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ASSERT_EQ(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
}

static void close_ends(void)
{
    close(ends[0]);
    close(ends[1]);
}

/* The virtual clock shows who waited: a plain call would not move it. */
TEST(s19_1_what_fortified_libraries_call_suspends_the_task)
{
    open_ends();
    for (int which = 0; which < CALLS; which++) {
        hr_usec before = test_clock_now();
        ASSERT_TRUE(call(which, 0) <= 0); /* nothing came */
        ASSERT_TRUE(test_clock_now() > before);
    }
    ASSERT_EQ(write(ends[1], "abcd", 4), 4);
    ASSERT_EQ(call(0, 0), 2);
    ASSERT_EQ(call(1, 0), 2);
    close_ends();
}

TEST_PLAIN(s19_4_a_call_that_would_overrun_its_buffer_ends_the_program)
{
    open_ends();
    for (int which = 0; which < CALLS; which++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
            signal(SIGABRT, SIG_DFL);
            close(STDERR_FILENO);
            call(which, 1);
            _exit(0);
        }
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status));
        ASSERT_EQ(WTERMSIG(status), SIGABRT);
    }
    close_ends();
}
