/* SPDX-License-Identifier: MIT */
/*
 * Bytes through descriptors, and writes to nobody; semantics 20.13.
 */
#include "core/transfer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/timeout.h"
#include "tests/support/hrtest.h"

static int ends[2];

static void open_pipe(void)
{
    ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
}

static void close_pipe(void)
{
    close(ends[0]);
    close(ends[1]);
}

#define LARGE 300000 /* more than a pipe holds */

static int write_large(void *arg)
{
    static char bytes[LARGE];
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (char)(i % 251);
    hr_auto(hr_io_freep) hr_io *io = hr_io_new(ends[1]);
    int r = io ? hr_io_write(io, bytes, LARGE, arg) : -ENOMEM;
    close(ends[1]);
    return r;
}

TEST_REAL(what_is_written_is_read_in_order_to_the_end)
{
    static char bytes[LARGE];
    size_t have = 0, written = 0;
    open_pipe();
    hr_task *writer = hr_create_task("writer", write_large, &written);
    hr_io *io = hr_io_new(ends[0]);
    ssize_t n;
    ASSERT_TRUE(writer && io);
    while ((n = hr_io_read(io, bytes + have, LARGE - have + 1)) > 0)
        have += (size_t)n;
    ASSERT_EQ(n, 0);
    ASSERT_EQ(have, LARGE);
    ASSERT_EQ(written, LARGE);
    for (size_t i = 0; i < LARGE; i++)
        ASSERT_EQ(bytes[i], (char)(i % 251));
    ASSERT_ERR(hr_join(writer), 0);
    hr_io_free(io);
    close(ends[0]);
}

TEST_REAL(a_read_and_a_write_can_be_cut_short_by_a_limit)
{
    static const char bytes[LARGE];
    struct hr_timeout limit = {0};
    char byte;
    size_t written = 0;
    open_pipe();
    hr_io *from = hr_io_new(ends[0]), *to = hr_io_new(ends[1]);
    ASSERT_TRUE(from && to);
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(2)), 0);
    ASSERT_ERR(hr_timeout_leave(&limit, (int)hr_io_read(from, &byte, 1)), -ETIMEDOUT);
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(2)), 0);
    ASSERT_ERR(hr_timeout_leave(&limit, hr_io_write(to, bytes, LARGE, &written)), -ETIMEDOUT);
    ASSERT_TRUE(written > 0 && written < LARGE);
    hr_io_free(from);
    hr_io_free(to);
    close_pipe();
}

/* With SIGPIPE at its default, which would end this program. */
static void write_to_nobody(int fd)
{
    struct sigaction before, by_default = {.sa_handler = SIG_DFL};
    sigset_t blocked, pending;
    sigaction(SIGPIPE, &by_default, &before);
    hr_io *io = hr_io_new(fd);
    ASSERT_TRUE(io);
    ASSERT_ERR(hr_io_write(io, "x", 1, NULL), -EPIPE);
    ASSERT_ERR(hr_io_write(io, "x", 1, NULL), -EPIPE);
    hr_io_free(io);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    ASSERT_FALSE(sigismember(&blocked, SIGPIPE));
    sigpending(&pending);
    ASSERT_FALSE(sigismember(&pending, SIGPIPE));
    sigaction(SIGPIPE, &before, NULL);
}

TEST_REAL(s20_13_writing_to_a_pipe_or_socket_without_reader_is_an_error_and_no_signal)
{
    open_pipe();
    close(ends[0]);
    write_to_nobody(ends[1]);
    close(ends[1]);

    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    close(ends[0]);
    write_to_nobody(ends[1]);
    close(ends[1]);
}

TEST_PLAIN(a_signal_of_the_programs_own_that_waits_is_left_to_it)
{
    sigset_t broken_pipe, before, pending;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
    raise(SIGPIPE);
    open_pipe();
    close(ends[0]);
    ASSERT_ERR((int)hr_write_quietly(ends[1], "x", 1), -EPIPE);
    close(ends[1]);
    sigpending(&pending);
    ASSERT_TRUE(sigismember(&pending, SIGPIPE));
    int number;
    ASSERT_EQ(sigwait(&broken_pipe, &number), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
