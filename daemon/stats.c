/* SPDX-License-Identifier: MIT */
#include "daemon/stats.h"

const double histogram_bounds[HISTOGRAM_BUCKETS] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
                                                    0.1,   0.5,   1,     5,    20,   100};

void histogram_add(struct histogram *histogram, hr_usec span, uint64_t n)
{
    double seconds = (double)span / 1e6;
    size_t i = 0;
    while (i < HISTOGRAM_BUCKETS && seconds > histogram_bounds[i])
        i++;
    histogram->buckets[i] += n;
    histogram->count += n;
    histogram->sum += seconds * (double)n;
}
