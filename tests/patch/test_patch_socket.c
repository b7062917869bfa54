/* SPDX-License-Identifier: MIT */
/*
 * Patched calls that only sockets have.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/loop.h"
#include "core/task.h"
#include "tests/support/hrtest.h"

static int listener;
static struct sockaddr_in address;

static void open_listener(void)
{
    socklen_t size = sizeof(address);
    address = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_TRUE(listener >= 0);
    ASSERT_EQ(bind(listener, (struct sockaddr *)&address, size), 0);
    ASSERT_EQ(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    ASSERT_EQ(listen(listener, 10), 0);
}

/* Takes one connection and says back in capitals what comes, until the end. */
static int serve(void *arg)
{
    struct sockaddr_in peer;
    socklen_t size = sizeof(peer);
    char text[16];
    ssize_t n;
    int fd = accept(listener, (struct sockaddr *)&peer, &size);
    ASSERT_TRUE(fd >= 0);
    ASSERT_EQ(size, sizeof(peer));
    ASSERT_FALSE(fcntl(fd, F_GETFL) & O_NONBLOCK);
    while ((n = recv(fd, text, sizeof(text), 0)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            text[i] = (char)(text[i] - 'a' + 'A');
        ASSERT_EQ(send(fd, text, (size_t)n, 0), n);
    }
    ASSERT_EQ(n, 0);
    close(fd);
    return 0;
}

TEST_REAL(s19_1_a_client_and_its_server_share_a_thread)
{
    char text[8] = "";
    open_listener();
    int flags = fcntl(listener, F_GETFL);
    hr_task *server = hr_create_task("server", serve, NULL);
    test_passes(1); /* it waits in accept() */
    ASSERT_EQ(fcntl(listener, F_GETFL), flags);

    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    flags = fcntl(fd, F_GETFL);
    ASSERT_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ASSERT_EQ(fcntl(fd, F_GETFL), flags);
    ASSERT_EQ(send(fd, "abcdef", 6, 0), 6);
    ASSERT_EQ(recv(fd, text, 6, MSG_WAITALL), 6);
    ASSERT_STR(text, "ABCDEF");
    shutdown(fd, SHUT_WR);
    ASSERT_EQ(recv(fd, text, 6, 0), 0);
    ASSERT_ERR(hr_join(server), 0);
    close(fd);
    close(listener);
}

TEST_REAL(s19_4_a_connection_that_is_refused_says_so)
{
    open_listener();
    close(listener);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    errno = 0;
    ASSERT_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
    ASSERT_EQ(errno, ECONNREFUSED);
    close(fd);
}

static void limit_to(int fd, int option, int ms)
{
    struct timeval limit = {0, ms * 1000};
    ASSERT_EQ(setsockopt(fd, SOL_SOCKET, option, &limit, sizeof(limit)), 0);
}

/* The virtual clock shows who waited: a plain call would not move it. */
TEST(s19_4_timeouts_of_sockets_are_honoured)
{
    int ends[2];
    char bytes[4096] = {0};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    limit_to(ends[0], SO_RCVTIMEO, 500);
    limit_to(ends[0], SO_SNDTIMEO, 250);
    errno = 0;
    ASSERT_EQ(recv(ends[0], bytes, 1, 0), -1);
    ASSERT_EQ(errno, EAGAIN);
    ASSERT_EQ(test_clock_now(), hr_ms(500));
    errno = 0;
    ASSERT_EQ(read(ends[0], bytes, 1), -1);
    ASSERT_EQ(errno, EAGAIN);
    ASSERT_EQ(test_clock_now(), hr_ms(1000));

    ssize_t n = 1;
    for (int i = 0; i < 1000 && n > 0; i++)
        n = send(ends[0], bytes, sizeof(bytes), 0);
    ASSERT_EQ(n, -1);
    ASSERT_EQ(errno, EAGAIN);
    ASSERT_TRUE(test_clock_now() >= hr_ms(1250));
    close(ends[0]);
    close(ends[1]);

    open_listener();
    limit_to(listener, SO_RCVTIMEO, 100);
    hr_usec before = test_clock_now();
    ASSERT_EQ(accept4(listener, NULL, NULL, SOCK_CLOEXEC), -1);
    ASSERT_EQ(errno, EAGAIN);
    ASSERT_EQ(test_clock_now() - before, hr_ms(100));
    close(listener);
}

static int client, flags_seen;

static void look_at_flags(void *arg)
{
    flags_seen = fcntl(client, F_GETFL);
}

static int accepts(void *arg)
{
    return accept(listener, NULL, NULL) < 0 ? -errno : 0;
}

static int connects(void *arg)
{
    return connect(client, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

TEST_REAL(s19_8_closing_wakes_who_accepts_and_who_connects)
{
    open_listener();
    ASSERT_EQ(listen(listener, 0), 0);
    hr_task *server = hr_create_task("server", accepts, NULL);
    test_passes(1);
    int first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int there = dup(listener); /* the port stays */
    close(listener);
    ASSERT_ERR(hr_join(server), -EBADF);

    ASSERT_EQ(connect(first, (struct sockaddr *)&address, sizeof(address)), 0);
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    hr_task *late = hr_create_task("late", connects, NULL); /* nobody takes the first */
    test_passes(1);
    close(client);
    ASSERT_ERR(hr_join(late), -EBADF);
    close(first);
    close(there);
}

/* The first connection fills the listener, and nobody takes it. */
TEST(s19_4_s19_6_a_connect_that_waits_keeps_its_limit_and_its_flags)
{
    open_listener();
    ASSERT_EQ(listen(listener, 0), 0);
    int first = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(first, (struct sockaddr *)&address, sizeof(address)), 0);

    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int flags = fcntl(client, F_GETFL);
    limit_to(client, SO_SNDTIMEO, 100);
    hr_usec before = test_clock_now();
    flags_seen = -1;
    ASSERT_TRUE(hr_call_later(hr_ms(50), look_at_flags, NULL));
    errno = 0;
    ASSERT_EQ(connect(client, (struct sockaddr *)&address, sizeof(address)), -1);
    ASSERT_EQ(errno, EINPROGRESS);
    ASSERT_EQ(test_clock_now() - before, hr_ms(100));
    ASSERT_EQ(flags_seen, flags);
    ASSERT_EQ(fcntl(client, F_GETFL), flags);
    close(client);
    close(first);
    close(listener);
}

#define ASSERT_REFUSED(call, error)                                                                \
    do {                                                                                           \
        errno = 0;                                                                                 \
        ASSERT_EQ(call, -1);                                                                       \
        ASSERT_EQ(errno, error);                                                                   \
    } while (0)

TEST(s19_4_a_socket_that_does_not_block_refuses_at_once)
{
    int ends[2];
    char bytes[4096] = {0};
    struct iovec item = {bytes, sizeof(bytes)};
    struct msghdr message = {.msg_iov = &item, .msg_iovlen = 1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    ASSERT_REFUSED(recv(ends[0], bytes, 1, 0), EAGAIN);
    ASSERT_REFUSED(recv(ends[0], bytes, 1, MSG_WAITALL), EAGAIN);
    ASSERT_REFUSED(recvfrom(ends[0], bytes, 1, 0, NULL, NULL), EAGAIN);
    ASSERT_REFUSED(recvmsg(ends[0], &message, 0), EAGAIN);
    while (send(ends[0], bytes, sizeof(bytes), 0) > 0)
        ;
    ASSERT_REFUSED(send(ends[0], bytes, sizeof(bytes), 0), EAGAIN);
    ASSERT_REFUSED(sendto(ends[0], bytes, sizeof(bytes), 0, NULL, 0), EAGAIN);
    ASSERT_REFUSED(sendmsg(ends[0], &message, 0), EAGAIN);
    ASSERT_REFUSED(write(ends[0], bytes, sizeof(bytes)), EAGAIN);
    ASSERT_REFUSED(writev(ends[0], &item, 1), EAGAIN);
    close(ends[0]);
    close(ends[1]);

    open_listener();
    ASSERT_EQ(listen(listener, 0), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ASSERT_REFUSED(connect(client, (struct sockaddr *)&address, sizeof(address)), EINPROGRESS);
    ASSERT_REFUSED(connect(client, (struct sockaddr *)&address, sizeof(address)), EALREADY);
    close(client);
    close(fd);
    ASSERT_EQ(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
    close(accept(listener, NULL, NULL));
    ASSERT_REFUSED(accept(listener, NULL, NULL), EAGAIN);
    ASSERT_REFUSED(accept4(listener, NULL, NULL, 0), EAGAIN);
    close(listener);
    ASSERT_EQ(test_clock_now(), 0);
}

TEST(s19_4_a_receive_or_send_in_part_says_how_much)
{
    int ends[2];
    static char bytes[1 << 20];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    limit_to(ends[0], SO_RCVTIMEO, 10);
    limit_to(ends[0], SO_SNDTIMEO, 10);
    ASSERT_EQ(send(ends[1], "abc", 3, 0), 3);
    ASSERT_EQ(recv(ends[0], bytes, 5, MSG_WAITALL), 3);
    ASSERT_EQ(send(ends[1], "abc", 3, 0), 3);
    ASSERT_EQ(recv(ends[0], bytes, 5, MSG_PEEK), 3);
    ASSERT_EQ(recv(ends[0], bytes, 5, 0), 3);
    ASSERT_EQ(recv(ends[0], bytes, 5, MSG_DONTWAIT), -1);
    ASSERT_EQ(errno, EAGAIN);

    ssize_t sent = send(ends[0], bytes, sizeof(bytes), 0);
    ASSERT_TRUE(sent > 0 && sent < (ssize_t)sizeof(bytes));
    ASSERT_EQ(recv(ends[1], bytes, sizeof(bytes), MSG_DONTWAIT), sent);
    close(ends[0]);
    close(ends[1]);
}

static volatile sig_atomic_t broken_pipes;

static void count_broken_pipe(int number)
{
    broken_pipes++;
}

static void hang_up(void *fd)
{
    close(*(int *)fd);
}

TEST_REAL(s19_4_a_peer_that_goes_in_the_middle_of_a_send_shows_with_the_next_one)
{
    int ends[2];
    static char bytes[1 << 20];
    broken_pipes = 0;
    signal(SIGPIPE, count_broken_pipe);
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ASSERT_TRUE(hr_call_later(hr_ms(1), hang_up, &ends[1]));
    ssize_t sent = send(ends[0], bytes, sizeof(bytes), 0);
    ASSERT_TRUE(sent > 0 && sent < (ssize_t)sizeof(bytes));
    ASSERT_EQ(broken_pipes, 0);
    ASSERT_REFUSED(send(ends[0], bytes, 1, 0), EPIPE);
    ASSERT_EQ(broken_pipes, 1);
    ASSERT_REFUSED(send(ends[0], bytes, 1, MSG_NOSIGNAL), EPIPE);
    ASSERT_EQ(broken_pipes, 1);
    signal(SIGPIPE, SIG_DFL);
    close(ends[0]);
}

/* A message with a descriptor in it. */
union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr header;
};

static int ends_of_message[2];

/* Receives until so many bytes have come; how many descriptors came with them. */
static int receive_with_descriptors(void *wanted)
{
    static char bytes[65536];
    int count = 0;
    for (ssize_t left = (intptr_t)wanted; left > 0;) {
        union control control;
        struct iovec item = {bytes, sizeof(bytes)};
        struct msghdr message = {
            .msg_iov = &item,
            .msg_iovlen = 1,
            .msg_control = &control,
            .msg_controllen = sizeof(control.bytes),
        };
        ssize_t n = recvmsg(ends_of_message[0], &message, MSG_CMSG_CLOEXEC);
        ASSERT_TRUE(n > 0);
        left -= n;
        if (!CMSG_FIRSTHDR(&message))
            continue;
        int fd;
        memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
        close(fd);
        count++;
    }
    return count;
}

TEST_REAL(s19_4_what_goes_along_with_a_message_goes_once_however_often_it_waits)
{
    static char bytes[1 << 20];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_of_message), 0);
    union control control = {
        .header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}
    };
    memcpy(CMSG_DATA(&control.header), &ends_of_message[0], sizeof(int));
    struct iovec item = {bytes, sizeof(bytes)};
    struct msghdr message = {
        .msg_iov = &item,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control.bytes),
    };
    hr_task *reader = hr_create_task("reader", receive_with_descriptors, (void *)sizeof(bytes));
    ASSERT_EQ(sendmsg(ends_of_message[1], &message, 0), (ssize_t)sizeof(bytes));
    ASSERT_ERR(hr_join(reader), 1);
    close(ends_of_message[0]);
    close(ends_of_message[1]);
}

static void pass_descriptor(void *fd)
{
    union control control = {
        .header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}
    };
    memcpy(CMSG_DATA(&control.header), fd, sizeof(int));
    char text[] = "fd";
    struct iovec item = {text, 2};
    struct msghdr message = {
        .msg_iov = &item,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control.bytes),
    };
    ASSERT_EQ(sendmsg(ends_of_message[1], &message, 0), 2);
}

TEST_REAL(a_message_comes_with_all_that_belongs_to_it)
{
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_of_message), 0);
    ASSERT_TRUE(hr_call_later(hr_ms(1), pass_descriptor, &ends_of_message[0]));
    union control control;
    char text[4] = "";
    struct iovec item = {text, 3};
    struct msghdr message = {
        .msg_iov = &item,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control.bytes),
    };
    ASSERT_EQ(recvmsg(ends_of_message[0], &message, MSG_CMSG_CLOEXEC), 2);
    ASSERT_STR(text, "fd");
    ASSERT_EQ(control.header.cmsg_type, SCM_RIGHTS);
    int fd;
    memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
    ASSERT_TRUE(fd > ends_of_message[1]);
    close(fd);
    close(ends_of_message[0]);
    close(ends_of_message[1]);
}

static struct sockaddr_un names[2];

static socklen_t bind_name(int fd, int which)
{
    int length = snprintf(names[which].sun_path + 1, sizeof(names[which].sun_path) - 1,
                          "headrace-test-%d-%d", (int)getpid(), which);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    names[which].sun_family = AF_UNIX;
    ASSERT_EQ(bind(fd, (struct sockaddr *)&names[which], size), 0);
    return size;
}

static socklen_t name_size; /* of the sender's */

static int empty_it(void *fd)
{
    char text[64];
    struct sockaddr_un from;
    int count = 0;
    for (;; count++) {
        socklen_t size = sizeof(from);
        if (recvfrom(*(int *)fd, text, sizeof(text), 0, (struct sockaddr *)&from, &size) <= 1)
            return count;
        ASSERT_EQ(size, name_size);
        ASSERT_EQ(memcmp(&from, &names[1], size), 0);
    }
}

/* How full a receiver of datagrams is cannot be polled at the sender's end. */
TEST_REAL(a_datagram_waits_for_room_at_its_receiver)
{
    int receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = bind_name(receiver, 0);
    name_size = bind_name(sender, 1);
    int sent = 0;
    while (sendto(sender, "one", 3, MSG_DONTWAIT, (struct sockaddr *)&names[0], size) == 3)
        sent++;
    ASSERT_TRUE(sent > 0);
    hr_task *reader = hr_create_task("reader", empty_it, &receiver);
    for (int i = 0; i < 50; i++, sent++)
        ASSERT_EQ(sendto(sender, "two", 3, 0, (struct sockaddr *)&names[0], size), 3);
    ASSERT_EQ(sendto(sender, ".", 1, 0, (struct sockaddr *)&names[0], size), 1);
    ASSERT_ERR(hr_join(reader), sent);
    close(receiver);
    close(sender);
}

static int accept_all(void *count)
{
    for (int left = *(int *)count; left > 0; left--) {
        int fd = accept(listener, NULL, NULL);
        ASSERT_TRUE(fd >= 0);
        close(fd);
    }
    return 0;
}

/* A listener of AF_UNIX that is full lets others wait: what they get is neither an error nor a
 * thread that stands still. */
TEST_REAL(a_connect_waits_for_a_listener_that_is_behind)
{
    enum { CLIENTS = 5 };
    int fds[CLIENTS], count = CLIENTS;
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = bind_name(listener, 0);
    ASSERT_EQ(listen(listener, 1), 0);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (i == 2) /* two fit */
            ASSERT_ERR(hr_spawn("server", accept_all, &count), 0);
        ASSERT_EQ(connect(fds[i], (struct sockaddr *)&names[0], size), 0);
    }
    char byte;
    for (int i = 0; i < CLIENTS; i++) {
        ASSERT_EQ(read(fds[i], &byte, 1), 0); /* taken, and closed */
        close(fds[i]);
    }
    test_passes(1);
    close(listener);
}
