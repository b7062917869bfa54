/* SPDX-License-Identifier: MIT */
/*
 * Ten sleepers, and half a second of patience: what is not done by then is cancelled.
 */
#include <core/headrace.h>
#include <stdio.h>

static int sleeper(void *arg)
{
    int n = *(int *)arg;
    int r = hr_sleep(hr_ms(100 * n));
    if (r >= 0)
        printf("sleeper %d is done\n", n);
    else
        printf("sleeper %d is cancelled\n", n);
    return r;
}

static int run(void *arg)
{
    static int numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    hr_auto(hr_futures_done) struct hr_futures sleepers = {0};
    for (int n = 0; n < 10; n++)
        hr_futures_add(&sleepers, hr_create_task(NULL, sleeper, &numbers[n]));

    int done = hr_wait(&sleepers, HR_ALL_COMPLETED, hr_ms(550));
    if (done < 0)
        return done;
    printf("%d done, %d pending\n", done, 10 - done);
    for (int n = 0; n < 10; n++)
        hr_task_cancel(sleepers.items[n], NULL);
    return hr_wait(&sleepers, HR_ALL_COMPLETED, HR_FOREVER);
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "wait_timeout: %s\n", hr_error_message(r));
    return r < 0;
}
