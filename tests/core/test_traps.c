/* SPDX-License-Identifier: MIT */
/*
 * What libevent and the kernel lay for a loop: descriptors whose number comes back within a pass,
 * and children that inherit what the loop watches with.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "core/io.h"
#include "core/loop.h"
#include "core/timeout.h"
#include "tests/support/forks.h"

struct pair {
    int mine, peer;
    hr_io *io;
};

/* Ends that are connected; mine has this number, which is free, or any when that is negative. */
static struct pair open_pair(int number)
{
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    struct pair pair = {fds[0], fds[1], NULL};
    if (number >= 0 && pair.mine != number && pair.peer != number) {
        ASSERT_EQ(dup3(pair.mine, number, O_CLOEXEC), number);
        close(pair.mine);
        pair.mine = number;
    } else if (pair.peer == number) {
        pair.peer = pair.mine;
        pair.mine = number;
    }
    pair.io = hr_io_new(pair.mine);
    ASSERT_TRUE(pair.io);
    return pair;
}

static void close_pair(struct pair *pair)
{
    pair->io = hr_io_free(pair->io);
    close(pair->mine);
    close(pair->peer);
}

static void say(const struct pair *pair)
{
    ASSERT_EQ(write(pair->peer, "x", 1), 1);
}

static int wait_readable(void *arg)
{
    struct pair *pair = arg;
    return hr_io_wait(pair->io, HR_READ);
}

static int wait_a_moment(const struct pair *pair)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(2)), 0);
    return hr_timeout_leave(&limit, hr_io_wait(pair->io, HR_READ));
}

/* Both become readable in one pass; whoever is told first closes the other, whose number comes back
 * at once. */
TEST_REAL(l2_a_descriptor_that_is_closed_and_reused_in_one_pass_gets_no_events_of_the_old_one)
{
    for (int passes = 0; passes < 4; passes++) {
        struct pair old = open_pair(-1), first = open_pair(-1);
        hr_task *reader = hr_create_task("reader", wait_readable, &old);
        test_passes(1);
        say(&old);
        say(&first);
        ASSERT_ERR(hr_io_wait(first.io, HR_READ), HR_READ);
        test_passes(passes);
        int number = old.mine;
        close_pair(&old);
        struct pair reused = open_pair(number);
        ASSERT_EQ(reused.mine, number);
        ASSERT_ERR(wait_a_moment(&reused), -ETIMEDOUT);
        int r = hr_join(reader);
        ASSERT_TRUE(r == HR_ECLOSED || r == HR_READ);

        say(&reused);
        ASSERT_ERR(hr_io_wait(reused.io, HR_READ), HR_READ);
        close_pair(&reused);
        close_pair(&first);
    }
}

#ifndef FORKS_CONFUSE_THE_SANITIZER

#define PATIENCE test_patience(hr_seconds(5))

/* Frees what it inherited, watches and sleeps: all with its copy of the loop. */
static _Noreturn void live_as_a_child(struct pair *inherited)
{
    int fds[2];
    if (inherited) {
        hr_io_free(inherited->io);
        close(inherited->mine);
        close(inherited->peer);
    }
    OR_DIE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    struct pair own = {fds[0], fds[1], hr_io_new(fds[0])};
    struct hr_timeout limit = {0};
    OR_DIE(own.io);
    OR_DIE(hr_timeout_enter(&limit, hr_ms(2)) == 0);
    OR_DIE(hr_timeout_leave(&limit, hr_io_wait(own.io, HR_READ)) == -ETIMEDOUT);
    OR_DIE(write(own.peer, "x", 1) == 1);
    OR_DIE(hr_io_wait(own.io, HR_READ) == HR_READ);
    OR_DIE(hr_sleep(hr_ms(1)) == 0);
    _exit(FINE);
}

/* A descriptor that becomes readable some time, without the loop's timer. */
static int open_clock(hr_usec span)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct itimerspec spec = {
        .it_value = {.tv_sec = span / 1000000, .tv_nsec = span % 1000000 * 1000}
    };
    ASSERT_EQ(timerfd_settime(fd, 0, &spec, NULL), 0);
    return fd;
}

static int sleep_long(void *arg)
{
    return hr_sleep(hr_ms(40));
}

/* Wakes the loop in the end, if its timer does not. */
static int watch_clock(void *arg)
{
    return hr_wait_fd(*(int *)arg, HR_READ);
}

TEST_REAL(l3_a_forked_child_does_not_disturb_its_parents_loop)
{
    struct pair pair = open_pair(-1);
    int soon = open_clock(hr_ms(2)), end = open_clock(PATIENCE);
    hr_task *reader = hr_create_task("reader", wait_readable, &pair);
    hr_task *sleeper = hr_create_task("sleeper", sleep_long, NULL);
    hr_task *watcher = hr_create_task("watcher", watch_clock, &end);
    ASSERT_ERR(hr_wait_fd(soon, HR_READ), HR_READ); /* all wait in the kernel, the timer is set */
    pid_t child = begin_child();
    if (child == 0)
        live_as_a_child(&pair);
    expect_fine(child);

    ASSERT_ERR(hr_join(sleeper), 0);
    ASSERT_FALSE(hr_future_done(watcher));
    say(&pair);
    ASSERT_ERR(hr_join(reader), HR_READ);
    hr_task_cancel(watcher, NULL);
    ASSERT_ERR(hr_join(watcher), -ECANCELED);
    close_pair(&pair);
    close(soon);
    close(end);
}

static int sleep_briefly(void *arg)
{
    return hr_sleep(hr_ms(2));
}

TEST_REAL(l3_a_child_sleeps_as_long_as_it_wants_also_when_a_timer_was_due_at_the_fork)
{
    int soon = open_clock(hr_ms(1));
    hr_task *sleeper = hr_create_task("sleeper", sleep_briefly, NULL);
    ASSERT_ERR(hr_wait_fd(soon, HR_READ), HR_READ);
    usleep(3000); /* past what the timer is set to */
    pid_t child = begin_child();
    if (child == 0)
        live_as_a_child(NULL);
    expect_fine(child);
    ASSERT_ERR(hr_join(sleeper), 0);
    close(soon);
}

#endif
