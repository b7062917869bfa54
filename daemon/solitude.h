/* SPDX-License-Identifier: MIT */
/*
 * Company and solitude: batches run side by side, but one that may have crashed a process is run
 * with nothing else in this one, or its innocent neighbours would be counted as suspects too
 * (protocol.md, R7).
 *
 * A lock with many readers (company) and one writer (solitude). A waiting writer lets no new reader
 * in, so its turn comes however busy the jobs are.
 */
#pragma once

#include "core/headrace.h"

struct solitude {
    unsigned company;      /* batches that run side by side */
    unsigned joiners;      /* who waits to join it */
    unsigned hermits;      /* who waits to be alone */
    bool alone;            /* somebody is */
    struct hr_event calm;  /* set while company may come in */
    struct hr_event empty; /* set while a hermit may begin */
};

void solitude_init(struct solitude *solitude);
void solitude_done(struct solitude *solitude);

/* Joins the company, waiting while somebody is or wants to be alone. 0, or -ECANCELED: not in. */
hr_async int solitude_join(struct solitude *solitude);
void solitude_leave(struct solitude *solitude);

/* Leaves the company for so long and joins again. Cancelled, it is in the company at once, for the
 * cleaning up that follows. 0, or -ECANCELED. */
hr_async int solitude_pause(struct solitude *solitude, hr_usec span);

/* Waits until everybody has left, then is alone. 0, or -ECANCELED: not alone. */
hr_async int solitude_begin(struct solitude *solitude);
void solitude_end(struct solitude *solitude);

/* True when somebody waits for those who are in, in company or alone, to be done. */
static inline bool solitude_is_awaited(const struct solitude *solitude)
{
    return solitude->joiners > 0 || solitude->hermits > 0;
}
