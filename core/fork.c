/* SPDX-License-Identifier: MIT */
/*
 * What a forked child makes anew.
 *
 * A child has what its parent's loops have, and must leave it alone. The fork itself costs next to
 * nothing, for a child that runs another program: a loop gets a base of its own when it is first
 * used (loop_base.c), and who waits there for what is the parent's is told when it first looks
 * around.
 */
#include "core/fork.h"

#include <event2/event.h>
#include <pthread.h>

#include "core/debug.h"
#include "core/overflow.h"
#include "core/stack_cache.h"

unsigned hr__forks;

/* A lock that another thread holds at the fork would stay held in the child for good. */
static void hold_locks(void)
{
    hr__overflow_hold();
    hr__stack_cache_hold();
}

static void let_go_of_locks(void)
{
    hr__stack_cache_let_go();
    hr__overflow_let_go();
}

/* The loop that runs now may be calling events. Those that are left of them touch the base when
 * they are called, so they are called later; and no slice runs before a look. */
static void forked(void)
{
    let_go_of_locks();
    hr__forks++;
    hr__debug_forked();
    hr__signals_forked();
    hr__thread_futures_forked();
    hr_loop *loop = hr__loop_running;
    if (loop) {
        hr__loop_at_home(loop);
        hr__poll_soon(loop);
        event_base_loopbreak(loop->base);
    }
}

__attribute__((constructor)) static void expect_forks(void)
{
    pthread_atfork(hold_locks, let_go_of_locks, forked);
}

void hr__loop_take_over(hr_loop *loop)
{
    loop->inherited = false;
    hr__offload_forked(loop);
    hr__children_forked(loop);
}
