/* SPDX-License-Identifier: MIT */
/*
 * A task that is cancelled before it started never runs.
 */
#include <core/headrace.h>
#include <stdio.h>

static int job(void *arg)
{
    puts("never printed");
    return 0;
}

static int run(void *arg)
{
    hr_task *task = hr_create_task("job", job, NULL);
    if (task && hr_task_cancel(task, NULL))
        puts("asked it to end");
    int r = hr_join(task);
    if (r == -ECANCELED && hr_task_cancelling(hr_current_task()) == 0) {
        puts("it was cancelled");
        r = 0;
    }
    return r;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "cancel_early: %s\n", hr_error_message(r));
    return r < 0;
}
