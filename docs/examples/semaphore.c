/* SPDX-License-Identifier: MIT */
/*
 * Twenty jobs of a second, at most five of them at a time.
 */
#include <core/headrace.h>
#include <stdio.h>

struct job {
    int n;
    hr_semaphore *semaphore;
};

static int job(void *arg)
{
    struct job *job = arg;
    hr_auto(hr_semaphore_releasep) hr_semaphore *held = NULL;
    int r = hr_semaphore_hold(job->semaphore, &held);
    if (r < 0)
        return r;
    printf("job %d\n", job->n);
    return hr_sleep(hr_seconds(1));
}

static int run(void *arg)
{
    hr_usec begin = hr_now();
    hr_auto(hr_semaphore_done) hr_semaphore semaphore;
    hr_semaphore_init(&semaphore, 5, false);
    struct job jobs[20];
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    for (int n = 0; n < 20; n++) {
        jobs[n] = (struct job){n, &semaphore};
        hr_futures_add(&tasks, hr_create_task(NULL, job, &jobs[n]));
    }
    int r = hr_gather(&tasks, HR_CANCEL_REST);
    if (r >= 0)
        printf("took %.0f s\n", hr_in_seconds(hr_now() - begin));
    return r;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "semaphore: %s\n", hr_error_message(r));
    return r < 0;
}
