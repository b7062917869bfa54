/* SPDX-License-Identifier: MIT */
/*
 * A loop's life: made, run, stopped, run again, closed.
 *
 * How it works: sched.c runs passes, poll.c looks around between them; here is who may call that,
 * and in which order a loop is taken down. The struct outlives the loop for as long as a future or
 * an hr_io of it does.
 */
#include "core/loop.h"

#include "core/debug.h"
#include "core/error_impl.h"
#include "core/loop_impl.h"

#define DEFAULT_STACK (256u << 10)

_Thread_local struct hr_loop *hr__loop_running;

static _Atomic(uint64_t) numbers;

static void loop_free(hr_loop *loop)
{
    hr__poll_close(loop);
    hr__tasks_done(loop);
    hr__overflow_done(&loop->fault_stack);
    hr_error_done(&loop->fatal_error);
    free(loop);
}

hr_loop *hr_loop_new(const struct hr_loop_options *options)
{
    static const struct hr_loop_options defaults;
    options = options ? options : &defaults;

    hr_loop *loop = calloc(1, sizeof(*loop));
    if (!loop) {
        hr_fail(-ENOMEM, "no memory for a loop");
        return NULL;
    }
    loop->number = 1 + atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed);
    loop->wake_fd = loop->timer_fd = -1;
    loop->slow_slice = options->slow_slice;
    loop->debug = options->debug;
    loop->mortals = loop->debug || hr_memory_watched();
    loop->shutdown_limit = options->shutdown_limit;
    loop->spin.span = hr__spin_span(options->spin);
    loop->world = options->world;
    loop->clock = loop->world      ? &loop->world->clock
                  : options->clock ? options->clock
                                   : hr_clock_monotonic();
    loop->now = loop->polled = hr__clock_now(loop);
    hr__ready_init(&loop->ready);
    hr__ready_init(&loop->held);
    hr__ready_init(&loop->graves);
    hr__ready_init(&loop->mail);
    hr_list_init(&loop->tasks);
    hr_list_init(&loop->generators);
    hr_list_init(&loop->faked);
    hr_list_init(&loop->children);
    hr_list_init(&loop->ends);
    hr_list_init(&loop->ios);
    hr__timers_init(&loop->timers, loop->now);
    hr__fibers_init(&loop->fibers, options->stack_size ? options->stack_size : DEFAULT_STACK,
                    HR__GUARD_AUTO);
    if (hr__poll_open(loop, options->backend) < 0) {
        loop_free(loop);
        return NULL;
    }
    return loop;
}

hr_loop *hr_running_loop(void)
{
    return hr__loop_running;
}

uint64_t hr_running_loop_number(void)
{
    return hr__loop_running ? hr__loop_running->number : 0;
}

struct hr_loop *hr__loop_for(hr_loop *loop)
{
    loop = loop ? loop : hr__loop_running;
    if (!loop) {
        hr_fail(HR_ENOLOOP, "no loop runs in this thread, and none was named");
        return NULL;
    }
    if (hr__wrong_thread(loop)) {
        hr_fail(HR_EWRONGTHREAD, "the loop runs in another thread");
        return NULL;
    }
    if (loop->closed) {
        hr_fail(HR_ECLOSED, "the loop is closed");
        return NULL;
    }
    return loop;
}

hr_usec hr_loop_time(hr_loop *loop)
{
    loop = loop ? loop : hr__loop_running;
    return loop ? loop->now : hr_clock_monotonic()->now(NULL);
}

void hr_loop_stop(hr_loop *loop)
{
    hr__demand_own_thread(loop, "hr_loop_stop()", loop);
    hr__sched_stop(loop);
}

static int enter(hr_loop *loop)
{
    if (loop->closed)
        return hr_fail(HR_ECLOSED, "the loop is closed");
    if (hr__loop_lost(loop))
        return hr_fail(-EBUSY, "the thread that runs the loop is not in this process");
    if (hr__loop_running || loop->running)
        return hr_fail(-EBUSY, "a loop runs already");
    hr__coro_init_thread(&loop->main);
    hr__overflow_watch(&loop->fault_stack);
    loop->errno_place = &errno;
    if (!hr__is_here(loop->home))
        hr__loop_at_home(loop);
    loop->running = true;
    hr__loop_running = loop;
    if (loop->debug)
        hr__debug_enter(loop);
    return 0;
}

static void leave(hr_loop *loop)
{
    if (loop->debug)
        hr__debug_leave(loop);
    loop->running = false;
    hr__loop_running = NULL;
    hr__overflow_unwatch(&loop->fault_stack);
}

/* Runs until stopped. 0, or the fatal code that a task ended with. */
static int run(hr_loop *loop)
{
    loop->fatal = 0;
    hr__sched_run(loop);
    return loop->fatal;
}

int hr_loop_run_forever(hr_loop *loop)
{
    int r = enter(loop);
    if (r < 0)
        return r;
    r = run(loop);
    leave(loop);
    return r < 0 ? hr_error_raise(&loop->fatal_error) : 0;
}

static void stop_when_done(hr_future *future, void *cookie)
{
    hr_loop_stop(hr_future_loop(future));
}

static int run_until(hr_loop *loop, hr_future *future)
{
    if (hr_future_loop(future) != loop)
        return hr_fail(HR_EWRONGLOOP, "the future belongs to another loop, which alone runs it");
    int r = enter(loop);
    if (r < 0)
        return r;
    r = hr_future_add_done_callback(future, stop_when_done, NULL);
    if (r == 0)
        r = run(loop);
    hr_future_remove_done_callback(future, stop_when_done, NULL);
    leave(loop);
    if (loop->fatal < 0)
        return hr_error_raise(&loop->fatal_error);
    if (r < 0)
        return r;
    if (!hr_future_done(future))
        return hr_fail(HR_EINVALIDSTATE, "the loop was stopped before the future was done");
    return hr__future_receive(future);
}

int hr_loop_run_until_complete(hr_loop *loop, hr_future *future)
{
    if (!future)
        return hr__missing("a future to run until");
    int r = run_until(loop, future);
    hr_future_unref(future);
    return r;
}

/* Keeps a loop whose tasks did not end in sight, for those who look for leaks. */
static void abandon(hr_loop *loop)
{
    static _Atomic(hr_loop *) abandoned;
    loop->next_abandoned = atomic_load(&abandoned);
    while (!atomic_compare_exchange_weak(&abandoned, &loop->next_abandoned, loop))
        ;
}

void hr_loop_at_end(hr_loop *loop, struct hr_loop_end *end, hr_callback *fn, void *arg)
{
    *end = (struct hr_loop_end){.fn = fn, .arg = arg};
    hr_list_append(&loop->ends, &end->link);
}

static void tell_ends(hr_loop *loop)
{
    while (!hr_list_empty(&loop->ends)) {
        struct hr_loop_end *end = hr_list_entry(loop->ends.next, struct hr_loop_end, link);
        hr_list_remove(&end->link);
        end->fn(end->arg);
    }
}

/* Everything that could still want the loop ends, in the order in which one needs the other. */
static void wind_up(hr_loop *loop)
{
    loop->closing = true;
    hr__tasks_close(loop);
    if (loop->close_generators && !loop->abandoned) {
        loop->close_generators(loop);
        hr__tasks_close(loop);
    }
    if (loop->close_offload)
        loop->close_offload(hr_take(loop->offload));
    hr__signals_close(loop);
    if (loop->close_watched)
        loop->close_watched(loop);
    if (loop->close_children)
        loop->close_children(loop);
    tell_ends(loop);
    loop->closed = true;
    hr__inbox_close(loop);
    hr__world_gather(loop);
    hr__timers_run(&loop->timers, HR_FOREVER); /* all go into the ready queue */
    hr__sched_drop(loop);
    if (loop->close_ios)
        loop->close_ios(loop);

    if (loop->abandoned) { /* their stacks stay */
        abandon(loop);
        return;
    }
    struct hr__fibers *next;
    for (struct hr__fibers *pool = loop->more_fibers; pool; pool = next) {
        next = pool->next;
        hr__fibers_done(pool, loop);
        free(pool);
    }
    loop->more_fibers = NULL;
    hr__fibers_done(&loop->fibers, loop);
}

int hr_loop_close(hr_loop *loop)
{
    if (!loop || loop->closed)
        return 0;
    int r = enter(loop);
    if (r < 0)
        return r;
    wind_up(loop);
    leave(loop);
    hr__poll_close(loop);
    return loop->abandoned ? hr_fail(-ETIMEDOUT, "tasks were left when the loop closed") : 0;
}

void hr__loop_release(hr_loop *loop)
{
    if (loop->freed && loop->futures == 0 && loop->watches == 0)
        loop_free(loop);
}

hr_loop *hr_loop_free(hr_loop *loop)
{
    if (!loop || hr__loop_lost(loop))
        return NULL;
    int r = hr_loop_close(loop);
    if (r == -EBUSY)
        hr__misused("hr_loop_free() inside a running loop: stop it, and free it when its run has "
                    "returned");
    loop->freed = true;
    hr__loop_release(loop);
    return NULL;
}

void hr_loop_freep(hr_loop **loop)
{
    *loop = hr_loop_free(*loop);
}
