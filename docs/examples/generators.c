/* SPDX-License-Identifier: MIT */
/*
 * Two generators taken in turn: the simplest scheduler there is.
 */
#include <core/headrace.h>
#include <stdio.h>

static int task(hr_generator *self, void *name)
{
    for (int i = 0; i < 3; i++) {
        printf("%s%d\n", (const char *)name, i);
        int r = hr_generator_yield(self, NULL, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

int main(void)
{
    static char names[][2] = {"A", "B"};
    hr_auto(hr_generator_freep) hr_generator *a = hr_generator_new(task, names[0]);
    hr_auto(hr_generator_freep) hr_generator *b = hr_generator_new(task, names[1]);
    if (!a || !b)
        return 1;
    void *value;
    int r = 0;
    for (int turn = 0; r >= 0; turn++)
        r = hr_generator_next(turn % 2 == 0 ? a : b, &value);
    return r != HR_EEND;
}
