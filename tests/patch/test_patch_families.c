/* SPDX-License-Identifier: MIT */
/*
 * Who is patched: tasks, and the families that were chosen.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/loop.h"
#include "core/patch/patch.h"
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
