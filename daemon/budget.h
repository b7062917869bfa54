/* SPDX-License-Identifier: MIT */
/*
 * The memory budget: everything that buffers items charges it, and claiming stops at 80 %.
 *
 * So memory is bounded by configuration, whatever the backlog. One budget a process, shared by all
 * jobs.
 */
#pragma once

#include "core/headrace.h"

struct budget {
    size_t limit, used; /* bytes */
    struct hr_event room;
};

void budget_init(struct budget *budget, size_t limit);
void budget_done(struct budget *budget);

/* Waits until less than 80 % is used, then charges bytes. A single charge larger than the budget
 * is let through when nothing else is charged, or a big item would wait for ever. 0, -ECANCELED. */
hr_async int budget_charge(struct budget *budget, size_t bytes);

/* Corrects a charge to what is really held, up or down, without waiting. */
void budget_adjust(struct budget *budget, size_t from, size_t to);
