/* SPDX-License-Identifier: MIT */
/*
 * What is counted about a job, for /metrics and status.
 */
#pragma once

#include "core/base.h"
#include "daemon/errors.h"

/* Upper bounds in seconds: 1 ms … 100 s; one more bucket counts the rest. */
#define HISTOGRAM_BUCKETS 12
extern const double histogram_bounds[HISTOGRAM_BUCKETS];

struct histogram {
    uint64_t buckets[HISTOGRAM_BUCKETS + 1]; /* not cumulative */
    uint64_t count;
    double sum; /* seconds */
};

/* Counts n times the same span. */
void histogram_add(struct histogram *histogram, hr_usec span, uint64_t n);

struct job_stats {
    uint64_t claimed;
    uint64_t ok, dropped, duplicate, dead; /* items finished, by outcome */
    uint64_t retried;                      /* items put aside for another attempt */
    uint64_t batches_ok;                   /* attempts that went in */
    uint64_t batches_failed[CLASS_COUNT];  /* attempts that did not, by class */
    uint64_t dead_by_class[CLASS_COUNT];
    uint64_t recovered;   /* leases taken over */
    uint64_t ledger_hits; /* batches that turned out to be decided already */
    uint64_t handed_back;
    uint64_t taken;      /* items that left their list for good, at their first attempt */
    unsigned batch_rows; /* of the latest batch */
    struct histogram sink_duration;
    struct histogram item_wait;
    double last_progress; /* seconds since 1970; 0: none yet */
};
