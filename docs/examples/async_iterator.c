/* SPDX-License-Identifier: MIT */
/*
 * An iterator that may wait for its next value.
 */
#include <core/headrace.h>
#include <stdio.h>

static int reader(hr_generator *self, void *arg)
{
    for (int count = 1; count < 100; count++) {
        int r = hr_sleep(hr_ms(10));
        if (r >= 0)
            r = hr_generator_yield(self, &count, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

static int run(void *arg)
{
    hr_auto(hr_generator_freep) hr_generator *lines = hr_generator_new(reader, NULL);
    if (!lines)
        return hr_last_error()->code;
    void *line;
    int r;
    while ((r = hr_generator_next(lines, &line)) >= 0)
        printf("%d\n", *(int *)line);
    return r == HR_EEND ? 0 : r;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "async_iterator: %s\n", hr_error_message(r));
    return r < 0;
}
