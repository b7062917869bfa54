/* SPDX-License-Identifier: MIT */
/*
 * Two callbacks hang on one future, each with an argument of its own.
 */
#include <core/headrace.h>
#include <stdio.h>

static void callback(hr_future *future, void *cookie)
{
    const int *n = cookie;
    printf("callback %d: %s\n", *n, (const char *)hr_future_result(future));
}

static int run(void *arg)
{
    static char result[] = "the result";
    static int one = 1, two = 2;
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    if (!future)
        return hr_last_error()->code;
    int r = hr_future_add_done_callback(future, callback, &one);
    if (r >= 0)
        r = hr_future_add_done_callback(future, callback, &two);
    if (r < 0)
        return r;
    puts("setting the result");
    hr_future_set_result(future, result, NULL);
    puts("nobody was called yet");
    return hr_yield();
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "done_callbacks: %s\n", hr_error_message(r));
    return r < 0;
}
