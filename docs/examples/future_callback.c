/* SPDX-License-Identifier: MIT */
/*
 * A callback completes a future that somebody waits for.
 */
#include <core/headrace.h>
#include <stdio.h>

static void mark_done(void *arg)
{
    hr_future *future = arg;
    puts("the callback sets 42");
    hr_future_set_status(future, 42);
}

static int run(void *arg)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    if (!future || !hr_call_soon(mark_done, future))
        return hr_last_error()->code;
    puts("main waits");
    int r = hr_await(future);
    if (r >= 0)
        printf("main got %d\n", r);
    return r;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "future_callback: %s\n", hr_error_message(r));
    return r < 0;
}
