/* SPDX-License-Identifier: MIT */
/*
 * Callbacks from another thread that block: 6 s and 3 s are 9 s, as they run one after the other.
 */
#include <core/headrace.h>
#include <stdio.h>
#include <unistd.h>

static void block(void *arg)
{
    int seconds = *(int *)arg;
    sleep(seconds);
    printf("blocked for %d s\n", seconds);
}

int main(void)
{
    static int six = 6, three = 3;
    hr_usec begin = hr_now();
    hr_loop_thread *worker = hr_loop_thread_new("worker", NULL);
    if (!worker)
        return 1;

    hr_loop *loop = hr_loop_thread_loop(worker);
    int r = hr_call_soon_threadsafe(loop, block, &six);
    if (r >= 0)
        r = hr_call_soon_threadsafe(loop, block, &three);
    if (r >= 0)
        puts("both were handed over");

    hr_loop_thread_free(worker);
    printf("took %.0f s\n", hr_in_seconds(hr_now() - begin));
    return r < 0;
}
