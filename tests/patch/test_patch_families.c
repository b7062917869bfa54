/* SPDX-License-Identifier: MIT */
/*
 * Who is patched: tasks, and the families that were chosen.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/loop.h"
#include "core/patch/patch.h"
#include "tests/patch/witness.h"
#include "tests/support/hrtest.h"

static const struct timespec moment = {0, 2000000};

static hr_usec real_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* Sleeps a moment; whether that took real time. */
static bool sleeps_plainly(void)
{
    hr_usec before = real_now();
    ASSERT_EQ(nanosleep(&moment, NULL), 0);
    return real_now() - before >= 2000;
}

TEST(s19_3_a_family_that_is_left_out_is_plain)
{
    unsigned before = hr_patched();
    ASSERT_EQ(hr_patch(HR_PATCH_ALL & ~HR_PATCH_TIME), 0);
    ASSERT_EQ(hr_patched(), HR_PATCH_ALL & ~HR_PATCH_TIME);
    ASSERT_TRUE(sleeps_plainly());
    ASSERT_EQ(test_clock_now(), 0);

    ASSERT_EQ(hr_patch(HR_PATCH_TIME), 0);
    ASSERT_EQ(nanosleep(&moment, NULL), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(2));
    ASSERT_ERR(hr_patch(HR_PATCH_ALL + 1), -EINVAL);
    ASSERT_EQ(hr_patched(), HR_PATCH_TIME);
    ASSERT_EQ(hr_patch(before), 0);
}

/* Each does something that takes a while; whether it did so as a task. */
static bool moves_virtual_clock(hr_usec before)
{
    return test_clock_now() > before;
}

static bool time_suspends(int fd)
{
    hr_usec before = test_clock_now();
    ASSERT_EQ(usleep(1000), 0);
    return moves_virtual_clock(before);
}

static bool stream_suspends(int fd)
{
    char byte;
    hr_usec before = test_clock_now();
    ASSERT_EQ(read(fd, &byte, 1), -1); /* its SO_RCVTIMEO passes */
    return moves_virtual_clock(before);
}

static bool socket_suspends(int fd)
{
    char byte;
    hr_usec before = test_clock_now();
    ASSERT_EQ(recv(fd, &byte, 1, 0), -1);
    return moves_virtual_clock(before);
}

static bool poll_suspends(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    hr_usec before = test_clock_now();
    ASSERT_EQ(poll(&one, 1, 1), 0);
    return moves_virtual_clock(before);
}

static bool in_a_thread(void)
{
    pthread_t thread;
    ASSERT_TRUE(witness_thread(&thread));
    return !pthread_equal(thread, pthread_self());
}

static bool file_suspends(int fd)
{
    char path[] = "/tmp/headrace-patch-XXXXXX", byte;
    struct iovec item = {&byte, 1};
    int file = mkostemp(path, O_CLOEXEC);
    ASSERT_TRUE(file >= 0);
    unlink(path);
    witness_reset();
    ASSERT_EQ(readv(file, &item, 1), 0);
    close(file);
    return in_a_thread();
}

static bool names_suspend(int fd)
{
    struct addrinfo *found;
    witness_reset();
    witness_answer();
    ASSERT_EQ(getaddrinfo(WITNESS_SLOW_NAME, "80", NULL, &found), 0);
    freeaddrinfo(found);
    return in_a_thread();
}

struct call {
    enum hr_patch_family family;
    bool (*suspends)(int fd);
};

/* Leaves out one family after the other, and sees that no other call follows it. */
static void leave_out_each(const struct call *calls, size_t count)
{
    int ends[2];
    const struct timeval limit = {0, 1000};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ASSERT_EQ(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    for (unsigned out = 1; out < HR_PATCH_ALL; out <<= 1) {
        ASSERT_EQ(hr_patch(HR_PATCH_ALL & ~out), 0);
        for (size_t i = 0; i < count; i++)
            ASSERT_EQ(calls[i].suspends(ends[0]), calls[i].family != out);
    }
    ASSERT_EQ(hr_patch(HR_PATCH_ALL), 0);
    close(ends[0]);
    close(ends[1]);
}

TEST(s19_3_each_family_on_the_loop_can_be_left_out_alone)
{
    static const struct call calls[] = {
        {HR_PATCH_TIME,   time_suspends  },
        {HR_PATCH_STREAM, stream_suspends},
        {HR_PATCH_SOCKET, socket_suspends},
        {HR_PATCH_POLL,   poll_suspends  },
    };
    leave_out_each(calls, HR_ARRAY_LEN(calls));
}

TEST_REAL(s19_3_each_family_in_the_pool_can_be_left_out_alone)
{
    static const struct call calls[] = {
        {HR_PATCH_FILE,  file_suspends},
        {HR_PATCH_NAMES, names_suspend},
    };
    leave_out_each(calls, HR_ARRAY_LEN(calls));
}

static bool plain_in_callback;

static void sleep_in_callback(void *arg)
{
    plain_in_callback = sleeps_plainly();
}

static void *sleep_in_thread(void *arg)
{
    *(bool *)arg = sleeps_plainly();
    return NULL;
}

TEST(s19_2_in_a_callback_and_in_another_thread_a_call_is_the_plain_one)
{
    bool plain_in_thread = false;
    pthread_t thread;
    plain_in_callback = false;
    ASSERT_TRUE(hr_call_soon(sleep_in_callback, NULL));
    test_passes(1);
    ASSERT_TRUE(plain_in_callback);
    ASSERT_EQ(pthread_create(&thread, NULL, sleep_in_thread, &plain_in_thread), 0);
    ASSERT_EQ(pthread_join(thread, NULL), 0);
    ASSERT_TRUE(plain_in_thread);
    ASSERT_EQ(test_clock_now(), 0);
}

TEST_PLAIN(s19_2_without_a_loop_a_call_is_the_plain_one)
{
    int ends[2];
    char byte = 'x';
    ASSERT_TRUE(sleeps_plainly());
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ASSERT_EQ(write(ends[0], &byte, 1), 1);
    ASSERT_EQ(read(ends[1], &byte, 1), 1);
    struct timeval limit = {0, 1000};
    ASSERT_EQ(setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    ASSERT_EQ(recv(ends[1], &byte, 1, 0), -1);
    ASSERT_EQ(errno, EAGAIN);
    errno = 0;
    ASSERT_EQ(read(ends[1], &byte, 1), -1);
    ASSERT_EQ(errno, EAGAIN);

    struct pollfd one = {.fd = ends[1], .events = POLLIN};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[1], &set);
    ASSERT_EQ(poll(&one, 1, 1), 0);
    ASSERT_EQ(select(ends[1] + 1, &set, NULL, NULL, &(struct timeval){0, 1000}), 0);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;
    ASSERT_EQ(epoll_wait(epoll, &event, 1, 1), 0);
    ASSERT_EQ(epoll_pwait(epoll, &event, 1, 1, NULL), 0);
    close(epoll);

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *plain = (struct sockaddr *)&address;
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    ASSERT_EQ(bind(listener, plain, size), 0);
    ASSERT_EQ(getsockname(listener, plain, &size), 0);
    ASSERT_EQ(listen(listener, 1), 0);
    errno = 0;
    ASSERT_EQ(accept(listener, NULL, NULL), -1);
    ASSERT_EQ(errno, EAGAIN);
    ASSERT_EQ(connect(client, plain, size), 0);
    close(client);
    close(listener);
    ASSERT_FALSE(file_suspends(-1)); /* the thread that asks does it */
    ASSERT_FALSE(names_suspend(-1));
    close(ends[0]);
    close(ends[1]);
}

/* A child is still inside the task that forked it, but its loop is its parent's. */
TEST(s19_2_in_a_forked_child_a_call_is_the_plain_one)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(sleeps_plainly() ? 7 : 1);
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_EQ(WEXITSTATUS(status), 7);
}

static int naps(void *arg)
{
    return sleeps_plainly() ? -EIO : 0;
}

static int begin_anew(void)
{
    static struct hr_virtual_clock clock;
    hr_virtual_clock_init(&clock, 0);
    return hr_run_with(&(struct hr_loop_options){.clock = &clock.clock}, naps, NULL);
}

TEST_PLAIN(a_forked_child_patches_the_tasks_of_its_own_loop)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(begin_anew() == 0 ? 7 : 1);
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_EQ(WEXITSTATUS(status), 7);
}
