/* SPDX-License-Identifier: MIT */
/*
 * hr_run: a program's main task on a loop of its own, from the first slice to the last descriptor.
 */
#include "core/loop_impl.h"

int hr_run(hr_task_fn *fn, void *arg)
{
    return hr_run_with(NULL, fn, arg);
}

int hr_run_with(const struct hr_loop_options *options, hr_task_fn *fn, void *arg)
{
    if (hr__loop_running)
        return hr_fail(-EBUSY, "a loop runs already in this thread");
    hr_loop *loop = hr_loop_new(options);
    if (!loop)
        return hr_last_error()->code;

    hr_task *main_task =
        hr_create_task_with(&(struct hr_task_options){.name = "main", .loop = loop}, fn, arg);
    int r = main_task ? 0 : hr_last_error()->code;
    if (r == 0)
        r = hr_loop_run_until_complete(loop, main_task);
    hr_loop_free(loop);
    return r;
}
