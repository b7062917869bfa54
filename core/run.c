/* SPDX-License-Identifier: MIT */
/*
 * hr_run: a program's main task on a loop of its own, from its first slice to the last descriptor.
 *
 * The first SIGINT cancels the main task, which may clean up. The handler is good for one signal
 * only, so a second one has its ordinary effect even if the loop is stuck. A program that handles
 * or ignores SIGINT itself is left alone.
 */
#include <signal.h>
#include <unistd.h>

#include "core/loop_impl.h"

struct runner {
    hr_loop *loop;
    hr_task *main;
    bool interrupted;
};

int hr_run(hr_task_fn *fn, void *arg)
{
    return hr_run_with(NULL, fn, arg);
}

static void interrupt(void *arg)
{
    struct runner *runner = arg;
    runner->interrupted = hr_task_cancel(runner->main, "interrupted");
}

static void watch_interrupts(struct runner *runner)
{
    struct sigaction present;
    if (gettid() != getpid() || sigaction(SIGINT, NULL, &present) < 0 ||
        (present.sa_flags & SA_SIGINFO) || present.sa_handler != SIG_DFL)
        return;
    /* If another loop owns signals, they are its business. */
    (void)hr__signal_add(runner->loop, SIGINT, (int)SA_RESETHAND, interrupt, runner);
}

static int run_main(struct runner *runner, hr_task_fn *fn, void *arg)
{
    struct hr_task_options options = {.name = "main", .loop = runner->loop};
    hr_auto(hr_future_unrefp) hr_task *main_task = hr_create_task_with(&options, fn, arg);
    if (!main_task)
        return hr_last_error()->code;
    runner->main = main_task;
    watch_interrupts(runner);
    int r = hr_loop_run_until_complete(runner->loop, hr_future_ref(main_task));
    hr__signal_remove(runner->loop, SIGINT);
    if (r == -ECANCELED && runner->interrupted && hr_task_uncancel(main_task) == 0)
        return hr_fail(HR_EINTERRUPTED, "interrupted");
    return r;
}

int hr_run_with(const struct hr_loop_options *options, hr_task_fn *fn, void *arg)
{
    if (hr__loop_running)
        return hr_fail(-EBUSY, "a loop runs already in this thread");
    struct runner runner = {.loop = hr_loop_new(options)};
    if (!runner.loop)
        return hr_last_error()->code;
    int r = run_main(&runner, fn, arg);

    struct hr_error record; /* what runs while the loop closes may fail, too */
    hr_error_copy(&record, hr_last_error());
    hr_loop_free(runner.loop);
    hr_error_raise(&record);
    hr_error_done(&record);
    return r;
}
