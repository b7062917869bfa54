/* SPDX-License-Identifier: MIT */
/*
 * Three ways to be patient for a second: with a task, with a piece of code, and without ending it.
 */
#include <core/headrace.h>
#include <stdio.h>

static int slow(void *arg)
{
    int r = hr_sleep(hr_seconds(3));
    if (r == -ECANCELED)
        puts("slow is cancelled");
    else if (r >= 0)
        puts("slow is done");
    return r;
}

static int run(void *arg)
{
    int r = hr_wait_for(hr_create_task("slow", slow, NULL), hr_seconds(1));
    if (r != -ETIMEDOUT)
        return r;
    puts("wait_for: too slow");

    struct hr_timeout limit = {0};
    hr_timeout_enter(&limit, hr_seconds(1));
    r = hr_timeout_leave(&limit, slow(NULL));
    if (r != -ETIMEDOUT)
        return r;
    puts("timeout: too slow");

    hr_task *task = hr_create_task("slow", slow, NULL);
    hr_timeout_enter(&limit, hr_seconds(1));
    r = hr_timeout_leave(&limit, hr_shield(hr_future_ref(task)));
    if (r == -ETIMEDOUT)
        puts("shield: too slow, and goes on");
    return hr_join(task);
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "limits: %s\n", hr_error_message(r));
    return r < 0;
}
