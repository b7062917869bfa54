/* SPDX-License-Identifier: MIT */
/*
 * Five calls that block for one to five seconds, on five threads; the loop goes on meanwhile.
 */
#include <core/headrace.h>
#include <stdio.h>
#include <unistd.h>

static int block(void *arg, void **ret_value)
{
    int seconds = *(int *)arg;
    sleep(seconds);
    return seconds;
}

static int run(void *arg)
{
    static int seconds[] = {1, 2, 3, 4, 5};
    hr_usec begin = hr_now();
    hr_auto(hr_executor_freep) hr_executor *pool = hr_executor_new("blocking", 5);
    if (!pool)
        return hr_last_error()->code;
    hr_auto(hr_futures_done) struct hr_futures jobs = {0};
    for (int i = 0; i < 5; i++)
        hr_futures_add(&jobs, hr_run_in_executor(pool, block, &seconds[i], NULL));
    int r = hr_gather(&jobs, 0);
    if (r < 0)
        return r;
    for (size_t i = 0; i < jobs.count; i++)
        printf("slept %d\n", hr_future_status(jobs.items[i]));
    printf("took %.0f s\n", hr_in_seconds(hr_now() - begin));
    return 0;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "executor_sleeps: %s\n", hr_error_message(r));
    return r < 0;
}
