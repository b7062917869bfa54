/* SPDX-License-Identifier: MIT */
/*
 * A task beside a test's body that wants to run every 10 ms, and tells when the loop's thread was
 * blocked instead of waiting for all tasks at once.
 *
 *     TEST_TICKING(t1_a_slow_statement_blocks_its_task_only) { … }
 *
 * What counts is time in which the thread slept although the task was due, as in a system call that
 * blocks, and by itself the time that it computes, as in a loop that spins. Time that it waits for
 * a processor on a busy machine does not, so the limit may be low without failing for what is none
 * of the program's fault.
 */
#pragma once

#include "tests/support/hrtest.h"

struct ticker {
    hr_task *task;
    int64_t worst;   /* nanoseconds that it was blocked at once, at most */
    int64_t busiest; /* nanoseconds of a processor that went by between two ticks, at most */
    bool blind;      /* the kernel does not tell, so neither means anything */
};

void ticker_start(struct ticker *ticker);

/* Ends it; what it saw is final. */
void ticker_end(struct ticker *ticker);

/* The same, and fails the test when the thread was blocked for longer than the limit, or kept its
 * tasks waiting by computing for longer than that. */
void ticker_end_on_time(struct ticker *ticker, hr_usec limit);

/* What blocks on purpose, as the helpers do that start servers, is excused from here to the end of
 * the scope. Works in programs without a loop, too. */
int64_t ticker_excuse_begin(void);
void ticker_excuse_end(const int64_t *since);
#define TICKER_EXCUSED()                                                                           \
    hr_auto(ticker_excuse_end) __attribute__((unused)) const int64_t excused = ticker_excuse_begin()

/* A test as TEST_REAL, with a ticker beside it that has to be on time. A limit has to be below what
 * the test waits for. */
#define TEST_TICKING(name) TEST_TICKING_WITHIN(name, hr_ms(150))
#define TEST_TICKING_WITHIN(name, limit)                                                           \
    static void test_ticking_##name(void);                                                         \
    TEST_REAL(name)                                                                                \
    {                                                                                              \
        struct ticker ticker;                                                                      \
        ticker_start(&ticker);                                                                     \
        test_ticking_##name();                                                                     \
        ticker_end_on_time(&ticker, limit);                                                        \
    }                                                                                              \
    static void test_ticking_##name(void)
