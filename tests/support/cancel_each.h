/* SPDX-License-Identifier: MIT */
/*
 * Every suspension of a task, counted, so that a cancel can be placed at any of them: whatever it
 * waits for, and while it waits for it. Programs that use it are linked with --wrap for
 * hr__sched_suspend.
 */
#pragma once

#include "core/headrace.h"

/* Cancels a task while it waits for the n-th time from now on; 0: never. */
void test_cancel_at_wait(hr_task *task, int n);

/* Runs an operation once in a task of its own, cancelled at its n-th wait. Fails the test when that
 * ended otherwise than well or with -ECANCELED, which is the result. *ret_reached: whether there
 * was an n-th wait. */
int test_cancelled_at(const char *name, int (*run)(void *arg), void *arg, int n, bool *ret_reached);

/* Runs it with a cancel at its first wait, at its second, and so on until it has no n-th one; after
 * (or NULL) follows each. Fails the test when it never waited or heeded no cancel. */
void test_cancel_at_each_wait(const char *name, int (*run)(void *arg), void *arg,
                              void (*after)(void *arg));
