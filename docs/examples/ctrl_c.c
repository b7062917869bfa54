/* SPDX-License-Identifier: MIT */
/*
 * Ctrl-C cancels every task, and each of them cleans up before the program ends.
 */
#include <core/headrace.h>
#include <signal.h>
#include <stdio.h>

static int worker(void *arg)
{
    puts("working");
    int r = hr_sleep(hr_seconds(3600));
    if (r != -ECANCELED)
        return r;
    int cleanup = hr_sleep(hr_ms(100)); /* one cancel interrupts one wait */
    puts("cleaned up");
    return cleanup < 0 ? cleanup : r;
}

static void cancel(hr_task *task, void *cookie)
{
    printf("cancelled: %s\n", hr_task_cancel(task, "Ctrl-C") ? "yes" : "no");
}

static void cancel_all(void *arg)
{
    hr_all_tasks(NULL, cancel, NULL);
}

static int run(void *arg)
{
    int r = hr_add_signal_handler(SIGINT, cancel_all, NULL);
    if (r < 0)
        return r;
    hr_auto(hr_futures_done) struct hr_futures workers = {0};
    for (int i = 0; i < 3; i++)
        hr_futures_add(&workers, hr_create_task(NULL, worker, NULL));
    return hr_gather(&workers, 0);
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r == -ECANCELED)
        puts("all are over");
    else if (r < 0)
        fprintf(stderr, "ctrl_c: %s\n", hr_error_message(r));
    return r < 0 && r != -ECANCELED;
}
