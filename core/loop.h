/* SPDX-License-Identifier: MIT */
/*
 * The loop: one thread's ready queue, timers and descriptors.
 *
 * A pass polls (sleeping only when nothing is ready), moves due timers to the ready queue in
 * deadline order, and runs exactly the entries that were in the queue at that moment. So neither
 * timers nor descriptors starve, however busy the tasks are. While slices take no time at all,
 * polling is left out of some passes: after slices that were quick up to 64 more may run unseen.
 *
 * A child that a task forks goes on in a copy of that task and of the loop, which watches and
 * sleeps by itself; its parent's loops, programs, pools and threads do not notice what it does
 * there, nor how it leaves. It gets its own descriptors when it first uses the loop, so one that
 * only runs another program pays nothing. Without descriptors, waits for one fail with that code,
 * and the rest goes on. A loop that no thread ran can be run in the child, too. One that another
 * thread has is lost there: running or closing it is -EBUSY, posting to it HR_ECLOSED, and free
 * leaves it as it is. Lost are also jobs, executors and process pools (HR_ESHUTDOWN), but for the
 * default pool, which is made anew, and programs (-ECHILD): who waits for one is told when the
 * child's loop first looks around. What was queued at the fork, and what is readable on a shared
 * descriptor, both processes find. All that holds for fork(); what clones a process behind libc's
 * back has to leave the runtime alone.
 */
#pragma once

#include "core/future.h"
#include "core/list.h"
#include "core/task.h"

struct event;
struct event_base;
struct hr_world;
typedef struct hr_handle hr_handle;
typedef void hr_callback(void *arg);

struct hr_loop_options {
    const char *backend;    /* "epoll", "poll", "select" (descriptors below 1024 only); NULL:
                             * libevent's choice, which is epoll where there is one */
    size_t stack_size;      /* default of tasks (see core/task.h); 0: 256 KiB */
    hr_usec slow_slice;     /* report slices longer than this, by the task's name or the callback's
                             * place in the program; 0: off */
    hr_usec shutdown_limit; /* how long tasks have to end when the loop closes, and then jobs of the
                             * default pool; 0: tasks no limit, jobs ten seconds */
    hr_usec spin;           /* how long a loop that hears from other threads looks for more before
                             * it sleeps; 0: 20 µs where there is a second CPU; < 0: not at all */
    bool debug;             /* refuse calls from wrong threads: HR_EWRONGTHREAD, or the end of the
                             * program where a call has no code, or one that nobody looks at (as
                             * cancel and release). Locks, semaphores, events and queues know their
                             * loop once a task has waited there, or if they were made in one that
                             * runs; calls that may wait are checked where they do */
    struct hr_clock *clock; /* NULL: the monotonic clock; tests give a virtual one (core/clock.h) */
    struct hr_world *world; /* all that comes from outside, the clock included: core/world.h */
};

/* A loop; NULL options mean the defaults. NULL, with a record: -ENOMEM, -EINVAL (no such backend),
 * or why there is no descriptor (-EMFILE). */
HR_PUBLIC hr_owned hr_loop *hr_loop_new(const struct hr_loop_options *options);

/* Cancels what is left, runs until it ended, closes; afterwards every scheduling call gives
 * HR_ECLOSED. 0, also when it is closed already; -EBUSY while it runs. -ETIMEDOUT when the shutdown
 * limit passed: the tasks that were left are reported by name and never run again; their stacks and
 * what they hold stay where they are, for whoever points there. NULL is fine. */
HR_PUBLIC int hr_loop_close(hr_loop *loop);

/* Closes it if need be (so no loop may run in this thread) and gives its memory back; futures and
 * hr_ios that are still held keep the little they need. Returns NULL. */
HR_PUBLIC hr_loop *hr_loop_free(hr_loop *loop);
HR_PUBLIC void hr_loop_freep(hr_loop **loop);

/* Makes a loop, runs fn(arg) as a task, cancels and awaits what it left behind, closes the loop.
 * Returns what fn returned; -EBUSY inside a running loop; why there is no loop or task; HR_EFATAL
 * when a task returned that. A SIGINT cancels the main task first and ends the run with
 * HR_EINTERRUPTED. */
HR_PUBLIC int hr_run(hr_task_fn *fn, void *arg);
HR_PUBLIC int hr_run_with(const struct hr_loop_options *options, hr_task_fn *fn, void *arg);

/* Runs until the future is done and returns its status; takes the caller's reference, in every
 * case. -EBUSY when a loop runs in this thread or this one runs in another, HR_ECLOSED,
 * HR_EWRONGLOOP, or HR_EINVALIDSTATE when it was stopped before; for NULL as hr_await() says.
 * run_forever returns 0 once it was stopped. Both return HR_EFATAL when a task did. */
HR_PUBLIC int hr_loop_run_until_complete(hr_loop *loop, hr_future *future);
HR_PUBLIC int hr_loop_run_forever(hr_loop *loop);

/* Lets the current pass finish, then leaves run; before a run: one pass without blocking. In the
 * loop's thread: others have it called by hr_call_soon_threadsafe(). */
HR_PUBLIC void hr_loop_stop(hr_loop *loop);

/* The loop that runs in this thread, inside tasks and callbacks; else NULL. */
HR_PUBLIC hr_loop *hr_running_loop(void);

/* Its number, which no other loop of this process ever has: for what may outlive its loop, since a
 * later loop may get the address. 0: none runs. */
HR_PUBLIC uint64_t hr_running_loop_number(void);

/* Its clock: monotonic, unaffected by clock changes. It shows the moment of the latest poll, so it
 * stands still while a task blocks. NULL: the running loop's; where none runs, the monotonic clock
 * as it is now. */
HR_PUBLIC hr_usec hr_loop_time(hr_loop *loop);
static inline hr_usec hr_now(void)
{
    return hr_loop_time(NULL);
}

/* Queues a callback: soon, after a span, or at a moment. Equal deadlines run in arming order. The
 * handle is borrowed: it is valid until it ran or was cancelled, or longer for whoever takes a
 * reference. NULL, with a record: -ENOMEM, HR_ENOLOOP, HR_ECLOSED, -EINVAL (no callback). */
HR_PUBLIC hr_handle *hr_call_soon(hr_callback *callback, void *arg);
HR_PUBLIC hr_handle *hr_call_later(hr_usec span, hr_callback *callback, void *arg);
HR_PUBLIC hr_handle *hr_call_at(hr_usec moment, hr_callback *callback, void *arg);

/* Takes a callback back, also when it is queued already; without effect on one that ran, whose
 * handle is still valid for a caller with a reference. NULL is fine. */
HR_PUBLIC void hr_handle_cancel(hr_handle *handle);

/* Keeps a handle past its end, to ask it; needs no memory. unref gives the reference back and
 * returns NULL. Both take NULL; like all but the call below, in the loop's thread. */
HR_PUBLIC hr_handle *hr_handle_ref(hr_handle *handle);
HR_PUBLIC hr_handle *hr_handle_unref(hr_handle *handle);

/* The moment at which it is due, on the loop's clock; that of hr_call_soon() is when it was
 * queued. */
HR_PUBLIC hr_usec hr_handle_when(const hr_handle *handle);

/* Whether it was cancelled before it could run. */
HR_PUBLIC bool hr_handle_cancelled(const hr_handle *handle);

/* The one door from other threads: queues a callback and wakes the loop; calls of one thread keep
 * their order. 0, -ENOMEM, HR_ECLOSED, -EINVAL (no callback); a loop that is NULL: why it could not
 * be made, by this thread's record. */
HR_PUBLIC int hr_call_soon_threadsafe(hr_loop *loop, hr_callback *callback, void *arg);

/* The libevent base below, for libraries that bring their own events (evhttp). Borrowed; callbacks
 * on it may complete futures and spawn tasks, and must not run or free the base. A forked child
 * asks for it before it touches events there; NULL, with a record, when it cannot have its own. */
HR_PUBLIC struct event_base *hr_loop_event_base(hr_loop *loop);

/* Has the base watch an event's descriptor, as event_add() without a time limit does. 0; -EMFILE: a
 * loop on select() takes descriptors below 1024 only; -EPERM (a regular file) and what else
 * epoll_ctl() says, -ENOMEM. */
HR_PUBLIC int hr_loop_event_add(hr_loop *loop, struct event *event);

/* Ends an event on that base and frees it; NULL is fine. Its callback is not called any more. In a
 * forked child that cannot have a base of its own the event is lost instead, and the base with it,
 * for good: nothing may touch the parent's. */
HR_PUBLIC void hr_loop_event_free(hr_loop *loop, struct event *event);

/* Has fn called when the loop closes, once its tasks have ended and while its base is there: for
 * who has events on that and may live longer. The struct is the caller's: nothing is allocated, and
 * hr_list_remove(&end->link) takes it back, also when the loop has gone. In the loop's thread. */
struct hr_loop_end {
    struct hr_list link;
    hr_callback *fn;
    void *arg;
};
HR_PUBLIC void hr_loop_at_end(hr_loop *loop, struct hr_loop_end *end, hr_callback *fn, void *arg);

/* What gets errors that nobody received, slow slices, leftovers at close. NULL: standard error. */
struct hr_report {
    const char *message;          /* what happened, in a sentence */
    const struct hr_error *error; /* or NULL */
    const char *task;             /* name of the task it is about, or "" */
};
typedef void hr_report_fn(const struct hr_report *report, void *cookie);
HR_PUBLIC void hr_loop_set_report(hr_loop *loop, hr_report_fn *fn, void *cookie);

/* Counts since the loop was made, and what there is now. */
struct hr_loop_stats {
    uint64_t passes, slices, slow_slices;
    size_t tasks;    /* unfinished */
    size_t timers;   /* armed */
    size_t ready;    /* tasks and callbacks of the next pass, and what is left of this one */
    size_t watches;  /* descriptors */
    hr_usec lag;     /* how late the latest due timer was run */
    hr_usec longest; /* longest slice since the last call, 0 when slow_slice is off */
};
HR_PUBLIC void hr_loop_get_stats(hr_loop *loop, struct hr_loop_stats *ret);
