/* SPDX-License-Identifier: MIT */
/*
 * Answers in the order in which they come.
 */
#include <core/headrace.h>
#include <stdio.h>

static int answer(void *arg)
{
    int seconds = *(int *)arg;
    int r = hr_sleep(hr_seconds(seconds));
    return r < 0 ? r : seconds;
}

static int run(void *arg)
{
    static int seconds[] = {4, 1, 2};
    hr_usec begin = hr_now();
    hr_auto(hr_futures_done) struct hr_futures answers = {0};
    for (int i = 0; i < 3; i++)
        hr_futures_add(&answers, hr_create_task(NULL, answer, &seconds[i]));

    hr_auto(hr_as_completed_freep) hr_as_completed *steps =
        hr_as_completed_new(&answers, HR_FOREVER, 0);
    hr_future *next;
    int r;
    while ((r = hr_as_completed_next(steps, &next)) >= 0)
        printf("%d after %.0f s\n", hr_future_status(next), hr_in_seconds(hr_now() - begin));
    return r == HR_EEND ? 0 : r;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "as_completed: %s\n", hr_error_message(r));
    return r < 0;
}
