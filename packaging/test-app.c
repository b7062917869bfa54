/* SPDX-License-Identifier: MIT */
/*
 * A program as a user of the installed libraries writes it: two tasks, one result.
 */
#include "core/headrace.h"
#include "drivers/redis.h"

#include <stdio.h>

static int nap(void *arg)
{
    return hr_sleep(hr_ms(*(int *)arg));
}

static int root(void *arg)
{
    int short_nap = 1, long_nap = 60000;
    if (hr_wait_for(hr_create_task("nap", nap, &short_nap), hr_seconds(10)) < 0)
        return 1;
    return hr_wait_for(hr_create_task("nap", nap, &long_nap), hr_ms(5)) == -ETIMEDOUT ? 0 : 2;
}

int main(void)
{
    int r = hr_run(root, NULL);
    printf("the task returned %d\n", r);
    return r;
}
