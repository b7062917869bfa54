/* SPDX-License-Identifier: MIT */
/*
 * Random schedules: workers pass items through a queue, a semaphore and a lock, with cancels and
 * time limits everywhere; whatever happens, no item, permit, lock or wake-up is lost or doubled.
 *
 * Each seed is one schedule, on the virtual clock; a failure names it.
 */
#include "core/condition.h"
#include "core/gather.h"
#include "core/group.h"
#include "core/queue.h"
#include "core/semaphore.h"
#include "core/task.h"
#include "core/timeout.h"
#include "tests/support/hrtest.h"

enum { SEEDS = 24, PRODUCERS = 6, CONSUMERS = 8, ITEMS = 60, PERMITS = 3, TROUBLE = 600 };

struct world {
    uint64_t random;
    hr_queue *queue;
    hr_semaphore permits;
    hr_lock lock;
    hr_condition changed;
    int inside;  /* tasks that hold a permit */
    bool locked; /* somebody is in the critical section */
    int taken[PRODUCERS * ITEMS];
    int in_hand;  /* items taken out and not accounted for */
    int finished; /* items that went all the way */
    int put;
    hr_task *workers[PRODUCERS + CONSUMERS];
    bool stopping;
};

static unsigned draw(struct world *w, unsigned below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (unsigned)(w->random >> 33) % below;
}

/* A little time, often none; ignores cancels, which are not its business. */
static int dawdle(struct world *w)
{
    switch (draw(w, 4)) {
    case 0:
        return 0;
    case 1:
        return hr_yield();
    default:
        return hr_sleep((hr_usec)draw(w, 5) * 100);
    }
}

struct attempt {
    struct world *w;
    void *item;
    int (*call)(struct attempt *a);
};

static int get(struct attempt *a)
{
    return hr_queue_get(a->w->queue, &a->item);
}

static int put(struct attempt *a)
{
    return hr_queue_put(a->w->queue, a->item);
}

static int permit(struct attempt *a)
{
    return hr_semaphore_acquire(&a->w->permits);
}

static int lock(struct attempt *a)
{
    return hr_lock_acquire(&a->w->lock);
}

static int attempt_body(void *arg)
{
    struct attempt *a = arg;
    return a->call(a);
}

/* Makes one suspending call, sometimes within a limit: in a scope, or in a task of its own. */
static int with_trouble(struct attempt *a)
{
    hr_usec limit = (hr_usec)draw(a->w, 6) * 100;
    struct hr_timeout scope = {0};

    switch (draw(a->w, 3)) {
    case 0:
        return a->call(a);
    case 1:
        ASSERT_ERR(hr_timeout_enter(&scope, limit), 0);
        return hr_timeout_leave(&scope, a->call(a));
    default: {
        hr_auto(hr_future_unrefp) hr_task *task = hr_create_task("attempt", attempt_body, a);
        int r = hr_wait_for(hr_future_ref(task), limit);
        ASSERT_TRUE(hr_future_done(task));
        /* Cancelled in the instant in which the call succeeded: it has had its effect. */
        return r == -ECANCELED && hr_future_status(task) == 0 ? 1 : r;
    }
    }
}

/* Tries until it works, whatever comes in between. 1 where a cancel came along with success. */
static int insist(struct attempt *a)
{
    for (;;) {
        int r = with_trouble(a);
        if (r >= 0 || r == HR_ESHUTDOWN)
            return r;
        ASSERT_TRUE(r == -ECANCELED || r == -ETIMEDOUT);
    }
}

struct producer {
    struct world *w;
    int number;
};

static int produce(void *arg)
{
    struct producer *p = arg;
    for (int i = 0; i < ITEMS; i++) {
        struct attempt a = {p->w, (void *)(intptr_t)(p->number * ITEMS + i), put};
        ASSERT_TRUE(insist(&a) >= 0);
        p->w->put++;
        (void)!dawdle(p->w);
    }
    return 0;
}

static void use_permit(struct world *w)
{
    struct attempt a = {w, NULL, permit};
    ASSERT_TRUE(insist(&a) >= 0);
    ASSERT_TRUE(++w->inside <= PERMITS);
    (void)!dawdle(w);
    w->inside--;
    ASSERT_ERR(hr_semaphore_release(&w->permits), 0);
}

static void use_lock(struct world *w, int item)
{
    struct attempt a = {w, NULL, lock};
    ASSERT_TRUE(insist(&a) >= 0);
    ASSERT_FALSE(w->locked);
    w->locked = true;
    (void)!dawdle(w);
    w->taken[item]++;
    w->finished++;
    w->locked = false;
    ASSERT_ERR(hr_condition_notify(&w->changed, UINT_MAX), 0);
    ASSERT_ERR(hr_lock_release(&w->lock), 0);
}

static int consume(void *arg)
{
    struct world *w = arg;
    for (;;) {
        struct attempt a = {w, NULL, get};
        if (insist(&a) == HR_ESHUTDOWN)
            return 0;
        use_permit(w);
        use_lock(w, (int)(intptr_t)a.item);
        ASSERT_ERR(hr_queue_task_done(w->queue), 0);
    }
}

/* Cancels somebody every now and then, and takes the request back, as it handles the outcome. */
static int make_trouble(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < TROUBLE && !w->stopping; i++) {
        hr_task *victim = w->workers[draw(w, PRODUCERS + CONSUMERS)];
        hr_task_cancel(victim, "trouble");
        int r = draw(w, 2) ? hr_yield() : hr_sleep((hr_usec)draw(w, 4) * 50);
        if (r < 0)
            return r;
    }
    return 0;
}

static int wait_for_items(void *arg)
{
    struct world *w = arg;
    int r = hr_lock_acquire(&w->lock);
    while (r == 0 && w->finished < PRODUCERS * ITEMS)
        r = hr_condition_wait(&w->changed);
    ASSERT_ERR(hr_lock_release(&w->lock), 0);
    return r;
}

static void run_schedule(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    ASSERT_TRUE(w);
    w->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w->queue = hr_queue_new(1 + draw(w, 5), NULL);
    hr_semaphore_init(&w->permits, PERMITS, true);
    hr_lock_init(&w->lock);
    hr_condition_init(&w->changed, &w->lock);

    struct producer producers[PRODUCERS];
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++) {
        bool producer = i < PRODUCERS;
        if (producer)
            producers[i] = (struct producer){w, i};
        w->workers[i] =
            hr_create_task(producer ? "producer" : "consumer", producer ? produce : consume,
                           producer ? (void *)&producers[i] : (void *)w);
    }
    hr_task *waiter = hr_create_task("condition", wait_for_items, w);
    hr_task *trouble = hr_create_task("trouble", make_trouble, w);

    /* A wake-up that got lost shows as a wait that never ends. */
    if (hr_wait_for(waiter, hr_seconds(60)) < 0)
        test_fail(__FILE__, __LINE__, "seed %d: stuck with %d of %d put, %d finished", (int)seed,
                  w->put, PRODUCERS * ITEMS, w->finished);
    ASSERT_ERR(hr_queue_join(w->queue), 0);
    w->stopping = true;
    ASSERT_ERR(hr_join(trouble), 0);
    hr_queue_shutdown(w->queue, false);
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        ASSERT_TRUE(hr_join(w->workers[i]) >= -ECANCELED);

    for (int i = 0; i < PRODUCERS * ITEMS; i++) {
        if (w->taken[i] != 1)
            test_fail(__FILE__, __LINE__, "seed %d: item %d was seen %d times", (int)seed, i,
                      w->taken[i]);
    }
    ASSERT_EQ(w->permits.count, PERMITS);
    ASSERT_FALSE(w->lock.locked);
    ASSERT_EQ(hr_queue_size(w->queue), 0);
    hr_queue_free(w->queue);
    hr_semaphore_done(&w->permits);
    hr_condition_done(&w->changed);
    hr_lock_done(&w->lock);
    free(w);
}

TEST(nothing_is_lost_or_doubled_in_any_of_24_random_schedules)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_schedule(seed);
}
