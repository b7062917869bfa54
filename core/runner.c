/* SPDX-License-Identifier: MIT */
/*
 * A program's main tasks on a loop of their own, from the first slice to the last descriptor.
 *
 * The first SIGINT cancels the main task, which may clean up. The handler is good for one signal
 * only, so a second one has its ordinary effect even if the loop is stuck. A program that handles
 * or ignores SIGINT itself is left alone.
 */
#include "core/runner.h"

#include <signal.h>
#include <unistd.h>

#include "core/loop_impl.h"

struct hr_runner {
    hr_loop *loop;
    hr_task *main; /* while it runs */
    bool interrupted;
};

static void interrupt(void *arg)
{
    hr_runner *runner = arg;
    runner->interrupted = hr_task_cancel(runner->main, "interrupted");
}

static void watch_interrupts(hr_runner *runner)
{
    struct sigaction present;
    if (gettid() != getpid() || sigaction(SIGINT, NULL, &present) < 0 ||
        (present.sa_flags & SA_SIGINFO) || present.sa_handler != SIG_DFL)
        return;
    /* If another loop owns signals, they are its business. */
    (void)hr__signal_add(runner->loop, SIGINT, (int)SA_RESETHAND, interrupt, runner);
}

hr_runner *hr_runner_new(const struct hr_loop_options *options)
{
    hr_runner *runner = calloc(1, sizeof(*runner));
    if (!runner) {
        hr_fail(-ENOMEM, "no memory for a runner");
        return NULL;
    }
    runner->loop = hr_loop_new(options);
    if (!runner->loop) {
        free(runner);
        return NULL;
    }
    return runner;
}

int hr_runner_run(hr_runner *runner, hr_task_fn *fn, void *arg)
{
    if (hr__loop_running)
        return hr_fail(-EBUSY, "a loop runs already in this thread");
    struct hr_task_options options = {.name = "main", .loop = runner->loop};
    hr_auto(hr_future_unrefp) hr_task *main_task = hr_create_task_with(&options, fn, arg);
    if (!main_task)
        return hr_last_error()->code;
    runner->main = main_task;
    runner->interrupted = false;
    watch_interrupts(runner);
    int r = hr_loop_run_until_complete(runner->loop, hr_future_ref(main_task));
    hr__signal_remove(runner->loop, SIGINT, interrupt); /* not one that main has set */
    if (r == -ECANCELED && runner->interrupted && hr_task_uncancel(main_task) == 0)
        return hr_fail(HR_EINTERRUPTED, "interrupted");
    return r;
}

hr_loop *hr_runner_loop(hr_runner *runner)
{
    return runner->loop;
}

hr_runner *hr_runner_free(hr_runner *runner)
{
    if (!runner)
        return NULL;
    struct hr_error record; /* what runs while the loop closes may fail, too */
    hr_error_copy(&record, hr_last_error());
    hr_loop_free(runner->loop);
    free(runner);
    hr_error_raise(&record);
    hr_error_done(&record);
    return NULL;
}

void hr_runner_freep(hr_runner **runner)
{
    *runner = hr_runner_free(*runner);
}

int hr_run_with(const struct hr_loop_options *options, hr_task_fn *fn, void *arg)
{
    if (hr__loop_running)
        return hr_fail(-EBUSY, "a loop runs already in this thread");
    hr_runner *runner = hr_runner_new(options);
    if (!runner)
        return hr_last_error()->code;
    int r = hr_runner_run(runner, fn, arg);
    hr_runner_free(runner);
    return r;
}

int hr_run(hr_task_fn *fn, void *arg)
{
    return hr_run_with(NULL, fn, arg);
}
