/* SPDX-License-Identifier: MIT */
/*
 * Ten jobs of a second on five threads: five run, five wait, and it takes two seconds.
 */
#include <core/headrace.h>
#include <stdio.h>
#include <unistd.h>

static int job(void *arg, void **ret_value)
{
    sleep(1);
    return *(int *)arg;
}

static int run(void *arg)
{
    static int numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    hr_usec begin = hr_now();
    hr_auto(hr_executor_freep) hr_executor *pool = hr_executor_new("five", 5);
    if (!pool)
        return hr_last_error()->code;
    hr_auto(hr_futures_done) struct hr_futures jobs = {0};
    for (int n = 0; n < 10; n++)
        hr_futures_add(&jobs, hr_run_in_executor(pool, job, &numbers[n], NULL));

    int r = hr_wait(&jobs, HR_ALL_COMPLETED, hr_ms(500));
    if (r < 0)
        return r;
    int running = 0;
    for (size_t i = 0; i < jobs.count; i++)
        running += hr_future_running(jobs.items[i]);
    printf("%d running, %zu waiting\n", running, jobs.count - running);

    for (size_t i = 0; i < jobs.count; i++) {
        r = hr_await(jobs.items[i]);
        if (r < 0)
            return r;
        printf("job %d\n", r);
    }
    printf("took %.0f s\n", hr_in_seconds(hr_now() - begin));
    return 0;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "thread_pool: %s\n", hr_error_message(r));
    return r < 0;
}
