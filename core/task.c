/* SPDX-License-Identifier: MIT */
/*
 * How it works: a task is a future with a function, a place in the ready queue and, from its first
 * slice to its last, a fiber to run on. When the function returns, its outcome moves into the
 * future and the stack is free for the next task, however long the handle lives on.
 */
#include "core/task.h"

#include <stdio.h>
#include <string.h>

#include "core/debug.h"
#include "core/local_impl.h"
#include "core/loop_impl.h"
#include "core/park.h"

/* Structs that stay for the tasks to come. A loop that had more tasks for a while gives the rest
 * back when it is idle, some at a time. */
#ifdef HR_NO_SPARES /* a tool is to see which of them is used after its end */
#define SPARES_KEPT 0
#else
#define SPARES_KEPT 1024
#endif
#define SPARES_AT_ONCE 64
#define GRAVES         1024

/* Names are short: no call is worth it. */
static inline void set_name(struct hr__task *task, const char *name)
{
    size_t length = 0;
    for (; length < sizeof(task->name) - 1 && name[length]; length++)
        task->name[length] = name[length];
    task->name[length] = '\0';
}

/* A struct from which a task can be made at once. What is the same in all tasks, and what most of
 * them never change, is there already and stays there: see hr__task_free(). */
static struct hr__task *spare_new(hr_loop *loop)
{
    struct hr__task *task = calloc(1, sizeof(*task));
    if (!task) {
        hr_fail(-ENOMEM, "no memory for a task");
        return NULL;
    }
    task->future.loop = loop;
    hr_list_init(&task->future.watches);
    task->ready.run = hr__task_run;
    task->mortal = loop->mortals;
    return task;
}

static inline struct hr__task *spare_take(hr_loop *loop)
{
    struct hr__task *task = hr_container_of(loop->spare, struct hr__task, ready);
    loop->spare = task->ready.next;
    loop->spares--;
    return task;
}

static void open_grave(hr_loop *loop)
{
    struct hr__ready *oldest = loop->graves.first;
    loop->graves.first = oldest->next;
    loop->buried--;
    free(hr_container_of(oldest, struct hr__task, ready));
}

/* What is left looks like a future of no loop that is done, to every call that is made with it. */
static void bury(hr_loop *loop, struct hr__task *task)
{
    static struct hr_loop nowhere;
    task->future.loop = &nowhere;
    task->future.refs = 1;
    task->future.status = HR_EINVALIDSTATE;
    hr__ready_append(&loop->graves, &task->ready);
    if (++loop->buried > GRAVES)
        open_grave(loop);
}

bool hr__task_restore(hr_loop *loop, struct hr__task *task)
{
    bool mortal = task->mortal;
    memset(task->rare, 0, sizeof(task->rare));
    if (mortal && loop->debug && !hr_memory_watched())
        bury(loop, task);
    else if (mortal)
        free(task);
    return !mortal;
}

static void spares_free(hr_loop *loop, size_t keep, size_t most)
{
    for (; loop->spares > keep && most > 0; most--)
        free(spare_take(loop));
}

bool hr__tasks_trim(hr_loop *loop)
{
    size_t keep = SPARES_KEPT + loop->fibers.cached;
    spares_free(loop, keep, SPARES_AT_ONCE);
    return loop->spares > keep;
}

void hr__tasks_done(hr_loop *loop)
{
    spares_free(loop, 0, SIZE_MAX);
    while (loop->buried > 0)
        open_grave(loop);
}

/* Makes a task of a spare struct; it is in nobody's queue yet. */
static inline struct hr__task *make(hr_loop *loop, struct hr__task *task, const char *name,
                                    hr_task_fn *fn, void *arg, const void *site)
{
    hr_future *future = &task->future;
    future->refs = 2; /* the caller's and the loop's */
    future->state = HR__PENDING;
    future->is_task = true;
    future->error_seen = future->marked = false;
    loop->futures++;
    task->since = loop->now;
    task->locals = loop->current ? hr__locals_ref(loop->current->locals) : NULL;
    task->fn = fn;
    task->arg = arg;
    task->site = site;
    task->number = ++loop->tasks_made;
    if (name)
        set_name(task, name);
    hr_list_append(&loop->tasks, &task->all);
    loop->task_count++;
    return task;
}

/* With everything that may go wrong; loop: NULL is the running one. */
static __attribute__((noinline)) struct hr__task *
make_anyhow(hr_loop *loop, const char *name, hr_task_fn *fn, void *arg, const void *site)
{
    loop = hr__loop_for(loop);
    if (!loop)
        return NULL;
    if (!fn) {
        hr_fail(-EINVAL, "a task without a function");
        return NULL;
    }
    struct hr__task *task = loop->spare ? spare_take(loop) : spare_new(loop);
    return task ? make(loop, task, name, fn, arg, site) : NULL;
}

hr_task *hr_create_task_with(const struct hr_task_options *options, hr_task_fn *fn, void *arg)
{
    static const struct hr_task_options defaults;
    options = options ? options : &defaults;
    struct hr__task *task =
        make_anyhow(options->loop, options->name, fn, arg, __builtin_return_address(0));
    if (!task)
        return NULL;
    hr_loop *loop = task->future.loop;
    task->free_arg = options->free_arg;
    if (options->stack_size != loop->fibers.size)
        task->stack_size = options->stack_size;
    hr__ready_append(&loop->ready, &task->ready);
    return &task->future;
}

static __attribute__((noinline)) hr_task *create_anyhow(const char *name, hr_task_fn *fn, void *arg,
                                                        const void *site)
{
    struct hr__task *task = make_anyhow(NULL, name, fn, arg, site);
    if (!task)
        return NULL;
    hr__ready_append(&task->future.loop->ready, &task->ready);
    return &task->future;
}

hr_task *hr_create_task(const char *name, hr_task_fn *fn, void *arg)
{
    const void *site = __builtin_return_address(0);
    hr_loop *loop = hr__loop_running;
    if (hr_unlikely(!loop || loop->closed || !loop->spare || !fn))
        return create_anyhow(name, fn, arg, site);
    struct hr__task *task = make(loop, spare_take(loop), name, fn, arg, site);
    hr__ready_append(&loop->ready, &task->ready);
    return &task->future;
}

hr_task *hr_start_task(const char *name, hr_task_fn *fn, void *arg)
{
    struct hr__task *task = make_anyhow(NULL, name, fn, arg, __builtin_return_address(0));
    if (!task)
        return NULL;
    hr__sched_start(task->future.loop, task);
    return &task->future;
}

hr_future *hr_ensure_task(hr_future *future, const char *name, hr_task_fn *fn, void *arg)
{
    if (!future)
        return hr__task_made_at(hr_create_task(name, fn, arg), __builtin_return_address(0));
    hr_loop *loop = hr__loop_for(NULL);
    if (!loop)
        return NULL;
    if (future->loop != loop) {
        hr_fail(HR_EWRONGLOOP,
                "the future belongs to another loop: hr_submit() hands work to it, and "
                "hr_call_soon_threadsafe() has it complete a future");
        return NULL;
    }
    return hr_future_ref(future);
}

int hr_spawn(const char *name, hr_task_fn *fn, void *arg)
{
    hr_task *task = hr_create_task(name, fn, arg);
    if (!task)
        return hr_last_error()->code;
    hr__task(task)->site = __builtin_return_address(0);
    hr_future_unref(task);
    return 0;
}

void hr_task_return(void *value, hr_free_fn *free_fn)
{
    struct hr__task *task = hr__task_running();
    hr_assert(task);
    if (task->future.free_value)
        task->future.free_value(task->future.value);
    task->future.value = value;
    task->future.free_value = free_fn;
}

hr_task *hr_current_task(void)
{
    struct hr__task *task = hr__task_running();
    return task ? &task->future : NULL;
}

const char *hr__task_name(struct hr__task *task)
{
    if (!task->name[0]) /* made when it is asked for: most never are */
        snprintf(task->name, sizeof(task->name), "task-%llu", (unsigned long long)task->number);
    return task->name;
}

const char *hr_task_name(const hr_task *task)
{
    return hr__task_name(hr__task(task));
}

void hr_task_set_name(hr_task *task, const char *name)
{
    set_name(hr__task(task), name);
}

/* The first unfinished task that was made after that one; NULL: none. */
static struct hr__task *task_after(hr_loop *loop, uint64_t number)
{
    hr_list_foreach (node, &loop->tasks) {
        struct hr__task *task = hr_list_entry(node, struct hr__task, all);
        if (task->number > number)
            return task;
    }
    return NULL;
}

void hr_all_tasks(hr_loop *loop, void (*each)(hr_task *task, void *cookie), void *cookie)
{
    loop = loop ? loop : hr__loop_running;
    if (!loop)
        return;
    uint64_t last = loop->tasks_made; /* what is made meanwhile is left out */
    struct hr__task *task = task_after(loop, 0);
    while (task && task->number <= last) {
        hr_auto(hr_future_unrefp) hr_task *handle = hr_future_ref(&task->future);
        each(handle, cookie);
        struct hr_list *next = task->all.next;
        if (hr_future_done(handle)) /* it may be anywhere in what went meanwhile */
            task = task_after(loop, task->number);
        else
            task = next == &loop->tasks ? NULL : hr_list_entry(next, struct hr__task, all);
    }
}

size_t hr_task_stack_used(const hr_task *task)
{
    struct hr__fiber *fiber = hr__task(task)->fiber;
    return fiber ? hr__stack_touched(&fiber->stack) : 0;
}

/* The end of the loop's patience with its tasks. */
struct patience {
    struct hr__timer timer;
    hr_loop *loop;
};

static void patience_ends(struct hr__timer *timer)
{
    hr_loop *loop = hr_container_of(timer, struct patience, timer)->loop;
    loop->abandoned = true;
    hr__sched_stop(loop);
}

static void report_left(hr_loop *loop)
{
    hr_list_foreach (node, &loop->tasks) {
        struct hr__task *task = hr_list_entry(node, struct hr__task, all);
        char message[96];
        snprintf(message, sizeof(message), "not over when the loop closed: waits for %s",
                 hr__task_waits_for(task));
        hr__report(loop, message, NULL, hr__task_name(task));
    }
}

/* Asks all tasks to end and runs until they have. What one spawns while it cleans up is let run
 * until that task has ended. */
static void close_round(hr_loop *loop)
{
    loop->close_round++;
    loop->close_left = loop->task_count;
    hr_list_foreach (node, &loop->tasks) {
        struct hr__task *task = hr_list_entry(node, struct hr__task, all);
        task->close_round = loop->close_round;
    }
    hr__task_cancel_all(loop, "the loop is closing");
    while (loop->close_left > 0 && !loop->abandoned) { /* somebody may call hr_loop_stop() */
        loop->stopping = false;
        hr__sched_run(loop);
    }
}

void hr__tasks_close(hr_loop *loop)
{
    struct patience patience = {.loop = loop};
    hr__timer_init(&patience.timer, patience_ends);
    if (loop->shutdown_limit > 0 && loop->task_count > 0)
        hr__loop_arm(loop, &patience.timer, hr__deadline(loop, loop->shutdown_limit));
    while (loop->task_count > 0 && !loop->abandoned)
        close_round(loop);
    hr__timer_disarm(&loop->timers, &patience.timer);
    if (loop->abandoned)
        report_left(loop);
}
