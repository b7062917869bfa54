/* SPDX-License-Identifier: MIT */
/*
 * Gathers of gathers: a stage of 5 s and one of 2 s take 7 s in turn, and 5 s side by side.
 */
#include <core/headrace.h>
#include <stdio.h>

static int job(void *arg)
{
    int seconds = *(int *)arg;
    int r = hr_sleep(hr_seconds(seconds));
    if (r >= 0)
        printf("a job of %d s is done\n", seconds);
    return r;
}

static int stage(void *arg)
{
    int *seconds = arg;
    hr_auto(hr_futures_done) struct hr_futures jobs = {0};
    hr_futures_add(&jobs, hr_create_task(NULL, job, &seconds[0]));
    hr_futures_add(&jobs, hr_create_task(NULL, job, &seconds[1]));
    int r = hr_gather(&jobs, HR_CANCEL_REST);
    if (r >= 0)
        printf("a stage of %zu jobs is done\n", jobs.count);
    return r;
}

static int run(void *arg)
{
    int first[] = {5, 4}, second[] = {2, 1};
    hr_usec begin = hr_now();
    int r = stage(first);
    if (r >= 0)
        r = stage(second);
    if (r < 0)
        return r;
    printf("in turn: %.0f s\n", hr_in_seconds(hr_now() - begin));

    begin = hr_now();
    hr_auto(hr_futures_done) struct hr_futures stages = {0};
    hr_futures_add(&stages, hr_create_task("first", stage, first));
    hr_futures_add(&stages, hr_create_task("second", stage, second));
    r = hr_gather(&stages, HR_CANCEL_REST);
    if (r >= 0)
        printf("side by side: %.0f s\n", hr_in_seconds(hr_now() - begin));
    return r;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "stages: %s\n", hr_error_message(r));
    return r < 0;
}
