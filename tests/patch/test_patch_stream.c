/* SPDX-License-Identifier: MIT */
/*
 * Patched read and write on sockets, pipes and devices.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#include "core/loop.h"
#include "core/task.h"
#include "tests/patch/witness.h"
#include "tests/support/hrtest.h"

#define MUCH ((size_t)1 << 20)

static int ends[2]; /* read from the first, write to the second */

static void open_sockets(void)
{
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static void open_pipe(void)
{
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
}

static void close_ends(void)
{
    close(ends[0]);
    close(ends[1]);
}

/* The side of a terminal that the user has. */
static int open_terminal(void)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_TRUE(fd >= 0);
    ASSERT_EQ(grantpt(fd), 0);
    ASSERT_EQ(unlockpt(fd), 0);
    return fd;
}

static void say(const char *text)
{
    ASSERT_EQ(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
}

static void say_it(void *text)
{
    say(text);
}

/* Says something after a while, from a callback. */
static void say_later(int ms, const char *text)
{
    ASSERT_TRUE(hr_call_later(hr_ms(ms), say_it, (void *)(uintptr_t)text));
}

static void reads_what_comes_later(void)
{
    char text[8] = "";
    say_later(1, "ab");
    errno = 7777;
    ASSERT_EQ(read(ends[0], text, sizeof(text) - 1), 2);
    ASSERT_EQ(errno, 7777); /* success leaves it alone */
    ASSERT_STR(text, "ab");

    say_later(1, "cdef");
    struct iovec items[] = {
        {text,     1},
        {text + 4, 3},
    };
    ASSERT_EQ(readv(ends[0], items, 2), 4);
    ASSERT_EQ(text[0], 'c');
    ASSERT_STR(text + 4, "def");
}

TEST_REAL(s19_1_a_read_waits_for_what_comes_later)
{
    open_sockets();
    reads_what_comes_later();
    close_ends();
    open_pipe();
    reads_what_comes_later();
    close(ends[1]);
    ASSERT_EQ(read(ends[0], (char[1]){0}, 1), 0);
    close(ends[0]);
}

/* Reads MUCH in pieces and checks them; each byte tells its place. */
static int read_much(void *arg)
{
    unsigned char piece[10007];
    size_t place = 0;
    while (place < MUCH) {
        ssize_t n = read(ends[0], piece, sizeof(piece));
        ASSERT_TRUE(n > 0);
        for (ssize_t i = 0; i < n; i++, place++)
            ASSERT_EQ(piece[i], place % 251);
    }
    return 0;
}

static void writes_all_of_it(void)
{
    hr_task *reader = hr_create_task("reader", read_much, NULL);
    unsigned char *bytes = malloc(MUCH);
    ASSERT_TRUE(bytes);
    for (size_t i = 0; i < MUCH; i++)
        bytes[i] = (unsigned char)(i % 251);
    struct iovec items[12];
    size_t step = (MUCH - 100) / (HR_ARRAY_LEN(items) - 1);
    for (size_t i = 0; i < HR_ARRAY_LEN(items); i++)
        items[i] = (struct iovec){bytes + 100 + i * step, step};
    items[HR_ARRAY_LEN(items) - 1].iov_len = MUCH - 100 - (HR_ARRAY_LEN(items) - 1) * step;

    ASSERT_EQ(write(ends[1], bytes, 100), 100);
    ASSERT_EQ(writev(ends[1], items, HR_ARRAY_LEN(items)), (ssize_t)MUCH - 100);
    ASSERT_ERR(hr_join(reader), 0);
    free(bytes);
}

TEST_REAL(s19_4_a_write_returns_when_all_is_written)
{
    open_sockets();
    writes_all_of_it();
    close_ends();
    open_pipe();
    writes_all_of_it();
    close_ends();
}

TEST_REAL(pipes_do_not_block_on_kernels_before_6_5_either)
{
    witness_old_kernel(true);
    open_pipe();
    reads_what_comes_later();
    writes_all_of_it();
    witness_old_kernel(false);
    close_ends();
}

static void refuse_fast(void)
{
    char byte;
    ASSERT_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    errno = 0;
    ASSERT_EQ(read(ends[0], &byte, 1), -1);
    ASSERT_EQ(errno, EAGAIN);
    errno = 0;
    ASSERT_EQ(readv(ends[0], &(struct iovec){&byte, 1}, 1), -1);
    ASSERT_EQ(errno, EAGAIN);
}

TEST(s19_4_a_descriptor_that_does_not_block_gives_eagain_at_once)
{
    open_sockets();
    refuse_fast();
    close_ends();
    open_pipe();
    refuse_fast();
    close_ends();
}

static void refuses_the_wrong_direction(void)
{
    char byte = 0;
    struct iovec item = {&byte, 1};
    errno = 0;
    ASSERT_EQ(read(ends[1], &byte, 1), -1);
    ASSERT_EQ(errno, EBADF);
    errno = 0;
    ASSERT_EQ(readv(ends[1], &item, 1), -1);
    ASSERT_EQ(errno, EBADF);
    errno = 0;
    ASSERT_EQ(write(ends[0], &byte, 1), -1);
    ASSERT_EQ(errno, EBADF);
    errno = 0;
    ASSERT_EQ(writev(ends[0], &item, 1), -1);
    ASSERT_EQ(errno, EBADF);
}

TEST(s19_4_a_descriptor_that_is_open_for_the_other_direction_says_so)
{
    open_pipe();
    refuses_the_wrong_direction();
    witness_old_kernel(true);
    refuses_the_wrong_direction();
    witness_old_kernel(false);
    close_ends();

    int master = open_terminal();
    ends[0] = open(ptsname(master), O_RDONLY | O_NOCTTY | O_CLOEXEC);
    ends[1] = open(ptsname(master), O_WRONLY | O_NOCTTY | O_CLOEXEC);
    ASSERT_TRUE(ends[0] >= 0 && ends[1] >= 0);
    refuses_the_wrong_direction();
    close_ends();
    close(master);
}

TEST(s19_4_errors_are_those_of_the_plain_calls)
{
    char byte = 0;
    volatile int no_count = -1;
    open_pipe();
    ASSERT_EQ(readv(ends[0], &(struct iovec){&byte, 1}, no_count), -1);
    ASSERT_EQ(errno, EINVAL);
    ASSERT_EQ(read(ends[0], &byte, 0), 0);
    close_ends();
    ASSERT_EQ(read(ends[0], &byte, 1), -1);
    ASSERT_EQ(errno, EBADF);

    signal(SIGPIPE, SIG_IGN);
    open_pipe();
    close(ends[0]);
    ASSERT_EQ(write(ends[1], &byte, 1), -1);
    ASSERT_EQ(errno, EPIPE);
    close(ends[1]);
    signal(SIGPIPE, SIG_DFL);
}

/* A slice that lasts: it sees the flags while the task waits. */
static int flags_seen[2];

static void look_at_flags(void *arg)
{
    flags_seen[0] = fcntl(ends[0], F_GETFL);
    flags_seen[1] = fcntl(ends[1], F_GETFL);
    say("x");
}

TEST_REAL(s19_6_flags_stay_as_they_are_while_a_task_waits)
{
    char byte;
    open_sockets();
    for (int i = 0; i < 2; i++) {
        int before[] = {fcntl(ends[0], F_GETFL), fcntl(ends[1], F_GETFL)};
        ASSERT_TRUE(hr_call_later(hr_ms(1), look_at_flags, NULL));
        ASSERT_EQ(read(ends[0], &byte, 1), 1);
        ASSERT_EQ(flags_seen[0], before[0]);
        ASSERT_EQ(flags_seen[1], before[1]);
        if (i == 0) {
            close_ends();
            open_pipe();
        }
    }
    close_ends();
}

static void count_up(void *fd)
{
    uint64_t one = 1;
    ASSERT_EQ(write((int)(intptr_t)fd, &one, sizeof(one)), (ssize_t)sizeof(one));
}

TEST_REAL(devices_are_waited_for)
{
    uint64_t count;
    int fd = eventfd(0, EFD_CLOEXEC);
    ASSERT_TRUE(hr_call_later(hr_ms(1), count_up, (void *)(intptr_t)fd));
    ASSERT_EQ(read(fd, &count, sizeof(count)), (ssize_t)sizeof(count));
    ASSERT_EQ(count, 1);
    close(fd);

    char text[8] = "";
    ends[1] = open_terminal();
    ends[0] = open(ptsname(ends[1]), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ASSERT_TRUE(ends[0] >= 0);
    say_later(1, "no");
    say_later(2, "w\n");
    ASSERT_EQ(read(ends[0], text, sizeof(text) - 1), 4); /* a terminal gives whole lines */
    ASSERT_STR(text, "now\n");
    ASSERT_EQ(write(ends[0], "yes\n", 4), 4);
    close_ends();

    fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
    ASSERT_EQ(read(fd, text, sizeof(text)), (ssize_t)sizeof(text));
    ASSERT_EQ(write(fd, text, sizeof(text)), (ssize_t)sizeof(text));
    close(fd);
}

static int reads_one(void *arg)
{
    char byte;
    ssize_t n = read(ends[0], &byte, 1);
    return n < 0 ? -errno : (int)n;
}

TEST_REAL(s19_8_closing_wakes_who_waits)
{
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            open_sockets();
        else
            open_pipe();
        hr_task *first = hr_create_task("first", reads_one, NULL);
        hr_task *second = hr_create_task("second", reads_one, NULL);
        test_passes(1);
        close(ends[0]);
        int other = dup(ends[1]); /* the number is somebody else's now */
        ASSERT_EQ(other, ends[0]);
        ASSERT_ERR(hr_join(first), -EBADF);
        ASSERT_ERR(hr_join(second), -EBADF);
        close_ends();
    }
}

TEST_REAL(two_tasks_may_read_one_descriptor)
{
    open_pipe();
    hr_task *first = hr_create_task("first", reads_one, NULL);
    hr_task *second = hr_create_task("second", reads_one, NULL);
    test_passes(1);
    say("x");
    test_passes(3);
    say("y");
    ASSERT_ERR(hr_join(first), 1);
    ASSERT_ERR(hr_join(second), 1);
    close_ends();
}
