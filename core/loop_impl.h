/* SPDX-License-Identifier: MIT */
/*
 * A loop from the inside. Inside core/ only.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "core/clock.h"
#include "core/coro.h"
#include "core/fiber.h"
#include "core/loop.h"
#include "core/overflow.h"
#include "core/ready.h"
#include "core/spin.h"
#include "core/task_impl.h"
#include "core/timer.h"
#include "core/world_impl.h"

struct event;

struct hr_loop {
    /* What a slice touches. */
    struct hr__ready *pass;       /* the rest of the present pass: nothing is ever appended to it */
    struct hr__ready_queue ready; /* the next pass */
    struct hr__task *current;     /* NULL while the loop's own stack runs */
    int *errno_place;             /* the running thread's: each task finds its own errno there */
    uint64_t slices;
    uint64_t look_at; /* after this many slices the clock is read */
    unsigned unseen;  /* slices that may run from one look to the next */
    hr_usec now;      /* the clock, as of the last look */
    bool stopping;    /* leave after the present pass */
    bool away;        /* a fiber runs, not the loop's own stack */
    hr_usec slow_slice;
    uint64_t passes;
    uint64_t number;      /* from 1 on; no other loop has it */
    struct hr__coro main; /* the stack that runs callbacks and libevent */

    struct hr__fibers fibers;       /* of the default stack size */
    struct hr__fibers *more_fibers; /* of other sizes */
    struct hr_list tasks;           /* unfinished, in spawn order */
    size_t task_count;
    uint64_t tasks_made;     /* for names */
    struct hr__ready *spare; /* of structs for the next tasks, linked by these entries */
    size_t spares;
    struct hr__timers timers;
    hr_usec lag;

    /* Polling: core/poll.c and core/loop_base.c. */
    atomic_uint forks; /* hr__forks when what follows was made; not the same: it is our parent's */
    bool stranded;     /* an event was left in the parent's base: there is no other any more */
    struct hr_clock *clock;
    struct event_base *base;
    struct event *wake_event, *timer_event;
    int wake_fd, timer_fd;
    int highest_fd;    /* which the latest base and its two had, as a rule */
    hr_usec timer_set; /* when the kernel's timer will fire; HR_FOREVER: never */
    hr_usec polled;    /* when descriptors were last looked at */
    size_t watches;    /* those of core/io.h may outlive the loop; they keep the struct */

    /* From other threads: core/inbox.c. */
    _Atomic(struct hr__ready *) inbox;
    struct hr__ready_queue mail; /* taken out of it, for the passes to come */
    atomic_bool sleeping;        /* a post has to write to wake_fd */
    atomic_uint wakers;          /* who may be about to, in the process of so many forks; the loop
                                    stays open for them */
    struct hr__spin spin;
    bool had_mail; /* since it was last idle */

    /* Life. */
    atomic_bool running;
    atomic_uint home;     /* hr__forks in the process that has the thread that runs it */
    atomic_bool threaded; /* it has a thread of its own, which may not have come to it yet */
    bool inherited;       /* of a parent, and not looked around yet */
    bool closing, closed;
    bool debug;
    bool mortals;                  /* no struct of a task serves another one */
    struct hr__ready_queue graves; /* of tasks, in debug mode: the latest, as handles show them */
    size_t buried;
    unsigned close_round;
    size_t close_left; /* tasks of this round not ended yet */
    hr_usec shutdown_limit;
    bool abandoned; /* the limit passed: tasks are left */
    struct hr_loop *next_abandoned;
    size_t futures; /* alive; they keep the struct */
    bool freed;     /* free the struct with the last future and watch */
    struct hr__fault_stack fault_stack;
    int fatal; /* the fatal code that stopped it */
    struct hr_error fatal_error;

    /* Reports: core/report.c. */
    hr_report_fn *report;
    void *report_cookie;
    hr_usec slice_start;
    char slice_name[HR__TASK_NAME_MAX];
    const void *slice_fn; /* the callback that runs, where that is known; else NULL */
    uint64_t slow_slices;
    hr_usec longest;

    /* Its jobs in executors: core/offload.c. */
    struct hr__offload *offload; /* NULL: none yet */
    void (*close_offload)(struct hr__offload *here);
    size_t jobs; /* under way in executors, and waited for */

    /* Generators that were started and are not over: core/generator.c. */
    struct hr_list generators;
    void (*close_generators)(struct hr_loop *loop);

    /* Descriptors that tasks wait for: core/io.c. */
    struct hr_list ios;
    void (*close_ios)(struct hr_loop *loop);

    /* Callbacks on descriptors: core/watch.c. */
    struct hr__watches *watched; /* NULL: none yet */
    void (*close_watched)(struct hr_loop *loop);

    /* A world instead of the kernel: core/world.c. */
    struct hr_world *world;      /* NULL: none */
    struct hr__ready_queue held; /* ready, and not part of the present pass */
    struct hr_list faked;        /* directions that the world is asked about */

    struct hr_list ends; /* who wants to know when it closes */

    /* Processes whose end is watched: core/child.c. */
    struct hr_list children;
    void (*close_children)(struct hr_loop *loop);
};

/* The loop that runs in this thread; NULL outside of run. */
extern _Thread_local struct hr_loop *hr__loop_running __attribute__((tls_model("initial-exec")));

/* The running task; NULL outside of one. */
static inline struct hr__task *hr__task_running(void)
{
    return hr_likely(hr__loop_running != NULL) ? hr__loop_running->current : NULL;
}

/* The status of a future that has succeeded, when nothing keeps the running task from reading it;
 * else a negative number, and there is more to it: hr_await() finds out. */
static inline int hr__await_at_once(const hr_future *future)
{
    const struct hr_loop *loop = hr__loop_running;
    bool simple =
        future && loop && future->loop == loop && loop->current && future->state == HR__FINISHED;
    return hr_likely(simple) ? future->status : -EAGAIN;
}

/* Sets a task back to what spare structs have. False: it is not kept. core/task.c. */
bool hr__task_restore(struct hr_loop *loop, struct hr__task *task);

/* Keeps the struct of a task that nobody refers to any more for the next one. Its future has no
 * value, error or watches left. */
static inline void hr__task_free(struct hr_loop *loop, struct hr__task *task)
{
#ifdef HR_NO_SPARES
    free(task);
#else
    const uint64_t *rare = task->rare;
    _Static_assert(HR__TASK_RARE == 8, "all of them, and no loop");
    if (hr_unlikely(rare[0] | rare[1] | rare[2] | rare[3] | rare[4] | rare[5] | rare[6] |
                    rare[7]) &&
        !hr__task_restore(loop, task))
        return;
    task->ready.next = loop->spare;
    loop->spare = &task->ready;
    loop->spares++;
#endif
}

/* loop, or the running one for NULL. NULL, with a record, when there is none or it is closed. */
struct hr_loop *hr__loop_for(hr_loop *loop);

/* The same for the running one. */
static inline struct hr_loop *hr__loop_here(void)
{
    struct hr_loop *loop = hr__loop_running;
    return hr_likely(loop && !loop->closed) ? loop : hr__loop_for(NULL);
}

/* In debug mode: whether the caller's thread is not the one that runs the loop. */
static inline bool hr__wrong_thread(const struct hr_loop *loop)
{
    return hr_unlikely(loop->debug) && loop != hr__loop_running &&
           atomic_load_explicit(&loop->running, memory_order_relaxed);
}

/* For calls that have no code for it: in debug mode another thread's hands end the program, before
 * they break anything. core/debug.c. */
_Noreturn void hr__debug_end(const char *call, const void *object);
static inline void hr__demand_own_thread(const struct hr_loop *loop, const char *call,
                                         const void *object)
{
    if (hr__wrong_thread(loop))
        hr__debug_end(call, object);
}

/* The same for a future, which may be a task and have a name. */
_Noreturn void hr__wrong_hands(const char *call, const hr_future *future);
static inline void hr__demand_own_future(const hr_future *future, const char *call)
{
    if (hr__wrong_thread(future->loop))
        hr__wrong_hands(call, future);
}

/* How many forks lie between this process and the one that the runtime was loaded in. */
extern unsigned hr__forks;

/* Whether what was made after so many forks is this process's, and not its parent's. */
static inline bool hr__is_here(unsigned forks)
{
    return hr_likely(forks == hr__forks);
}

/* Whether another thread had the loop when this process was forked, and is not here. */
static inline bool hr__loop_lost(const struct hr_loop *loop)
{
    return !hr__is_here(atomic_load_explicit(&loop->home, memory_order_relaxed)) &&
           (atomic_load_explicit(&loop->running, memory_order_relaxed) ||
            atomic_load_explicit(&loop->threaded, memory_order_relaxed));
}

/* This process runs it from now on. */
static inline void hr__loop_at_home(struct hr_loop *loop)
{
    loop->home = hr__forks;
    loop->inherited = true;
}

/* Before a forked child's loop first looks around: whoever waits there for what is the parent's is
 * told. core/fork.c. */
void hr__loop_take_over(struct hr_loop *loop);

/* Drops the loop's struct once it was freed and no future or hr_io needs it any more. */
void hr__loop_release(struct hr_loop *loop);

/* core/sched.c: who runs next. */

/* Leaves the running task (its record is parked, or it queued itself) until it is resumed. */
void hr__sched_suspend(struct hr_loop *loop, struct hr__task *task);

/* Runs a task that is in no queue up to its first suspension, then goes on here. */
void hr__sched_start(struct hr_loop *loop, struct hr__task *child);

/* Runs passes until one ends with stopping set. Called on the loop's own stack. */
void hr__sched_run(struct hr_loop *loop);

/* Gives up what is queued, without running it. */
void hr__sched_drop(struct hr_loop *loop);

/* core/loop_base.c: descriptors, the kernel's timer. */
int hr__poll_open(struct hr_loop *loop, const char *backend);
void hr__poll_close(struct hr_loop *loop);

/* Called before an event is added to the loop's base: a forked child has to get a base of its own,
 * or it would change its parent's. 0, or why there is none, with a record. */
int hr__poll_renew(struct hr_loop *loop);
static inline int hr__poll_own(struct hr_loop *loop)
{
    return hr__is_here(atomic_load_explicit(&loop->forks, memory_order_relaxed))
               ? 0
               : hr__poll_renew(loop);
}

/* core/poll.c: looks around between two passes: descriptors, inbox, clock, timers. Sleeps when
 * nothing is ready. True when it should be called again before the next pass: much time has gone by
 * since the last look, or the clock is virtual. */
bool hr__poll(struct hr_loop *loop);

/* Reads the clock on whatever stack runs. True when that was all there is to a look: little time
 * has gone by, no timer is due, nothing has come from other threads. */
bool hr__poll_quiet(struct hr_loop *loop);

/* Makes the loop look at timers before the next pass. */
static inline void hr__poll_soon(struct hr_loop *loop)
{
    loop->look_at = 0;
}

/* Makes the run end with the present pass. */
static inline void hr__sched_stop(struct hr_loop *loop)
{
    loop->stopping = true;
    hr__poll_soon(loop); /* which is looked at before each pass */
}

/* The clock, read now: deadlines are counted from here, so that no timer is early. */
static inline hr_usec hr__clock_now(struct hr_loop *loop)
{
    return loop->clock->now(loop->clock);
}

/* Whether time stands still unless the clock is moved. */
static inline bool hr__clock_is_virtual(const struct hr_loop *loop)
{
    return loop->clock != hr_clock_monotonic();
}

/* now + span, saturating at HR_FOREVER. */
static inline hr_usec hr__deadline(struct hr_loop *loop, hr_usec span)
{
    hr_usec now = hr__clock_now(loop);
    if (span <= 0)
        return now;
    return span > HR_FOREVER - now ? HR_FOREVER : now + span;
}

/* Arms a timer of the loop. */
void hr__loop_arm(struct hr_loop *loop, struct hr__timer *timer, hr_usec deadline);

/* core/offload.c: whether a future waits for a job of an executor. */
bool hr__loop_has_jobs(const struct hr_loop *loop);

/* core/inbox.c */

/* Queues an entry, from any thread: run(entry, drop) is called in the loop's, once. 0 or
 * HR_ECLOSED. */
int hr__inbox_post(struct hr_loop *loop, struct hr__ready *entry);
bool hr__inbox_empty(struct hr_loop *loop);
void hr__inbox_drain(struct hr_loop *loop);
void hr__inbox_close(struct hr_loop *loop);

/* core/io.c: 0, or HR_EWRONGLOOP. */
struct hr_io;
int hr__io_check_loop(const struct hr_io *io);

/* core/report.c */
void hr__report(struct hr_loop *loop, const char *message, const struct hr_error *error,
                const char *task);

/* Ends the slice that runs and begins one of that name; NULL: none begins. */
void hr__slice_mark(struct hr_loop *loop, const char *name);

/* Tells which callback the slice runs. */
static inline void hr__slice_of(const void *fn)
{
    hr__loop_running->slice_fn = fn;
}

/* core/task.c: frees some of the structs that are kept for tasks to come, if they are too many
 * (true: there are more); frees all of them. */
bool hr__tasks_trim(struct hr_loop *loop);
void hr__tasks_done(struct hr_loop *loop);

/* core/task.c: asks the tasks that a closing loop has left to end, in rounds. */
void hr__tasks_close(struct hr_loop *loop);

/* core/signals.c: as the public calls, for any loop; flags go to sigaction(2). What is removed may
 * be told by its callback: NULL is any. */
int hr__signal_add(struct hr_loop *loop, int number, int flags, hr_callback *fn, void *arg);
bool hr__signal_remove(struct hr_loop *loop, int number, hr_callback *fn);

/* Queues the callbacks of signals that came. */
void hr__signals_deliver(struct hr_loop *loop);

/* Tells the handler the descriptor that wakes the loop now, if signals are this loop's. */
void hr__signals_wake(struct hr_loop *loop);
void hr__signals_close(struct hr_loop *loop);
