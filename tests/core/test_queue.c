/* SPDX-License-Identifier: MIT */
/*
 * Queues, semantics 16.
 */
#include "core/queue.h"

#include <string.h>

#include "core/task.h"
#include "core/timeout.h"
#include "tests/support/hrtest.h"

static int destroyed;

static void destroy(void *item)
{
    destroyed++;
}

static void *number(intptr_t n)
{
    return (void *)n;
}

struct party {
    hr_queue *queue;
    void *item;
    int result;
    char *log; /* gets its name when it has succeeded */
    char name;
};

static void note(struct party *p)
{
    if (p->result == 0 && p->log)
        strncat(p->log, &p->name, 1);
}

static int getter(void *arg)
{
    struct party *p = arg;
    p->result = hr_queue_get(p->queue, &p->item);
    note(p);
    return p->result;
}

static int putter(void *arg)
{
    struct party *p = arg;
    p->result = hr_queue_put(p->queue, p->item);
    note(p);
    return p->result;
}

static int joiner(void *arg)
{
    return hr_queue_join(arg);
}

static intptr_t got(hr_queue *queue)
{
    void *item;
    ASSERT_ERR(hr_queue_get_nowait(queue, &item), 0);
    return (intptr_t)item;
}

TEST(s16_1_items_come_out_in_the_order_in_which_they_went_in)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(0, NULL);
    intptr_t next = 0;
    for (intptr_t i = 0; i < 100; i++) { /* the ring wraps and grows on the way */
        ASSERT_ERR(hr_queue_put(queue, number(i)), 0);
        if (i % 3 == 0)
            ASSERT_EQ(got(queue), next++);
    }
    while (next < 100)
        ASSERT_EQ(got(queue), next++);
}

TEST(s16_2_a_full_queue_refuses_or_waits_and_so_does_an_empty_one)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(2, NULL);
    void *item = number(-1);
    ASSERT_ERR(hr_queue_get_nowait(queue, &item), -ENODATA);
    ASSERT_EQ((intptr_t)item, -1);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(1)), 0);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(2)), 0);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(3)), -ENOBUFS);

    struct party p = {queue, number(3)};
    hr_task *task = hr_create_task("putter", putter, &p);
    test_passes(3);
    ASSERT_FALSE(hr_future_done(task));
    ASSERT_EQ(got(queue), 1);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(4)), -ENOBUFS); /* the place is the putter's */
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_EQ(got(queue), 2);
    ASSERT_EQ(got(queue), 3);
}

TEST(s16_3_s16_4_waiting_getters_are_served_in_order_one_a_put)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(0, NULL);
    char log[8] = "";
    struct party p[] = {
        {queue, NULL, 1, log, 'a'},
        {queue, NULL, 1, log, 'b'}
    };
    hr_task *a = hr_create_task(NULL, getter, &p[0]);
    hr_task *b = hr_create_task(NULL, getter, &p[1]);
    test_passes(1);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(1)), 0);
    void *item;
    ASSERT_ERR(hr_queue_get_nowait(queue, &item), -ENODATA); /* it is promised */
    test_passes(3);
    ASSERT_STR(log, "a");
    ASSERT_ERR(hr_queue_put_nowait(queue, number(2)), 0);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_STR(log, "ab");
    ASSERT_EQ((intptr_t)p[0].item, 1);
    ASSERT_EQ((intptr_t)p[1].item, 2);
}

TEST(s16_3_s16_4_waiting_putters_are_served_in_order_one_a_get)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(1, NULL);
    char log[8] = "";
    ASSERT_ERR(hr_queue_put_nowait(queue, number(1)), 0);
    struct party p[] = {
        {queue, number(2), 1, log, 'a'},
        {queue, number(3), 1, log, 'b'}
    };
    hr_task *a = hr_create_task(NULL, putter, &p[0]);
    hr_task *b = hr_create_task(NULL, putter, &p[1]);
    test_passes(1);
    ASSERT_EQ(got(queue), 1);
    test_passes(3);
    ASSERT_STR(log, "a");
    ASSERT_EQ(got(queue), 2);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_EQ(got(queue), 3);
}

TEST(s16_5_a_cancelled_getter_loses_no_item)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(0, NULL);
    struct party p[] = {
        {queue, number(-1)},
        {queue, number(-1)}
    };
    hr_task *a = hr_create_task(NULL, getter, &p[0]);
    hr_task *b = hr_create_task(NULL, getter, &p[1]);
    test_passes(1);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(1)), 0);
    hr_task_cancel(a, NULL); /* called already, not resumed yet */
    ASSERT_ERR(hr_join(a), -ECANCELED);
    ASSERT_EQ((intptr_t)p[0].item, -1);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_EQ((intptr_t)p[1].item, 1);
    ASSERT_EQ(hr_queue_size(queue), 0);
}

TEST(s16_5_the_item_of_the_only_getter_cancelled_in_that_instant_stays_first)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(0, NULL);
    struct party p = {queue, number(-1)};
    hr_task *task = hr_create_task(NULL, getter, &p);
    test_passes(1);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(1)), 0);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(2)), 0);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_EQ(got(queue), 1);
    ASSERT_EQ(got(queue), 2);
}

TEST(s16_5_a_cancelled_putters_item_is_not_in_the_queue_and_the_next_gets_its_place)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(1, NULL);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(1)), 0);
    struct party p[] = {
        {queue, number(2)},
        {queue, number(3)}
    };
    hr_task *a = hr_create_task(NULL, putter, &p[0]);
    hr_task *b = hr_create_task(NULL, putter, &p[1]);
    test_passes(1);
    ASSERT_EQ(got(queue), 1);
    hr_task_cancel(a, NULL);
    ASSERT_ERR(hr_join(a), -ECANCELED);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_EQ(got(queue), 3);
    ASSERT_EQ(hr_queue_size(queue), 0);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(4)), 0);
}

static int put_at(void *arg)
{
    struct party *p = arg;
    int r = hr_sleep_until(hr_ms(10));
    return r < 0 ? r : hr_queue_put_nowait(p->queue, p->item);
}

TEST(s16_6_wait_for_around_a_get_never_loses_an_item)
{
    /* The item comes in the very moment in which the limit passes, before or after it. */
    for (int before = 0; before < 2; before++) {
        hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(0, NULL);
        hr_usec start = test_clock_now();
        struct party in = {queue, number(1)}, out = {queue, number(-1)};
        hr_task *feeder = before ? hr_create_task("feeder", put_at, &in) : NULL;
        test_passes(1);
        hr_task *get = hr_create_task("getter", getter, &out);
        hr_task *later = before ? feeder : hr_create_task("feeder", put_at, &in);
        int r = hr_wait_for(get, hr_ms(10) - start % hr_ms(10));
        ASSERT_ERR(hr_join(later), 0);
        if (r == 0)
            ASSERT_EQ((intptr_t)out.item, 1);
        else
            ASSERT_ERR(r, -ETIMEDOUT);
        ASSERT_EQ(hr_queue_size(queue), r == 0 ? 0 : 1);
    }
}

TEST(s16_8_join_returns_when_every_item_is_finished)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(0, NULL);
    ASSERT_ERR(hr_queue_join(queue), 0);
    ASSERT_ERR(hr_queue_task_done(queue), -EINVAL);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(1)), 0);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(2)), 0);
    hr_task *task = hr_create_task("joiner", joiner, queue);
    got(queue);
    got(queue);
    ASSERT_ERR(hr_queue_task_done(queue), 0);
    test_passes(3);
    ASSERT_FALSE(hr_future_done(task));
    ASSERT_ERR(hr_queue_task_done(queue), 0);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_ERR(hr_queue_task_done(queue), -EINVAL);
}

TEST(s16_9_after_shutdown_puts_are_refused_and_gets_go_on_until_empty)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(1, NULL);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(1)), 0);
    struct party p = {queue, number(2)};
    hr_task *task = hr_create_task("putter", putter, &p);
    test_passes(1);
    hr_queue_shutdown(queue, false);
    hr_queue_shutdown(queue, false); /* 16.11 */
    ASSERT_ERR(hr_join(task), HR_ESHUTDOWN);
    ASSERT_ERR(hr_queue_put(queue, number(3)), HR_ESHUTDOWN);
    void *item;
    ASSERT_ERR(hr_queue_get(queue, &item), 0);
    ASSERT_EQ((intptr_t)item, 1);
    ASSERT_ERR(hr_queue_get(queue, &item), HR_ESHUTDOWN);
    ASSERT_ERR(hr_queue_get_nowait(queue, &item), HR_ESHUTDOWN);
}

TEST(s16_9_waiting_getters_are_woken_by_shutdown)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(0, NULL);
    struct party p[] = {{queue}, {queue}};
    hr_task *a = hr_create_task(NULL, getter, &p[0]);
    hr_task *b = hr_create_task(NULL, getter, &p[1]);
    test_passes(1);
    hr_queue_shutdown(queue, false);
    ASSERT_ERR(hr_join(a), HR_ESHUTDOWN);
    ASSERT_ERR(hr_join(b), HR_ESHUTDOWN);
}

TEST(s16_9_an_item_given_back_after_shutdown_goes_to_a_getter_that_was_woken_by_it)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(0, NULL);
    struct party p[] = {{queue}, {queue}};
    hr_task *a = hr_create_task(NULL, getter, &p[0]);
    hr_task *b = hr_create_task(NULL, getter, &p[1]);
    test_passes(1);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(1)), 0); /* calls a */
    hr_queue_shutdown(queue, false);                      /* calls b */
    hr_task_cancel(a, NULL);
    ASSERT_ERR(hr_join(a), -ECANCELED);
    ASSERT_ERR(hr_join(b), 0);
    ASSERT_EQ((intptr_t)p[1].item, 1);
}

TEST(s16_10_immediate_shutdown_drops_the_items_once)
{
    destroyed = 0;
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(0, destroy);
    for (intptr_t i = 0; i < 5; i++)
        ASSERT_ERR(hr_queue_put_nowait(queue, number(i)), 0);
    got(queue);
    hr_task *task = hr_create_task("joiner", joiner, queue);
    test_passes(1);
    hr_queue_shutdown(queue, true);
    ASSERT_EQ(destroyed, 4);
    test_passes(2);
    ASSERT_FALSE(hr_future_done(task));
    ASSERT_ERR(hr_queue_task_done(queue), 0); /* the one that was taken */
    ASSERT_ERR(hr_join(task), 0);
    hr_queue_shutdown(queue, true);
    ASSERT_EQ(destroyed, 4);
}

TEST(s16_8_s16_10_items_that_were_finished_before_they_were_got_are_not_finished_again)
{
    destroyed = 0;
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(0, destroy);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(1)), 0);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(2)), 0);
    ASSERT_ERR(hr_queue_task_done(queue), 0);
    hr_queue_shutdown(queue, true);
    ASSERT_EQ(destroyed, 2);
    ASSERT_ERR(hr_queue_join(queue), 0);
    ASSERT_ERR(hr_queue_task_done(queue), -EINVAL);
}

TEST(s16_10_a_promised_item_is_dropped_too)
{
    destroyed = 0;
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(0, destroy);
    struct party p = {queue};
    hr_task *task = hr_create_task(NULL, getter, &p);
    test_passes(1);
    ASSERT_ERR(hr_queue_put_nowait(queue, number(1)), 0);
    hr_queue_shutdown(queue, true);
    ASSERT_EQ(destroyed, 1);
    ASSERT_ERR(hr_join(task), HR_ESHUTDOWN);
}

struct factory {
    hr_queue *queue;
    int worked[2];
    bool seen[100];
};

struct worker {
    struct factory *factory;
    int number;
};

static int work(void *arg)
{
    struct worker *w = arg;
    void *item;
    int r;
    while ((r = hr_queue_get(w->factory->queue, &item)) == 0) {
        r = hr_sleep(hr_ms(1));
        if (r < 0)
            return r;
        w->factory->seen[(intptr_t)item] = true;
        w->factory->worked[w->number]++;
        hr_queue_task_done(w->factory->queue);
    }
    return r == HR_ESHUTDOWN ? 0 : r;
}

TEST(s16_12_two_workers_process_a_hundred_items_and_join_returns_after_the_last)
{
    struct factory f = {.queue = hr_queue_new(10, NULL)};
    struct worker w[] = {
        {&f, 0},
        {&f, 1}
    };
    hr_task *a = hr_create_task("a", work, &w[0]);
    hr_task *b = hr_create_task("b", work, &w[1]);
    for (intptr_t i = 0; i < 100; i++)
        ASSERT_ERR(hr_queue_put(f.queue, number(i)), 0);
    ASSERT_ERR(hr_queue_join(f.queue), 0);
    for (int i = 0; i < 100; i++)
        ASSERT_TRUE(f.seen[i]);
    ASSERT_EQ(f.worked[0] + f.worked[1], 100);
    ASSERT_EQ(f.worked[0], 50);
    hr_queue_shutdown(f.queue, false);
    ASSERT_ERR(hr_join(a), 0);
    ASSERT_ERR(hr_join(b), 0);
    hr_queue_free(f.queue);
}

TEST(s16_13_the_queue_destroys_what_nobody_got)
{
    destroyed = 0;
    hr_queue *queue = hr_queue_new(0, destroy);
    for (intptr_t i = 0; i < 3; i++)
        ASSERT_ERR(hr_queue_put_nowait(queue, number(i)), 0);
    got(queue);
    ASSERT_PTR(hr_queue_free(queue), NULL);
    ASSERT_EQ(destroyed, 2);
}

TEST(s14_16_tasks_that_wait_in_a_queue_that_is_freed_get_closed)
{
    hr_queue *full = hr_queue_new(1, NULL), *empty = hr_queue_new(1, NULL);
    ASSERT_ERR(hr_queue_put_nowait(full, number(1)), 0);
    struct party p[] = {
        {full, number(2)},
        {empty   },
        {empty},
        {empty   }
    };
    hr_task *tasks[] = {
        hr_create_task("putter", putter, &p[0]), hr_create_task("getter", getter, &p[1]),
        hr_create_task("called", getter, &p[2]), hr_create_task("joiner", joiner, full),
        hr_create_task("cancelled", getter, &p[3])};
    test_passes(1);
    hr_queue_put_nowait(empty, number(1)); /* calls the first getter */
    hr_queue_free(full);
    hr_queue_free(empty);
    hr_task_cancel(tasks[4], NULL);
    for (int i = 0; i < 4; i++)
        ASSERT_ERR(hr_join(tasks[i]), HR_ECLOSED);
    ASSERT_ERR(hr_join(tasks[4]), -ECANCELED);
}

TEST(s14_16_the_only_one_who_waits_may_have_been_called_when_the_queue_is_freed)
{
    hr_queue *empty = hr_queue_new(1, NULL), *full = hr_queue_new(1, NULL);
    struct party get = {empty}, put = {full, number(2)};
    ASSERT_ERR(hr_queue_put_nowait(full, number(1)), 0);
    hr_task *tasks[] = {hr_create_task(NULL, getter, &get), hr_create_task(NULL, putter, &put)};
    test_passes(1);
    ASSERT_ERR(hr_queue_put_nowait(empty, number(1)), 0);
    got(full);
    hr_queue_free(empty);
    hr_queue_free(full);
    ASSERT_ERR(hr_join(tasks[0]), HR_ECLOSED);
    ASSERT_ERR(hr_join(tasks[1]), HR_ECLOSED);
}
