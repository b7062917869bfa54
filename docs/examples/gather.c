/* SPDX-License-Identifier: MIT */
/*
 * Three jobs side by side; the results come in the order of asking.
 */
#include <core/headrace.h>
#include <stdio.h>

struct job {
    const char *name;
    int seconds;
};

static int job(void *arg)
{
    struct job *job = arg;
    printf("begin %s\n", job->name);
    int r = hr_sleep(hr_seconds(job->seconds));
    if (r < 0)
        return r;
    printf("end %s\n", job->name);
    return job->seconds;
}

static int run(void *arg)
{
    hr_usec begin = hr_now();
    hr_auto(hr_futures_done) struct hr_futures jobs = {0};
    hr_futures_add(&jobs, hr_create_task("A", job, &(struct job){"A", 3}));
    hr_futures_add(&jobs, hr_create_task("B", job, &(struct job){"B", 1}));
    hr_futures_add(&jobs, hr_create_task("C", job, &(struct job){"C", 2}));

    int r = hr_gather(&jobs, HR_CANCEL_REST);
    if (r < 0)
        return r;
    for (size_t i = 0; i < jobs.count; i++)
        printf("result %d\n", hr_future_status(jobs.items[i]));
    printf("took %.0f s\n", hr_in_seconds(hr_now() - begin));
    return 0;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "gather: %s\n", hr_error_message(r));
    return r < 0;
}
