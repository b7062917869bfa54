/* SPDX-License-Identifier: MIT */
/*
 * A program of somebody who wants the runtime alone: C and C++ in one text.
 */
#include <core/headrace.h>

#include <stdio.h>

static int count(hr_generator *self, void *arg)
{
    for (int *left = (int *)arg; *left > 0; --*left) {
        int r = hr_generator_yield(self, left, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

static int consume(void *arg)
{
    hr_generator *numbers = hr_generator_new(count, arg);
    void *value = NULL;
    int sum = 0;
    while (hr_generator_next(numbers, &value) == 0)
        sum += *(int *)value + (hr_sleep(hr_ms(1)) < 0);
    hr_generator_free(numbers);
    return sum;
}

static int root(void *arg)
{
    return hr_wait_for(hr_create_task("consume", consume, arg), hr_seconds(10));
}

int main(void)
{
    int upto = 4;
    int sum = hr_run(root, &upto);
    printf("%d\n", sum);
    return sum == 10 ? 0 : 1;
}
