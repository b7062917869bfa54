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

/* ThreadSanitizer forgets at a fork what other stacks of the thread have done, and tells races.
 * clang and gcc say differently that it is there. */
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define FORKS_CONFUSE_THE_SANITIZER
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define FORKS_CONFUSE_THE_SANITIZER
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
