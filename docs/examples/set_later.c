/* SPDX-License-Identifier: MIT */
/*
 * A task completes a future after two seconds.
 */
#include <core/headrace.h>
#include <stdio.h>
#include <string.h>

static int set_after_2s(void *arg)
{
    hr_future *future = arg;
    int r = hr_sleep(hr_seconds(2));
    return r < 0 ? r : hr_future_set_result(future, strdup("world"), free);
}

static int run(void *arg)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    if (!future)
        return hr_last_error()->code;
    hr_task *task = hr_create_task("set", set_after_2s, future);
    puts("hello");
    int r = task ? hr_await(future) : hr_last_error()->code;
    if (r >= 0)
        puts(hr_future_result(future));
    int done = hr_join(task);
    return r < 0 ? r : done;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "set_later: %s\n", hr_error_message(r));
    return r < 0;
}
