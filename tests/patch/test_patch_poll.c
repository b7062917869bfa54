/* SPDX-License-Identifier: MIT */
/*
 * Patched calls that look at many descriptors.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/loop.h"
#include "core/task.h"
#include "tests/support/hrtest.h"

enum { PAIRS = 3 };
static int near[PAIRS], far[PAIRS];

static void open_pairs(void)
{
    for (int i = 0; i < PAIRS; i++) {
        int ends[2];
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        near[i] = ends[0];
        far[i] = ends[1];
    }
}

static void close_pairs(void)
{
    for (int i = 0; i < PAIRS; i++) {
        close(near[i]);
        if (far[i] >= 0)
            close(far[i]);
    }
}

static void say(void *place)
{
    ASSERT_EQ(write(far[(intptr_t)place], "x", 1), 1);
}

static void hang_up(void *place)
{
    close(far[(intptr_t)place]);
    far[(intptr_t)place] = -1;
}

static void close_near(void *place)
{
    close(near[(intptr_t)place]);
}

TEST_REAL(s19_1_poll_waits_for_the_first_of_several)
{
    open_pairs();
    struct pollfd fds[] = {
        {.fd = near[0], .events = POLLIN },
        {.fd = -1,      .events = POLLIN },
        {.fd = near[1], .events = POLLIN },
        {.fd = near[1], .events = POLLPRI}, /* one may be there twice */
        {.fd = near[2], .events = 0      },
    };
    ASSERT_TRUE(hr_call_later(hr_ms(1), say, (void *)1));
    ASSERT_EQ(poll(fds, HR_ARRAY_LEN(fds), -1), 1);
    ASSERT_EQ(fds[0].revents, 0);
    ASSERT_EQ(fds[2].revents, POLLIN);

    fds[2].events = 0;
    ASSERT_TRUE(hr_call_later(hr_ms(1), hang_up, (void *)2));
    ASSERT_EQ(poll(fds, HR_ARRAY_LEN(fds), 10000), 1);
    ASSERT_EQ(fds[4].revents, POLLHUP);
    close_pairs();
}

TEST_REAL(poll_of_one_sees_exactly_what_it_asked_for)
{
    open_pairs();
    struct pollfd fd = {.fd = near[0], .events = POLLRDHUP};
    say(0);
    ASSERT_TRUE(hr_call_later(hr_ms(1), hang_up, 0));
    ASSERT_EQ(poll(&fd, 1, -1), 1);
    ASSERT_TRUE(fd.revents & POLLRDHUP);
    fd = (struct pollfd){.fd = near[1], .events = POLLOUT};
    ASSERT_EQ(poll(&fd, 1, -1), 1);
    ASSERT_EQ(fd.revents, POLLOUT);
    close_pairs();
}

TEST(s19_4_poll_and_select_keep_their_limits)
{
    open_pairs();
    struct pollfd fd = {.fd = near[0], .events = POLLIN};
    ASSERT_EQ(poll(&fd, 1, 300), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(300));
    ASSERT_EQ(poll(&fd, 1, 0), 0);
    ASSERT_EQ(poll(NULL, 0, 200), 0); /* how some sleep */
    ASSERT_EQ(test_clock_now(), hr_ms(500));
    struct timeval span = {1, 500000};
    ASSERT_EQ(select(0, NULL, NULL, NULL, &span), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(2000));
    ASSERT_EQ(span.tv_sec + span.tv_usec, 0);

    fd_set set;
    FD_ZERO(&set);
    FD_SET(near[0], &set);
    ASSERT_EQ(pselect(near[0] + 1, &set, NULL, NULL, &(struct timespec){1, 0}, NULL), 0);
    ASSERT_FALSE(FD_ISSET(near[0], &set));
    ASSERT_EQ(test_clock_now(), hr_ms(3000));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;
    ASSERT_EQ(epoll_wait(epoll, &event, 1, 1000), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(4000));
    close(epoll);
    close_pairs();
}

TEST_REAL(s19_1_select_waits_for_the_first_of_several)
{
    open_pairs();
    fd_set readable, writable;
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    for (int i = 0; i < PAIRS; i++)
        FD_SET(near[i], &readable);
    struct timeval span = {10, 0};
    ASSERT_TRUE(hr_call_later(hr_ms(1), say, (void *)2));
    ASSERT_EQ(select(far[2] + 1, &readable, &writable, NULL, &span), 1);
    ASSERT_FALSE(FD_ISSET(near[0], &readable));
    ASSERT_TRUE(FD_ISSET(near[2], &readable));
    ASSERT_TRUE(span.tv_sec < 10); /* what is left */

    FD_SET(near[0], &writable);
    ASSERT_EQ(select(far[2] + 1, &readable, &writable, NULL, NULL), 2);
    ASSERT_TRUE(FD_ISSET(near[0], &writable));
    close_pairs();
}

TEST_REAL(s19_1_epoll_wait_waits)
{
    open_pairs();
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = 7};
    ASSERT_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, near[1], &event), 0);
    ASSERT_TRUE(hr_call_later(hr_ms(1), say, (void *)1));
    ASSERT_EQ(epoll_wait(epoll, &event, 1, -1), 1);
    ASSERT_EQ(event.data.fd, 7);
    close(epoll);
    close_pairs();
}

TEST_REAL(s19_8_closing_shows_to_who_polls)
{
    open_pairs();
    struct pollfd fds[] = {
        {.fd = near[0], .events = POLLIN},
        {.fd = near[1], .events = POLLIN},
    };
    ASSERT_TRUE(hr_call_later(hr_ms(1), close_near, (void *)1));
    ASSERT_EQ(poll(fds, 2, -1), 1);
    ASSERT_EQ(fds[1].revents, POLLNVAL);

    fd_set set;
    FD_ZERO(&set);
    FD_SET(near[2], &set);
    ASSERT_TRUE(hr_call_later(hr_ms(1), close_near, (void *)2));
    errno = 0;
    ASSERT_EQ(select(near[2] + 1, &set, NULL, NULL, NULL), -1);
    ASSERT_EQ(errno, EBADF);
    close(near[0]);
    for (int i = 0; i < PAIRS; i++)
        close(far[i]);
}

static volatile sig_atomic_t caught;

static void catch_it(int number)
{
    caught++;
}

static void send_it(void *arg)
{
    raise(SIGUSR1); /* blocked: it stays pending */
    ASSERT_EQ(caught, *(int *)arg);
}

TEST_REAL(a_signal_that_only_the_mask_lets_through_interrupts_ppoll_and_pselect)
{
    sigset_t one, before, open;
    int expected = 0;
    caught = 0;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &one, &before), 0);
    open = before;
    signal(SIGUSR1, catch_it);
    open_pairs();

    struct pollfd fd = {.fd = near[0], .events = POLLIN};
    ASSERT_TRUE(hr_call_later(hr_ms(1), send_it, &expected));
    errno = 0;
    ASSERT_EQ(ppoll(&fd, 1, NULL, &open), -1);
    ASSERT_EQ(errno, EINTR);
    ASSERT_EQ(caught, 1);

    expected = 1;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(near[0], &set);
    ASSERT_TRUE(hr_call_later(hr_ms(1), send_it, &expected));
    errno = 0;
    ASSERT_EQ(pselect(near[0] + 1, &set, NULL, NULL, NULL, &open), -1);
    ASSERT_EQ(errno, EINTR);
    ASSERT_EQ(caught, 2);

    close_pairs();
    signal(SIGUSR1, SIG_DFL);
    ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}
