/* SPDX-License-Identifier: MIT */
#include "daemon/age.h"

/* Who looks so rarely cannot tell what happened in between. */
#define LOOK_AT_LEAST hr_seconds(600)

/* Drops the mark that is missed least: the one whose neighbours are nearest. */
static void thin_out(struct age *age)
{
    size_t least = 1;
    for (size_t i = 1; i + 1 < age->count; i++) {
        if (age->marks[i + 1].at - age->marks[i - 1].at <
            age->marks[least + 1].at - age->marks[least - 1].at)
            least = i;
    }
    age->count--;
    for (size_t i = least; i < age->count; i++)
        age->marks[i] = age->marks[i + 1];
}

/* Marks of which it is known that all their items are gone. */
static void pass(struct age *age, uint64_t taken)
{
    size_t passed = 0;
    while (passed < age->count && age->marks[passed].gone_at <= taken)
        passed++;
    if (passed == 0)
        return;
    age->since = age->marks[passed - 1].at;
    age->count -= passed;
    for (size_t i = 0; i < age->count; i++)
        age->marks[i] = age->marks[passed + i];
}

hr_usec age_look(struct age *age, uint64_t length, uint64_t taken, hr_usec now)
{
    bool blind = age->looked == 0 || now - age->looked > LOOK_AT_LEAST;
    age->looked = now;
    if (blind || length == 0) {
        age->count = 0;
        age->since = now;
    }
    pass(age, taken);
    /* Where others have taken some, an older mark's items are gone no later than these. */
    while (age->count > 0 && age->marks[age->count - 1].gone_at >= taken + length)
        age->count--;
    if (age->count == AGE_MARKS)
        thin_out(age);
    if (length > 0)
        age->marks[age->count++] = (struct age_mark){now, taken + length};
    return length > 0 ? now - age->since : 0;
}
