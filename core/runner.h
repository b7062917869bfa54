/* SPDX-License-Identifier: MIT */
/*
 * A runner: several main tasks, one after the other, on one loop that is closed once.
 *
 * hr_run() is a runner for a single main.
 */
#pragma once

#include "core/loop.h"

typedef struct hr_runner hr_runner;

/* NULL, with a record: -ENOMEM, -EINVAL (no such backend), or why there is no descriptor. */
HR_PUBLIC hr_owned hr_runner *hr_runner_new(const struct hr_loop_options *options);

/* Runs fn(arg) as the task "main" and returns what it returned; what it left behind stays and goes
 * on in the next run, or is cancelled by free. -EBUSY inside a running loop.
 * The first SIGINT cancels main, which may clean up: HR_EINTERRUPTED when it ends by that. The
 * second has its ordinary effect. A program that handles or ignores SIGINT itself is left alone. */
HR_PUBLIC int hr_runner_run(hr_runner *runner, hr_task_fn *fn, void *arg);

/* Its loop, borrowed. */
HR_PUBLIC hr_loop *hr_runner_loop(hr_runner *runner);

/* Cancels and awaits what is left, closes what is open, frees. Not inside a run. The error record
 * is kept. NULL is fine; returns NULL. */
HR_PUBLIC hr_runner *hr_runner_free(hr_runner *runner);
HR_PUBLIC void hr_runner_freep(hr_runner **runner);
