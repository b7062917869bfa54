/* SPDX-License-Identifier: MIT */
/*
 * A queue with room for two items, and a limit around each get.
 */
#include <core/headrace.h>
#include <stdio.h>

static int produce(void *arg)
{
    static int items[] = {1, 2, 3, 4};
    hr_queue *queue = arg;
    int r = 0;
    for (int i = 0; i < 4 && r >= 0; i++) {
        if (i == 3)
            r = hr_sleep(hr_seconds(3));
        if (r >= 0)
            r = hr_queue_put(queue, &items[i]);
    }
    hr_queue_shutdown(queue, false);
    return r;
}

static int get(hr_queue *queue, hr_usec span, void **ret_item)
{
    struct hr_timeout limit = {0};
    hr_timeout_enter(&limit, span);
    return hr_timeout_leave(&limit, hr_queue_get(queue, ret_item));
}

static int run(void *arg)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(2, NULL);
    hr_task *producer = queue ? hr_create_task("produce", produce, queue) : NULL;
    if (!producer)
        return hr_last_error()->code;
    void *item;
    int r = 0;
    while (r >= 0 || r == -ETIMEDOUT) {
        r = get(queue, hr_seconds(2), &item);
        if (r == -ETIMEDOUT)
            puts("nothing for 2 s");
        else if (r >= 0)
            printf("got %d\n", *(int *)item);
    }
    if (r != HR_ESHUTDOWN)
        hr_task_cancel(producer, NULL);
    else
        puts("the end");
    int produced = hr_join(producer);
    return r != HR_ESHUTDOWN ? r : produced;
}

int main(void)
{
    int r = hr_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "queue: %s\n", hr_error_message(r));
    return r < 0;
}
