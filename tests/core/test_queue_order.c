/* SPDX-License-Identifier: MIT */
/*
 * Queues that are not first in, first out, and what can be read off any queue; semantics 16.
 */
#include "core/queue.h"

#include <stdlib.h>

#include "core/task.h"
#include "tests/support/hrtest.h"

struct job {
    int priority, number;
};

static int by_priority(const void *a, const void *b)
{
    const struct job *x = a, *y = b;
    return (x->priority > y->priority) - (x->priority < y->priority);
}

static void *got(hr_queue *queue)
{
    void *item = NULL;
    ASSERT_ERR(hr_queue_get_nowait(queue, &item), 0);
    return item;
}

TEST(s16_1_last_in_first_out)
{
    hr_auto(hr_queue_freep) hr_queue *queue =
        hr_queue_new_with(&(struct hr_queue_options){.order = HR_QUEUE_LIFO, .maxsize = 3});
    int items[3];
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_queue_put_nowait(queue, &items[i]), 0);
    ASSERT_ERR(hr_queue_put_nowait(queue, items), -ENOBUFS);
    ASSERT_PTR(got(queue), &items[2]);
    ASSERT_ERR(hr_queue_put_nowait(queue, &items[2]), 0);
    for (int i = 2; i >= 0; i--)
        ASSERT_PTR(got(queue), &items[i]);
}

TEST(s16_1_the_smallest_first_and_equal_ones_in_the_order_of_putting)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new_with(
        &(struct hr_queue_options){.order = HR_QUEUE_PRIORITY, .compare = by_priority});
    struct job jobs[500];
    srand(1);
    for (int i = 0; i < 500; i++) {
        jobs[i] = (struct job){rand() % 20, i};
        ASSERT_ERR(hr_queue_put_nowait(queue, &jobs[i]), 0);
        if (i % 3 == 0)
            got(queue);
    }
    struct job before = {-1, -1};
    while (hr_queue_size(queue) > 0) {
        struct job *job = got(queue);
        ASSERT_TRUE(job->priority > before.priority ||
                    (job->priority == before.priority && job->number > before.number));
        before = *job;
    }
    ASSERT_PTR(hr_queue_new_with(&(struct hr_queue_options){.order = HR_QUEUE_PRIORITY}), NULL);
}

struct getter {
    hr_queue *queue;
    void *item;
};

static int get_one(void *arg)
{
    struct getter *g = arg;
    return hr_queue_get(g->queue, &g->item);
}

TEST(s16_1_s16_5_a_cancelled_getters_item_is_still_in_its_order)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new_with(
        &(struct hr_queue_options){.order = HR_QUEUE_PRIORITY, .compare = by_priority});
    struct job jobs[] = {
        {5, 0},
        {1, 1},
    };
    struct getter a = {queue, NULL}, b = {queue, NULL};
    hr_task *first = hr_create_task(NULL, get_one, &a);
    hr_task *second = hr_create_task(NULL, get_one, &b);
    test_passes(1);
    ASSERT_ERR(hr_queue_put_nowait(queue, &jobs[0]), 0);
    hr_task_cancel(first, NULL);
    ASSERT_ERR(hr_queue_put_nowait(queue, &jobs[1]), 0);
    ASSERT_ERR(hr_join(first), -ECANCELED);
    ASSERT_ERR(hr_join(second), 0);
    ASSERT_PTR(b.item, &jobs[1]);
    ASSERT_PTR(got(queue), &jobs[0]);
}

TEST(s16_7_size_limit_empty_and_full_are_exact)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(2, NULL);
    int item;
    ASSERT_EQ(hr_queue_maxsize(queue), 2);
    ASSERT_TRUE(hr_queue_empty(queue));
    ASSERT_FALSE(hr_queue_full(queue));
    ASSERT_ERR(hr_queue_put_nowait(queue, &item), 0);
    ASSERT_FALSE(hr_queue_empty(queue) || hr_queue_full(queue));
    ASSERT_ERR(hr_queue_put_nowait(queue, &item), 0);
    ASSERT_TRUE(hr_queue_full(queue));
    ASSERT_EQ(hr_queue_size(queue), 2);
    got(queue);
    ASSERT_FALSE(hr_queue_full(queue));

    hr_auto(hr_queue_freep) hr_queue *unlimited = hr_queue_new(0, NULL);
    ASSERT_ERR(hr_queue_put_nowait(unlimited, &item), 0);
    ASSERT_FALSE(hr_queue_full(unlimited));
    ASSERT_EQ(hr_queue_maxsize(unlimited), 0);
}

static int destroyed;

static void destroy(void *item)
{
    destroyed++;
}

TEST(s16_11_a_second_shutdown_is_fine)
{
    destroyed = 0;
    hr_queue *queue = hr_queue_new(0, destroy);
    int item;
    ASSERT_ERR(hr_queue_put_nowait(queue, &item), 0);
    hr_queue_shutdown(queue, false);
    hr_queue_shutdown(queue, false);
    ASSERT_EQ(hr_queue_size(queue), 1);
    hr_queue_shutdown(queue, true); /* the second may go further */
    hr_queue_shutdown(queue, true);
    ASSERT_EQ(destroyed, 1);
    ASSERT_ERR(hr_queue_put_nowait(queue, &item), HR_ESHUTDOWN);
    hr_queue_free(queue);
    ASSERT_EQ(destroyed, 1);
}

struct producer {
    hr_queue *queue;
    int *left;
};

static int produce(void *arg)
{
    struct producer *p = arg;
    int r = hr_queue_put(p->queue, p);
    if (--*p->left == 0)
        hr_queue_shutdown(p->queue, false);
    return r;
}

TEST(s16_15_the_last_producer_shuts_the_queue_down)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(1, NULL);
    int left = 3;
    struct producer producer = {queue, &left};
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_spawn(NULL, produce, &producer), 0);
    void *item;
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_queue_get(queue, &item), 0);
    ASSERT_ERR(hr_queue_get(queue, &item), HR_ESHUTDOWN);
}
