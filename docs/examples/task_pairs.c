/* SPDX-License-Identifier: MIT */
/*
 * Two calls in turn take the sum of their times, two tasks the longer one.
 */
#include <core/headrace.h>
#include <stdio.h>

static int say_after(int seconds, const char *what)
{
    int r = hr_sleep(hr_seconds(seconds));
    if (r >= 0)
        puts(what);
    return r;
}

static int say_hello(void *arg)
{
    return say_after(1, "hello");
}

static int say_world(void *arg)
{
    return say_after(2, "world");
}

static int run(void *arg)
{
    hr_usec begin = hr_now();
    int r = say_after(1, "hello");
    if (r >= 0)
        r = say_after(2, "world");
    if (r < 0)
        return r;
    printf("in turn: %.0f s\n", hr_in_seconds(hr_now() - begin));

    begin = hr_now();
    hr_auto(hr_future_unrefp) hr_task *hello = hr_create_task("hello", say_hello, NULL);
    hr_auto(hr_future_unrefp) hr_task *world = hr_create_task("world", say_world, NULL);
    r = hr_await(hello);
    if (r >= 0)
        r = hr_await(world);
    if (r >= 0)
        printf("as tasks: %.0f s\n", hr_in_seconds(hr_now() - begin));
    return r;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "task_pairs: %s\n", hr_error_message(r));
    return r < 0;
}
