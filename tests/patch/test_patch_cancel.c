/* SPDX-License-Identifier: MIT */
/*
 * What a cancel or a limit leaves behind: nothing moved, or what was moved is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/cancel_scope.h"
#include "core/timeout.h"
#include "tests/patch/witness.h"
#include "tests/support/forks.h"
#include "tests/support/starve.h"

static int ends[2];

static void open_ends(void)
{
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static void close_ends(void)
{
    close(ends[0]);
    close(ends[1]);
}

/* Runs a call that waits under a limit of 5 ms, which has to cut it. */
#define ASSERT_CUT(call, result)                                                                   \
    do {                                                                                           \
        struct hr_timeout limit_ = {0};                                                            \
        hr_usec before_ = test_clock_now();                                                        \
        ASSERT_ERR(hr_timeout_enter(&limit_, hr_ms(5)), 0);                                        \
        errno = 0;                                                                                 \
        ASSERT_EQ(call, result);                                                                   \
        ASSERT_EQ(errno, ECANCELED);                                                               \
        ASSERT_ERR(hr_timeout_leave(&limit_, -errno), -ETIMEDOUT);                                 \
        ASSERT_EQ(test_clock_now() - before_, hr_ms(5));                                           \
    } while (0)

TEST(s19_12_a_limit_interrupts_every_call_that_waits)
{
    char byte;
    open_ends();
    struct iovec item = {&byte, 1};
    struct msghdr message = {.msg_iov = &item, .msg_iovlen = 1};
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    ASSERT_CUT(read(ends[0], &byte, 1), -1);
    ASSERT_CUT(readv(ends[0], &item, 1), -1);
    ASSERT_CUT(recv(ends[0], &byte, 1, 0), -1);
    ASSERT_CUT(recvfrom(ends[0], &byte, 1, 0, NULL, NULL), -1);
    ASSERT_CUT(recvmsg(ends[0], &message, 0), -1);
    ASSERT_CUT(poll(&fd, 1, -1), -1);
    ASSERT_CUT(poll(&fd, 1, 1000), -1);
    ASSERT_CUT(ppoll(&fd, 1, NULL, NULL), -1);
    ASSERT_CUT(select(ends[0] + 1, &set, NULL, NULL, NULL), -1);
    ASSERT_CUT(pselect(ends[0] + 1, &set, NULL, NULL, NULL, NULL), -1);
    ASSERT_TRUE(FD_ISSET(ends[0], &set));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;
    ASSERT_CUT(epoll_wait(epoll, &event, 1, -1), -1);
    close(epoll);
    close_ends();
}

/* Nothing more goes in. */
static void fill(int fd)
{
    static const char bytes[65536];
    int flags = fcntl(fd, F_GETFL);
    ASSERT_EQ(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
    for (size_t size = sizeof(bytes); size > 0; size /= 2) {
        while (write(fd, bytes, size) > 0)
            ;
    }
    ASSERT_EQ(fcntl(fd, F_SETFL, flags), 0);
}

TEST(s19_12_a_limit_interrupts_every_call_that_waits_for_room)
{
    char byte = 0;
    struct iovec item = {&byte, 1};
    struct msghdr message = {.msg_iov = &item, .msg_iovlen = 1};
    open_ends();
    fill(ends[1]);
    ASSERT_CUT(write(ends[1], &byte, 1), -1);
    ASSERT_CUT(writev(ends[1], &item, 1), -1);
    ASSERT_CUT(send(ends[1], &byte, 1, 0), -1);
    ASSERT_CUT(sendto(ends[1], &byte, 1, 0, NULL, 0), -1);
    ASSERT_CUT(sendmsg(ends[1], &message, 0), -1);
    close_ends();
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    fill(ends[1]);
    ASSERT_CUT(write(ends[1], &byte, 1), -1);
    ASSERT_CUT(writev(ends[1], &item, 1), -1);
    close_ends();
}

/* A listener takes one connection of which nobody hears, and others wait to be connected. */
TEST(s19_12_a_limit_interrupts_accept_and_connect)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *plain = (struct sockaddr *)&address;
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(bind(listener, plain, size), 0);
    ASSERT_EQ(getsockname(listener, plain, &size), 0);
    ASSERT_EQ(listen(listener, 0), 0);
    ASSERT_CUT(accept(listener, NULL, NULL), -1);
    ASSERT_CUT(accept4(listener, NULL, NULL, SOCK_CLOEXEC), -1);

    int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int waits = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(taken, plain, size), 0);
    ASSERT_CUT(connect(waits, plain, size), -1);
    close(taken);
    close(waits);
    close(listener);
}

TEST(s19_13_a_cancelled_receive_has_taken_nothing)
{
    char text[8] = "";
    open_ends();
    ASSERT_CUT(recv(ends[0], text, 4, MSG_WAITALL), -1);
    ASSERT_EQ(write(ends[1], "abcd", 4), 4);
    ASSERT_EQ(read(ends[0], text, 8), 4);
    ASSERT_STR(text, "abcd");
    close_ends();
}

/* What was moved before the cancel came is told instead of it. */
static ssize_t moved_under_limit(ssize_t (*call)(void))
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(5)), 0);
    ssize_t n = call();
    ASSERT_EQ(test_clock_now(), hr_ms(5));
    ASSERT_TRUE(hr_timeout_expired(&limit));
    ASSERT_ERR(hr_timeout_leave(&limit, 0), 0);
    return n;
}

static char much[1 << 20];

static ssize_t receive_eight(void)
{
    return recv(ends[0], much, 8, MSG_WAITALL);
}

static ssize_t send_much(void)
{
    return send(ends[1], much, sizeof(much), 0);
}

static ssize_t write_much(void)
{
    return write(ends[1], much, sizeof(much));
}

TEST(s19_13_a_cancelled_call_says_what_it_has_received)
{
    open_ends();
    ASSERT_EQ(write(ends[1], "abcd", 4), 4);
    ASSERT_EQ(moved_under_limit(receive_eight), 4);
    close_ends();
}

TEST(s19_13_a_cancelled_call_says_what_it_has_sent)
{
    open_ends();
    ssize_t sent = moved_under_limit(send_much);
    ASSERT_TRUE(sent > 0 && sent < (ssize_t)sizeof(much));
    ASSERT_EQ(recv(ends[0], much, sizeof(much), MSG_DONTWAIT), sent);
    close_ends();
}

TEST(s19_13_a_cancelled_call_says_what_it_has_written_to_a_pipe)
{
    ASSERT_EQ(pipe(ends), 0);
    ssize_t written = moved_under_limit(write_much);
    ASSERT_TRUE(written > 0 && written < (ssize_t)sizeof(much));
    ASSERT_EQ(read(ends[0], much, sizeof(much)), written);
    close_ends();
}

/* Libraries try EINTR again for ever; that must end, in a scope that stays cancelled as well. */
TEST(a_library_that_tries_again_when_interrupted_does_not_spin)
{
    char byte;
    int tries = 0;
    ssize_t n;
    open_ends();
    struct hr_cancel_scope scope = {0};
    ASSERT_ERR(hr_cancel_scope_enter(&scope, hr_ms(5)), 0);
    do {
        n = read(ends[0], &byte, 1);
    } while (n < 0 && errno == EINTR && ++tries < 10);
    ASSERT_EQ(tries, 0);
    ASSERT_EQ(read(ends[0], &byte, 1), -1);
    ASSERT_EQ(errno, ECANCELED);
    ASSERT_ERR(hr_cancel_scope_leave(&scope, -ECANCELED), 0);
    close_ends();
}

/* Cleanup may wait, with the limits that the calls bring along. */
TEST(a_timeout_of_a_call_passes_in_a_shielded_scope_too)
{
    open_ends();
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    hr_task_cancel(hr_current_task(), NULL);
    hr_shield_enter();
    ASSERT_EQ(poll(&fd, 1, 20), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(20));
    hr_shield_leave();
    ASSERT_EQ(poll(&fd, 1, 20), -1);
    ASSERT_EQ(errno, ECANCELED);
    hr_task_uncancel(hr_current_task());
    close_ends();
}

static int looks_up(void *arg)
{
    struct addrinfo *found;
    int r = getaddrinfo(WITNESS_SLOW_NAME, "80", NULL, &found);
    return r == EAI_SYSTEM ? -errno : -EIO;
}

TEST_REAL(s19_12_a_limit_interrupts_a_lookup)
{
    ASSERT_ERR(hr_wait_for(hr_create_task(NULL, looks_up, NULL), hr_ms(5)), -ETIMEDOUT);
    witness_answer();
}

/* Reads, polls and selects until the limits that they bring have passed; 0, or -ENOMEM. */
static int wait_in_every_way(void)
{
    char byte;
    struct pollfd fds[] = {
        {.fd = ends[0], .events = POLLIN},
        {.fd = ends[1], .events = POLLIN},
    };
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    errno = 0;
    bool fine = recv(ends[0], &byte, 1, 0) == -1 && errno == EAGAIN && poll(fds, 2, 5) == 0 &&
                select(ends[0] + 1, &set, NULL, NULL, &(struct timeval){0, 5}) == 0 &&
                write(ends[1], "a", 1) == 1 && read(ends[0], &byte, 1) == 1;
    return fine ? 0 : -errno;
}

TEST(without_memory_a_call_fails_and_leaves_nothing_behind)
{
    open_ends();
    const struct timeval limit = {0, 1000};
    ASSERT_EQ(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    long failed = 0;
    for (bool starved = true; starved; failed++) {
        starve_after(failed + 1, true);
        int r = wait_in_every_way();
        starved = starve_end();
        ASSERT_ERR(r, starved ? -ENOMEM : 0);
    }
    ASSERT_TRUE(failed > 5);
    close_ends();
}

#ifndef FORKS_CONFUSE_THE_SANITIZER

static int read_one(void *arg)
{
    char byte;
    return read(ends[0], &byte, 1) == 1 ? 1 : -errno;
}

TEST_REAL(l3_a_child_that_ends_its_copy_of_a_patched_wait_leaves_its_parents_alone)
{
    open_ends();
    hr_task *reader = hr_create_task("reader", read_one, NULL);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    for (int pass = 0; pass < 1000; pass++)
        ASSERT_ERR(hr_sleep(0), 0); /* the next few are run without a look */
    pid_t child = begin_child();
    if (child == 0) {
        hr_task_cancel(reader, NULL);
        OR_DIE(hr_join(reader) < 0);
        _exit(FINE);
    }
    expect_fine(child);
    ASSERT_EQ(write(ends[1], "x", 1), 1);
    ASSERT_ERR(hr_join(reader), 1);
    close_ends();
}

static int sleep_a_while(void *arg)
{
    return usleep(20000);
}

static int sleep_side_by_side(void *ticks)
{
    hr_task *sleeper = hr_create_task("sleeper", sleep_a_while, NULL);
    while (!hr_future_done(sleeper)) {
        OR_DIE(hr_sleep(hr_ms(1)) == 0);
        ++*(int *)ticks;
    }
    return hr_join(sleeper);
}

static int fork_a_child(void *is_child)
{
    *(pid_t *)is_child = begin_child();
    return 0;
}

/* A later loop mostly gets the address of the one before. */
TEST_PLAIN(l3_a_child_that_runs_loops_of_its_own_is_patched_again)
{
    pid_t child = -1;
    ASSERT_ERR(hr_run(fork_a_child, &child), 0);
    if (child == 0) {
        for (int i = 0; i < 3; i++) {
            int ticks = 0;
            OR_DIE(hr_run(sleep_side_by_side, &ticks) == 0 && ticks > 2);
        }
        _exit(FINE);
    }
    expect_fine(child);
}

#endif
