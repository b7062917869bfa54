/* SPDX-License-Identifier: MIT */
/*
 * A producer thread fills a queue of the loop; a task empties it into more tasks.
 */
#include <core/headrace.h>
#include <pthread.h>
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

static void *produce(void *arg)
{
    static int items[] = {1, 2, 3, 4};
    struct feed *feed = arg;
    int r = 0;
    for (int i = 0; i < 4 && r >= 0; i++)
        r = hr_queue_put_threadsafe(feed->loop, feed->queue, &items[i]);
    return NULL;
}

static int consume(hr_queue *queue)
{
    hr_auto(hr_futures_done) struct hr_futures tasks = {0};
    for (int i = 0; i < 4; i++) {
        void *item;
        int r = hr_queue_get(queue, &item);
        if (r < 0)
            return r;
        hr_futures_add(&tasks, hr_create_task(NULL, handle, item));
    }
    return hr_gather(&tasks, HR_CANCEL_REST);
}

static int run(void *arg)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(0, NULL);
    if (!queue)
        return hr_last_error()->code;
    struct feed feed = {hr_running_loop(), queue};
    pthread_t producer;
    int r = -pthread_create(&producer, NULL, produce, &feed);
    if (r < 0)
        return r;
    r = consume(queue);
    pthread_join(producer, NULL);
    return r;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "deque: %s\n", hr_error_message(r));
    return r < 0;
}
