/* SPDX-License-Identifier: MIT */
/*
 * The rows of runtime.c that need somebody outside the loop: threads, or sockets.
 */
#pragma once

#include "core/headrace.h"

extern uint64_t bench_count, bench_times; /* of the command line */

_Noreturn void bench_die(const char *what);

/* A call that cannot fail here. */
static inline void must(int code)
{
    if (hr_unlikely(code < 0))
        bench_die(hr_error_text(code));
}

void row_executor(void);         /* jobs of one thread, awaited one by one */
void row_executor_batch(void);   /* calls in four threads, all at once */
void row_executor_futures(void); /* the same, each with a future of its own */
void row_submit(void);           /* a thread hands tasks to the loop and waits for each */
void row_submit_batch(void);     /* as submit, but waits when all are handed over */

int serve_echo(void *port);
