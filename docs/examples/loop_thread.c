/* SPDX-License-Identifier: MIT */
/*
 * A loop in a thread of its own gets one more task each second.
 */
#include <core/headrace.h>
#include <stdio.h>
#include <unistd.h>

static int job(void *arg)
{
    int n = *(int *)arg;
    printf("begin %d\n", n);
    int r = hr_sleep(hr_ms(2500));
    if (r >= 0)
        printf("end %d\n", n);
    return r;
}

int main(void)
{
    static int numbers[] = {0, 1, 2};
    hr_thread_future *jobs[3];
    int r = 0;
    hr_auto(hr_loop_thread_freep) hr_loop_thread *worker = hr_loop_thread_new("worker", NULL);
    if (!worker)
        return 1;

    for (int n = 0; n < 3; n++) {
        jobs[n] = hr_submit(hr_loop_thread_loop(worker), NULL, job, &numbers[n]);
        sleep(1);
    }
    for (int n = 0; n < 3; n++) {
        int done = hr_thread_future_wait(jobs[n], HR_FOREVER);
        r = r < 0 ? r : done;
        hr_thread_future_unref(jobs[n]);
    }
    if (r < 0)
        fprintf(stderr, "loop_thread: %s\n", hr_error_message(r));
    return r < 0;
}
