/* SPDX-License-Identifier: MIT */
/*
 * A program that waits three times becomes one that waits side by side.
 */
#include <core/headrace.h>
#include <stdio.h>

static int fetch(void *arg)
{
    int seconds = *(int *)arg;
    int r = hr_sleep(hr_seconds(seconds));
    if (r >= 0)
        printf("fetched what takes %d s\n", seconds);
    return r;
}

static int all_in_turn(int seconds[3])
{
    int r = 0;
    for (int i = 0; i < 3 && r >= 0; i++)
        r = fetch(&seconds[i]);
    return r;
}

static int all_at_once(int seconds[3])
{
    hr_auto(hr_futures_done) struct hr_futures fetches = {0};
    for (int i = 0; i < 3; i++)
        hr_futures_add(&fetches, hr_create_task(NULL, fetch, &seconds[i]));
    return hr_gather(&fetches, HR_CANCEL_REST);
}

static int run(void *arg)
{
    int seconds[] = {3, 1, 2};
    hr_usec begin = hr_now();
    int r = all_in_turn(seconds);
    if (r < 0)
        return r;
    printf("in turn: %.0f s\n", hr_in_seconds(hr_now() - begin));
    begin = hr_now();
    r = all_at_once(seconds);
    if (r >= 0)
        printf("at once: %.0f s\n", hr_in_seconds(hr_now() - begin));
    return r;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "sync_to_async: %s\n", hr_error_message(r));
    return r < 0;
}
