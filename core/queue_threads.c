/* SPDX-License-Identifier: MIT */
/*
 * Putting from other threads: a task of the queue's loop puts, and the thread blocks on it.
 */
#include "core/queue.h"

#include "core/submit.h"

struct put {
    hr_queue *queue;
    void *item;
};

static int put(void *arg)
{
    struct put *put = arg;
    return hr_queue_put(put->queue, put->item);
}

int hr_queue_put_threadsafe(hr_loop *loop, hr_queue *queue, void *item)
{
    if (hr_running_loop() == loop)
        return hr_fail(HR_EWRONGTHREAD, "tasks put by hr_queue_put()");
    struct put order = {queue, item};
    hr_auto(hr_thread_future_unrefp) hr_thread_future *done = hr_submit(loop, "put", put, &order);
    return done ? hr_thread_future_wait(done, HR_FOREVER) : hr_last_error()->code;
}
