/* SPDX-License-Identifier: MIT */
/*
 * Tasks from another thread that wait: 6 s and 4 s are 6 s, as they run side by side.
 */
#include <core/headrace.h>
#include <stdio.h>

static int nap(void *arg)
{
    int seconds = *(int *)arg;
    int r = hr_sleep(hr_seconds(seconds));
    if (r < 0)
        return r;
    printf("waited for %d s\n", seconds);
    return seconds;
}

int main(void)
{
    static int six = 6, four = 4;
    hr_usec begin = hr_now();
    hr_loop_thread *worker = hr_loop_thread_new("worker", NULL);
    if (!worker)
        return 1;

    hr_loop *loop = hr_loop_thread_loop(worker);
    hr_auto(hr_thread_future_unrefp) hr_thread_future *slow = hr_submit(loop, "slow", nap, &six);
    hr_auto(hr_thread_future_unrefp) hr_thread_future *fast = hr_submit(loop, "fast", nap, &four);
    puts("both were handed over");
    int six_back = hr_thread_future_wait(slow, HR_FOREVER);
    int four_back = hr_thread_future_wait(fast, HR_FOREVER);
    printf("results %d %d\n", six_back, four_back);

    hr_loop_thread_free(worker);
    printf("took %.0f s\n", hr_in_seconds(hr_now() - begin));
    return six_back < 0 || four_back < 0;
}
