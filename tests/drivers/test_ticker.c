/* SPDX-License-Identifier: MIT */
/*
 * What the ticker of the tests takes for a blocked thread, and what not.
 */
#include "tests/support/ticker.h"

#include <time.h>
#include <unistd.h>

#define MS INT64_C(1000000)

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void work(clockid_t clock, int ms)
{
    for (int64_t end = nanoseconds(clock) + ms * MS; nanoseconds(clock) < end;)
        ;
}

static struct ticker beside(void (*body)(void))
{
    struct ticker ticker;
    ticker_start(&ticker);
    body();
    ticker_end(&ticker);
    return ticker;
}

static void block(void)
{
    usleep(60000);
}

static void wait_among_tasks(void)
{
    ASSERT_ERR(hr_sleep(hr_ms(60)), 0);
}

static void compute(void)
{
    work(CLOCK_THREAD_CPUTIME_ID, 60);
}

static void block_with_an_excuse(void)
{
    TICKER_EXCUSED();
    usleep(60000);
}

TEST_REAL(a_thread_that_blocks_is_told_from_one_that_works_and_one_that_waits)
{
    struct ticker blocked = beside(block), computed = beside(compute);
    ASSERT_TRUE(blocked.worst >= 40 * MS);
    ASSERT_TRUE(computed.busiest >= 60 * MS);
    if (blocked.blind)
        return; /* what did not happen cannot be told from a busy machine */
    ASSERT_TRUE(blocked.busiest < test_patience(40) * MS);
    ASSERT_TRUE(computed.worst < 40 * MS);
    ASSERT_TRUE(beside(wait_among_tasks).worst < 40 * MS);
    ASSERT_TRUE(beside(block_with_an_excuse).worst < 40 * MS);
}
