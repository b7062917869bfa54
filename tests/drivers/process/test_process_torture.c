/* SPDX-License-Identifier: MIT */
/*
 * The first, then the second, then the n-th allocation of a program's and a worker's life fails.
 * Each time it says so, leaks nothing and waits for nothing; with memory back it works.
 */
#include <errno.h>
#include <string.h>

#include "drivers/process.h"
#include "drivers/worker_pool.h"
#include "tests/support/hrtest.h"
#include "tests/support/starve.h"

static int run_program(void)
{
    struct hr_process_output said;
    int r = hr_process_run(
        &(struct hr_process_options){
            .argv = (const char *const[]){"cat", NULL},
                .input = "hello", .input_size = 5
    },
        &said);
    if (r == 0) {
        ASSERT_STR(said.out, "hello");
        hr_process_output_done(&said);
    }
    return r;
}

static int ask(hr_worker_pool *pool)
{
    hr_auto(hr_freep) char *answer = NULL;
    int r = hr_worker_pool_ask(pool, "{}", 2, &answer, NULL);
    if (r == 0)
        ASSERT_STR(answer, "{}");
    return r;
}

static hr_worker_pool *pool;

static int ask_worker(void)
{
    pool = hr_worker_pool_new(&(struct hr_worker_pool_options){
        .argv = (const char *const[]){"sed", "-u",         "",                  NULL},
        .backoff = {.first = hr_ms(1),     .max = hr_ms(1), .factor = 1}
    });
    return pool ? ask(pool) : hr_last_error()->code;
}

static void torture(int (*life)(void), bool once)
{
    bool starved = true;
    long n = 0;
    for (; starved; n++) {
        starve_after(n, once);
        int r = life();
        starved = starve_end();
        if (r < 0 || !starved)
            ASSERT_ERR(r, starved ? -ENOMEM : 0);
        while (pool && (r = ask(pool)) == -ENOMEM) /* until its backoff is over */
            ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
        ASSERT_TRUE(!pool || r == 0);
        if (pool)
            ASSERT_ERR(hr_worker_pool_close(pool), 0);
        hr_worker_pool_freep(&pool);
    }
    ASSERT_TRUE(n > 5);
}

TEST_REAL(a_failed_allocation_is_an_error_of_the_program_that_was_run)
{
    torture(run_program, true);
    torture(run_program, false);
}

TEST_REAL(a_failed_allocation_is_an_error_of_the_request_to_a_worker)
{
    torture(ask_worker, true);
    torture(ask_worker, false);
}
