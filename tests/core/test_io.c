/* SPDX-License-Identifier: MIT */
/*
 * Waiting for descriptors.
 */
#include "core/io.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/transfer.h"
#include "tests/support/hrtest.h"

struct pair {
    int mine, peer;
    hr_io *io;
};

static struct pair open_pair(void)
{
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    struct pair pair = {fds[0], fds[1], hr_io_new(fds[0])};
    ASSERT_TRUE(pair.io);
    return pair;
}

static void close_pair(struct pair *pair)
{
    hr_io_free(pair->io);
    close(pair->mine);
    close(pair->peer);
}

static void say(void *arg)
{
    struct pair *pair = arg;
    ASSERT_EQ(write(pair->peer, "x", 1), 1);
}

static void hear(struct pair *pair)
{
    char byte;
    ASSERT_EQ(read(pair->mine, &byte, 1), 1);
}

static int wait_readable(void *arg)
{
    struct pair *pair = arg;
    return hr_io_wait(pair->io, HR_READ);
}

TEST_REAL(a_readable_descriptor_wakes_its_waiter)
{
    struct pair pair = open_pair();
    for (int i = 0; i < 3; i++) {
        ASSERT_TRUE(hr_call_later(hr_ms(1), say, &pair));
        ASSERT_ERR(hr_io_wait(pair.io, HR_READ), HR_READ);
        hear(&pair);
    }
    close_pair(&pair);
}

TEST_REAL(what_came_while_nobody_waited_is_seen_by_the_next_wait)
{
    struct pair pair = open_pair();
    ASSERT_TRUE(hr_call_later(hr_ms(1), say, &pair));
    ASSERT_ERR(hr_io_wait(pair.io, HR_READ), HR_READ);
    ASSERT_ERR(hr_sleep(hr_ms(2)), 0); /* it stays readable, and must not keep the loop busy */
    struct hr_loop_stats before, after;
    hr_loop_get_stats(hr_running_loop(), &before);
    ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    hr_loop_get_stats(hr_running_loop(), &after);
    ASSERT_TRUE(after.passes - before.passes < 10);
    ASSERT_ERR(hr_io_wait(pair.io, HR_READ), HR_READ);
    close_pair(&pair);
}

TEST_REAL(a_writable_descriptor_wakes_its_waiter_each_time)
{
    struct pair pair = open_pair();
    ASSERT_ERR(hr_io_wait(pair.io, HR_WRITE), HR_WRITE);
    ASSERT_ERR(hr_io_wait(pair.io, HR_WRITE), HR_WRITE);
    close_pair(&pair);
}

TEST_REAL(a_wait_for_both_directions_tells_which_came)
{
    struct pair pair = open_pair();
    ASSERT_ERR(hr_io_wait(pair.io, HR_READ | HR_WRITE), HR_WRITE);
    say(&pair);
    ASSERT_ERR(hr_io_wait(pair.io, HR_READ | HR_WRITE), HR_READ | HR_WRITE);
    close_pair(&pair);
}

TEST_REAL(one_task_a_direction_may_wait)
{
    struct pair pair = open_pair();
    hr_task *reader = hr_create_task("reader", wait_readable, &pair);
    test_passes(1);
    ASSERT_ERR(hr_io_wait(pair.io, HR_READ), -EBUSY);
    ASSERT_ERR(hr_io_wait(pair.io, HR_WRITE), HR_WRITE);
    ASSERT_ERR(hr_io_wait(pair.io, 0), -EINVAL);
    say(&pair);
    ASSERT_ERR(hr_join(reader), HR_READ);
    close_pair(&pair);
}

TEST_REAL(a_cancelled_wait_leaves_the_descriptor_usable)
{
    struct pair pair = open_pair();
    hr_task *reader = hr_create_task("reader", wait_readable, &pair);
    test_passes(1);
    ASSERT_TRUE(hr_task_cancel(reader, NULL));
    ASSERT_ERR(hr_join(reader), -ECANCELED);
    say(&pair);
    ASSERT_ERR(hr_io_wait(pair.io, HR_READ), HR_READ);
    close_pair(&pair);
}

TEST_REAL(s19_8_freeing_the_watch_wakes_the_waiter)
{
    struct pair pair = open_pair();
    hr_task *reader = hr_create_task("reader", wait_readable, &pair);
    test_passes(1);
    pair.io = hr_io_free(pair.io);
    ASSERT_ERR(hr_join(reader), HR_ECLOSED);
    close_pair(&pair);
}

TEST_REAL(freeing_the_watch_wins_over_a_wake_that_is_on_its_way)
{
    struct pair pair = open_pair();
    hr_task *reader = hr_create_task("reader", wait_readable, &pair);
    test_passes(1);
    say(&pair);
    for (int i = 0; i < 1000; i++) { /* until the loop has looked at descriptors */
        struct hr_loop_stats stats;
        hr_loop_get_stats(hr_running_loop(), &stats);
        if (stats.ready > 0)
            break;
        test_passes(1);
    }
    pair.io = hr_io_free(pair.io);
    int r = hr_join(reader);
    ASSERT_TRUE(r == HR_ECLOSED || r == HR_READ);
    close_pair(&pair);
}

TEST_REAL(a_file_cannot_be_watched)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ASSERT_TRUE(fd >= 0);
    ASSERT_PTR(hr_io_new(fd), NULL);
    ASSERT_ERR(hr_last_error()->code, -EPERM);
    ASSERT_ERR(hr_wait_fd(fd, HR_READ), -EPERM);
    close(fd);
    ASSERT_ERR(hr_wait_fd(fd, HR_READ), -EBADF);
}

TEST_REAL(a_closed_peer_counts_as_readable)
{
    struct pair pair = open_pair();
    close(pair.peer);
    ASSERT_ERR(hr_wait_fd(pair.mine, HR_READ), HR_READ);
    pair.peer = -1;
    close_pair(&pair);
}

static int listen_on_loopback(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof(*address);
    *address = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    ASSERT_EQ(bind(fd, (struct sockaddr *)address, length), 0);
    ASSERT_EQ(listen(fd, 5), 0);
    ASSERT_EQ(getsockname(fd, (struct sockaddr *)address, &length), 0);
    return fd;
}

TEST_REAL(connect_gives_an_open_socket)
{
    struct sockaddr_in address;
    int listener = listen_on_loopback(&address);
    int fd = -1;
    ASSERT_ERR(hr_connect((struct sockaddr *)&address, sizeof(address), &fd), 0);
    ASSERT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
    int peer = accept(listener, NULL, NULL);
    ASSERT_EQ(write(peer, "hello", 5), 5);
    ASSERT_ERR(hr_wait_fd(fd, HR_READ), HR_READ);
    close(peer);
    close(fd);
    close(listener);
}

TEST_REAL(a_refused_connect_says_so_and_leaves_nothing_open)
{
    struct sockaddr_in address;
    int listener = listen_on_loopback(&address);
    close(listener);
    int fd = -1;
    ASSERT_ERR(hr_connect((struct sockaddr *)&address, sizeof(address), &fd), -ECONNREFUSED);
    ASSERT_EQ(fd, -1);
}

struct backlog {
    int listener;
    struct sockaddr_un address;
};

static void accept_one(void *arg)
{
    struct backlog *backlog = arg;
    int fd = accept(backlog->listener, NULL, NULL);
    ASSERT_TRUE(fd >= 0);
    close(fd);
}

TEST_REAL(connect_waits_for_a_unix_listener_that_is_behind)
{
    struct backlog b = {socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), {AF_UNIX}};
    int n = snprintf(b.address.sun_path + 1, sizeof(b.address.sun_path) - 1, "hr-%d", getpid());
    unsigned length = (unsigned)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    ASSERT_EQ(bind(b.listener, (struct sockaddr *)&b.address, length), 0);
    ASSERT_EQ(listen(b.listener, 0), 0);

    int first = -1, second = -1;
    ASSERT_ERR(hr_connect((struct sockaddr *)&b.address, length, &first), 0);
    ASSERT_TRUE(hr_call_later(hr_ms(5), accept_one, &b));
    ASSERT_ERR(hr_connect((struct sockaddr *)&b.address, length, &second), 0);
    close(first);
    close(second);
    close(b.listener);
}

static int make_io(void *arg)
{
    struct pair *pair = arg;
    *pair = open_pair();
    say(pair);
    int r = hr_io_wait(pair->io, HR_READ);
    return r < 0 ? r : hr_io_wait(pair->io, HR_WRITE);
}

/* There is a byte to be read. */
static int use_io(void *arg)
{
    struct pair *pair = arg;
    char byte = 'x';
    ASSERT_ERR(hr_io_wait(pair->io, HR_READ), HR_EWRONGLOOP);
    ASSERT_ERR((int)hr_io_read(pair->io, &byte, 1), HR_EWRONGLOOP);
    ASSERT_ERR(hr_io_write(pair->io, &byte, 1, NULL), HR_EWRONGLOOP);
    return 0;
}

static int close_io(void *arg)
{
    close_pair(arg);
    return 0;
}

TEST_PLAIN(a_descriptor_is_of_no_use_to_a_later_loop_and_may_be_freed_after_its_own)
{
    struct pair pair;
    for (int inside = 0; inside < 2; inside++) {
        ASSERT_EQ(hr_run(make_io, &pair), HR_WRITE);
        ASSERT_ERR(hr_run(use_io, &pair), 0);
        if (inside)
            ASSERT_ERR(hr_run(close_io, &pair), 0);
        else
            close_pair(&pair);
    }
}
