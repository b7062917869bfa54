/* SPDX-License-Identifier: MIT */
/*
 * A producer thread fills a queue of the loop; a task empties it into more tasks.
 */
#include <core/headrace.h>
#include <stdio.h>

struct feed {
    hr_loop *loop;
    hr_queue *queue;
};

static int handle(void *arg)
{
    int item = *(int *)arg;
    printf("begin %d\n", item);
    int r = hr_sleep(hr_seconds(1));
    if (r >= 0)
        printf("end %d\n", item);
    return r;
}

static int produce(void *arg, void **ret_value)
{
    static int items[] = {1, 2, 3, 4};
    struct feed *feed = arg;
    int r = 0;
    for (int i = 0; i < 4 && r >= 0; i++)
        r = hr_queue_put_threadsafe(feed->loop, feed->queue, &items[i]);
    return r < 0 ? r : hr_queue_shutdown_threadsafe(feed->loop, feed->queue, false);
}

static int consume(hr_queue *queue)
{
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    void *item;
    int r;
    while ((r = hr_queue_get(queue, &item)) >= 0)
        hr_futures_add(&tasks, hr_create_task(NULL, handle, item));
    return r == HR_ESHUTDOWN ? hr_gather(&tasks, HR_CANCEL_REST) : r;
}

static int run(void *arg)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(0, NULL);
    if (!queue)
        return hr_last_error()->code;
    struct feed feed = {hr_running_loop(), queue};
    hr_future *producer = hr_to_thread(produce, &feed, NULL);
    int r = producer ? consume(queue) : hr_last_error()->code;
    hr_shield_enter(); /* even a cancel waits for the thread, which uses this frame */
    int produced = hr_join(producer);
    hr_shield_leave();
    return r < 0 ? r : produced;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "deque: %s\n", hr_error_message(r));
    return r < 0;
}
