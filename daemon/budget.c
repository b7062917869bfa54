/* SPDX-License-Identifier: MIT */
#include "daemon/budget.h"

static bool has_room(const struct budget *budget)
{
    return budget->used < budget->limit / 5 * 4;
}

void budget_init(struct budget *budget, size_t limit)
{
    *budget = (struct budget){.limit = limit};
    hr_event_init(&budget->room);
    hr_event_set(&budget->room);
}

void budget_done(struct budget *budget)
{
    hr_assert(budget->used == 0);
    hr_event_done(&budget->room);
}

int budget_charge(struct budget *budget, size_t bytes)
{
    while (!has_room(budget)) {
        int r = hr_event_wait(&budget->room);
        if (r < 0)
            return r;
    }
    budget_adjust(budget, 0, bytes);
    return 0;
}

void budget_adjust(struct budget *budget, size_t from, size_t to)
{
    hr_assert(budget->used >= from);
    budget->used = budget->used - from + to;
    if (has_room(budget))
        hr_event_set(&budget->room);
    else
        hr_event_clear(&budget->room);
}
