/* SPDX-License-Identifier: MIT */
/*
 * Histograms: a bound belongs to its own bucket, what is beyond the last one to the last bucket.
 */
#include "daemon/stats.h"

#include "tests/support/hrtest.h"

TEST_PLAIN(a_span_is_counted_in_the_first_bucket_that_holds_it)
{
    struct histogram histogram = {0};
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram_add(&histogram, (hr_usec)(histogram_bounds[i] * 1e6 + 0.5), 1);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        ASSERT_EQ(histogram.buckets[i], 1);
    histogram_add(&histogram, 0, 1);
    histogram_add(&histogram, hr_ms(1) + 1, 1);
    histogram_add(&histogram, hr_seconds(1000), 1);
    ASSERT_EQ(histogram.buckets[0], 2);
    ASSERT_EQ(histogram.buckets[1], 2);
    ASSERT_EQ(histogram.buckets[HISTOGRAM_BUCKETS], 1);
    ASSERT_EQ(histogram.count, HISTOGRAM_BUCKETS + 3);
    ASSERT_TRUE(histogram.sum > 1126.68 && histogram.sum < 1126.70);
}

TEST_PLAIN(many_of_one_span_are_counted_at_once)
{
    struct histogram histogram = {0};
    histogram_add(&histogram, hr_ms(500), 1000);
    histogram_add(&histogram, hr_ms(500), 0);
    ASSERT_EQ(histogram.buckets[7], 1000);
    ASSERT_EQ(histogram.count, 1000);
    ASSERT_TRUE(histogram.sum > 499.9 && histogram.sum < 500.1);
}
