/* SPDX-License-Identifier: MIT */
/*
 * How it works: a thread either runs, or is ready and waits for a processor, or sleeps; the kernel
 * counts the first two, so the third is what is left. Of the time between two ticks one period may
 * be slept, in the loop's own wait; what goes beyond was slept elsewhere. Where the kernel does not
 * count how long a thread waits for a processor, nothing is judged.
 */
#include "tests/support/ticker.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PERIOD hr_ms(10)

static _Thread_local int64_t excused_so_far;
static _Thread_local int excuses; /* one within another */

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* How long this thread was ready and did not run, as the kernel has it: the second number.
 * Negative: it does not tell. */
static int64_t kept_waiting(void)
{
    char text[96];
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return -1;
    text[n] = '\0';
    char *second, *end;
    (void)strtoll(text, &second, 10);
    int64_t waited = strtoll(second, &end, 10);
    return end > second ? waited : -1;
}

static int64_t slept(void)
{
    return nanoseconds(CLOCK_MONOTONIC) - nanoseconds(CLOCK_THREAD_CPUTIME_ID) - kept_waiting();
}

int64_t ticker_excuse_begin(void)
{
    excuses++;
    return slept();
}

void ticker_excuse_end(const int64_t *since)
{
    if (--excuses == 0)
        excused_so_far += slept() - *since;
}

static int tick(void *arg)
{
    struct ticker *ticker = arg;
    int64_t ran = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    for (int r = 0; r >= 0;) {
        int64_t before = slept() - excused_so_far;
        r = hr_sleep(PERIOD);
        int64_t blocked = slept() - excused_so_far - before - PERIOD * 1000;
        if (blocked > ticker->worst)
            ticker->worst = blocked;
        int64_t runs = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
        if (runs - ran > ticker->busiest)
            ticker->busiest = runs - ran;
        ran = runs;
    }
    return 0;
}

void ticker_start(struct ticker *ticker)
{
    *ticker = (struct ticker){.blind = kept_waiting() < 0};
    excuses = 0; /* a test that failed may have left one */
    ticker->task = hr_create_task("ticker", tick, ticker);
    test_passes(1);
}

void ticker_end(struct ticker *ticker)
{
    hr_task_cancel(ticker->task, NULL);
    ASSERT_ERR(hr_join(ticker->task), 0);
}

void ticker_end_on_time(struct ticker *ticker, hr_usec limit)
{
    ticker_end(ticker);
    if (ticker->blind) {
        fputs("no /proc/thread-self/schedstat: nobody knows whether the thread was blocked\n",
              stderr);
        return;
    }
    /* An emulator runs one thread at a time: what others take looks like sleep. */
    hr_usec blocked = test_emulated() ? test_patience(limit) : limit;
    if (ticker->worst > blocked * 1000)
        test_fail(__FILE__, __LINE__, "the thread was blocked for %lld ms at once",
                  (long long)(ticker->worst / 1000000));
    if (ticker->busiest > test_patience(limit) * 1000)
        test_fail(__FILE__, __LINE__, "the thread computed for %lld ms at once",
                  (long long)(ticker->busiest / 1000000));
}
