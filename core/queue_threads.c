/* SPDX-License-Identifier: MIT */
/*
 * Putting from other threads: a task of the queue's loop puts, and the thread blocks on it.
 */
#include "core/queue.h"

#include "core/thread_future.h"

struct put {
    hr_queue *queue;
    void *item;
};

static int put(void *arg)
{
    struct put *put = arg;
    return hr_queue_put(put->queue, put->item);
}

struct end {
    hr_queue *queue;
    bool immediate;
};

static int end(void *arg)
{
    struct end *end = arg;
    hr_queue_shutdown(end->queue, end->immediate);
    return 0;
}

/* Has the loop do it, and waits until it is done: what arg points to is the caller's frame. */
static int have_done(hr_loop *loop, const char *what, hr_task_fn *fn, void *arg)
{
    if (hr_running_loop() == loop)
        return hr_fail(HR_EWRONGTHREAD, "the loop's own thread uses the queue itself");
    int r = hr__thread_may_block();
    if (r < 0)
        return r;
    hr_auto(hr_thread_future_unrefp) hr_thread_future *done = hr_submit(loop, what, fn, arg);
    return done ? hr_thread_future_wait(done, HR_FOREVER) : hr_last_error()->code;
}

int hr_queue_put_threadsafe(hr_loop *loop, hr_queue *queue, void *item)
{
    return have_done(loop, "put", put, &(struct put){queue, item});
}

int hr_queue_shutdown_threadsafe(hr_loop *loop, hr_queue *queue, bool immediate)
{
    return have_done(loop, "shutdown", end, &(struct end){queue, immediate});
}
