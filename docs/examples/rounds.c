/* SPDX-License-Identifier: MIT */
/*
 * Three tasks of five short sleeps go round together, as gevent's do.
 */
#include <core/headrace.h>
#include <stdio.h>

static int worker(void *arg)
{
    int r = 0;
    for (int i = 0; i < 5 && r >= 0; i++) {
        printf("%s%d\n", hr_task_name(hr_current_task()), i);
        r = hr_sleep(hr_ms(500));
    }
    return r;
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
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "rounds: %s\n", hr_error_message(r));
    return r < 0;
}
