/* SPDX-License-Identifier: MIT */
/*
 * Three greenlets in a ring, each of which hands control to the next by name.
 */
#include <core/headrace.h>
#include <stdio.h>

struct station {
    char name;
    struct station *following;
    hr_greenlet *greenlet;
};

static int station(void *arg, void **value)
{
    struct station *self = arg;
    for (int i = 0; i < 5; i++) {
        printf("%c%d\n", self->name, i);
        int r = hr_greenlet_switch(self->following->greenlet, NULL, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

int main(void)
{
    struct station a = {'A'}, b = {'B'}, c = {'C'};
    a.following = &b, b.following = &c, c.following = &a;
    hr_auto(hr_greenlet_freep) hr_greenlet *first = hr_greenlet_new(station, &a, NULL);
    hr_auto(hr_greenlet_freep) hr_greenlet *second = hr_greenlet_new(station, &b, NULL);
    hr_auto(hr_greenlet_freep) hr_greenlet *third = hr_greenlet_new(station, &c, NULL);
    if (!first || !second || !third)
        return 1;
    a.greenlet = first, b.greenlet = second, c.greenlet = third;

    int r = hr_greenlet_switch(first, NULL, NULL);
    puts("the ring is over");
    return r < 0;
}
