/* SPDX-License-Identifier: MIT */
/*
 * Tests that fork: a child does its part and says that it went well by its exit status.
 */
#pragma once

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/hrtest.h"

/*
 * clang and gcc say differently that a sanitizer is there.
 *
 * ThreadSanitizer forgets at a fork what other stacks of the thread have done, and tells races.
 * AddressSanitizer's allocator, unlike glibc's, does not let go of its locks in a child: for one
 * that another thread held at the fork, the child waits forever.
 */
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define FORKS_CONFUSE_THE_SANITIZER
#endif
#if __has_feature(address_sanitizer)
#define FORKS_LOCK_THE_ALLOCATOR
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define FORKS_CONFUSE_THE_SANITIZER
#endif
#ifdef __SANITIZE_ADDRESS__
#define FORKS_LOCK_THE_ALLOCATOR
#endif

/* What fails in a child ends it: no report, no other test. */
#define OR_DIE(cond)                                                                               \
    do {                                                                                           \
        if (!(cond))                                                                               \
            _exit(1);                                                                              \
    } while (0)
#define FINE 7

/* fork(). Its alarm ends a child that does nothing. */
static inline pid_t begin_child(void)
{
    fflush(NULL);
    pid_t child = fork();
    ASSERT_TRUE(child >= 0);
    if (child == 0)
        alarm((unsigned)(test_patience(hr_seconds(5)) / hr_seconds(1)));
    return child;
}

static inline void expect_fine(pid_t child)
{
    int status = 0;
    ASSERT_TRUE(child > 0);
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_EQ(WEXITSTATUS(status), FINE);
}
