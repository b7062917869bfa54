/* SPDX-License-Identifier: MIT */
/*
 * Ten jobs of a second in five processes, which share nothing with this one.
 */
#include <core/headrace.h>
#include <stdio.h>
#include <unistd.h>

static int square(const void *in, size_t size, struct hr_buf *out)
{
    int n = *(const int *)in;
    sleep(1);
    return hr_buf_printf(out, "%d", n * n);
}

static int run(void *arg)
{
    hr_usec begin = hr_now();
    hr_auto(hr_process_pool_freep) hr_process_pool *pool =
        hr_process_pool_new(&(struct hr_process_pool_options){.workers = 5});
    if (!pool)
        return hr_last_error()->code;
    hr_auto(hr_futures_done) struct hr_futures jobs = {0};
    for (int n = 0; n < 10; n++)
        hr_futures_add(&jobs, hr_run_in_process(pool, "square", &n, sizeof(n)));

    int r = hr_gather(&jobs, 0);
    if (r < 0)
        return r;
    for (int n = 0; n < 10; n++) {
        const struct hr_process_bytes *answer = hr_future_result(jobs.items[n]);
        printf("%d squared is %s\n", n, answer->bytes);
    }
    printf("took %.0f s\n", hr_in_seconds(hr_now() - begin));
    return 0;
}

int main(int argc, char **argv)
{
    static const struct hr_process_function functions[] = {
        {"square", square},
        {NULL,     NULL  }
    };
    hr_process_pool_main(argc, argv, functions); /* a worker does not come back */
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "process_pool: %s\n", hr_error_message(r));
    return r < 0;
}
