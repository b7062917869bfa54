/* SPDX-License-Identifier: MIT */
/*
 * Code that knows of no tasks and sleeps with the plain call; patched, only its own task sleeps.
 *
 *     cc patched.c $(pkg-config --cflags --libs libheadrace-patch) -o patched
 */
#include <core/headrace.h>
#include <core/patch/patch.h>
#include <stdio.h>
#include <unistd.h>

static void blocking_library(const char *name)
{
    for (int i = 0; i < 3; i++) {
        printf("%s%d\n", name, i);
        usleep(500000);
    }
}

static int worker(void *arg)
{
    blocking_library(hr_task_name(hr_current_task()));
    return 0;
}

static int run(void *arg)
{
    hr_auto(hr_futures_done) struct hr_futures workers = {0};
    hr_futures_add(&workers, hr_create_task("A", worker, NULL));
    hr_futures_add(&workers, hr_create_task("B", worker, NULL));
    hr_futures_add(&workers, hr_create_task("C", worker, NULL));
    return hr_gather(&workers, 0);
}

int main(void)
{
    int r = hr_patch(HR_PATCH_ALL);
    if (r >= 0)
        r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "patched: %s\n", hr_error_message(r));
    return r < 0;
}
