/* SPDX-License-Identifier: MIT */
/*
 * Tests from the inside: for other ways of running them than cmocka's.
 */
#pragma once

#include "tests/support/hrtest.h"

struct test {
    const char *name, *file;
    enum test_clock clock;
    void (*body)(void);
};

/* The tests that the arguments select, in order of registration; NULL past the last. */
const struct test *test_selected(size_t index, int argc, char **argv);

/* Runs a test in this process as cmocka would; returns when it passed. A failure goes to
 * test_failed instead of cmocka, which must not return; what the test has built stands still. */
void test_run(const struct test *test);
extern void (*test_failed)(const char *failure);

/* Whether a call has failed on purpose; NULL: none ever does. */
extern bool (*test_starved)(void);

/* For test_failed: closes the loop that the test was given, if it has one that can be. */
void test_close_loop(void);

/* Where it is linked: what the program does instead when its first argument is --torture. */
__attribute__((weak)) int test_torture(int argc, char **argv);
