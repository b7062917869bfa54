/* SPDX-License-Identifier: MIT */
/*
 * A read of a disk cannot be taken back, so the wait for it is shielded; a cancel that comes
 * meanwhile is delivered at the task's next wait.
 */
#include "core/patch/pool.h"

#include <signal.h>

#include "core/executor.h"
#include "core/timeout.h"

struct work {
    void (*fn)(void *arg);
    void *arg;
    bool done;
};

static int run(void *arg, void **ret_value)
{
    struct work *work = arg;
    work->fn(work->arg);
    work->done = true;
    return 0;
}

/* A handler of a fault, on a stack of its own: the task will not go on. */
static bool in_a_fault(void)
{
    stack_t stack;
    return sigaltstack(NULL, &stack) == 0 && stack.ss_flags & SS_ONSTACK;
}

void hr__patch_in_pool(void (*fn)(void *arg), void *arg)
{
    struct work work = {.fn = fn, .arg = arg};
    hr_future *future = in_a_fault() ? NULL : hr_run_in_executor(NULL, run, &work, NULL);
    if (future) {
        hr_shield_enter();
        (void)!hr_join(future);
        hr_shield_leave();
    }
    if (!work.done) /* it could not be queued, or was dropped when the pool closed */
        fn(arg);
}
