/* SPDX-License-Identifier: MIT */
/*
 * Cancellation, semantics 3.
 */
#include <pthread.h>
#include <string.h>

#include "core/park.h"
#include "core/task.h"

#include "tests/support/hrtest.h"

/* What a task under test did, and what it should do when it is cancelled. */
struct probe {
    hr_future *awaits; /* else it sleeps */
    int cleanup_ms;
    bool swallow;
    int turn_into;
    int seen, cleanup, later; /* what the suspensions returned */
    bool started, finished;
};

static int probe_run(void *arg)
{
    struct probe *p = arg;
    p->started = true;
    p->seen = p->awaits ? hr_await(p->awaits) : hr_sleep(hr_seconds(60));
    if (p->cleanup_ms)
        p->cleanup = hr_sleep(hr_ms(p->cleanup_ms));
    p->finished = true;
    if (p->seen == -ECANCELED && p->turn_into)
        return hr_fail_because(p->turn_into, "instead");
    if (p->swallow) {
        p->later = hr_sleep(hr_ms(1));
        return 5;
    }
    return p->seen;
}

static hr_task *spawn_probe(struct probe *p)
{
    hr_task *task = hr_create_task("probe", probe_run, p);
    test_passes(1);
    ASSERT_TRUE(p->started);
    return task;
}

TEST(s3_1_cancel_interrupts_the_present_suspension_and_is_counted)
{
    struct probe p = {0};
    hr_task *task = spawn_probe(&p);
    ASSERT_EQ(hr_task_cancelling(task), 0);
    ASSERT_TRUE(hr_task_cancel(task, "enough"));
    ASSERT_EQ(hr_task_cancelling(task), 1);
    ASSERT_ERR(hr_await(task), -ECANCELED);
    ASSERT_ERR(p.seen, -ECANCELED);
    ASSERT_STR(hr_future_cancel_reason(task), "enough");
    ASSERT_EQ(test_clock_now(), 0);
    hr_future_unref(task);
}

TEST(s3_2_s3_3_cancel_only_requests_the_body_ends_it)
{
    struct probe p = {0};
    hr_task *task = spawn_probe(&p);
    hr_task_cancel(task, NULL);
    ASSERT_FALSE(hr_future_cancelled(task));
    ASSERT_FALSE(hr_future_done(task));
    ASSERT_ERR(hr_await(task), -ECANCELED);
    ASSERT_TRUE(hr_future_cancelled(task));
    hr_future_unref(task);
}

static int seven(void *arg)
{
    return 7;
}

TEST(s3_4_cancelling_a_finished_task_changes_nothing)
{
    hr_task *task = hr_create_task(NULL, seven, NULL);
    ASSERT_ERR(hr_await(task), 7);
    ASSERT_FALSE(hr_task_cancel(task, NULL));
    ASSERT_EQ(hr_task_cancelling(task), 0);
    ASSERT_ERR(hr_join(task), 7);
}

static int arguments_freed;

static void free_argument(void *arg)
{
    arguments_freed++;
}

TEST(s3_5_a_task_cancelled_before_its_first_run_never_runs)
{
    struct probe p = {0};
    struct hr_task_options options = {.free_arg = free_argument};
    arguments_freed = 0;
    hr_task *task = hr_create_task_with(&options, probe_run, &p);
    ASSERT_TRUE(hr_task_cancel(task, "too late"));
    ASSERT_FALSE(hr_future_done(task));
    ASSERT_ERR(hr_await(task), -ECANCELED);
    ASSERT_STR(hr_error_message(-ECANCELED), "too late");
    ASSERT_FALSE(p.started);
    ASSERT_EQ(arguments_freed, 1);
    hr_future_unref(task);

    task = hr_create_task_with(&options, seven, NULL); /* the body runs: the argument is its own */
    ASSERT_ERR(hr_join(task), 7);
    ASSERT_EQ(arguments_freed, 1);
}

TEST(s3_6_cancel_goes_down_the_chain_and_the_outcome_comes_back_up)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    struct probe inner = {.awaits = future, .cleanup_ms = 3};
    hr_task *inner_task = spawn_probe(&inner);
    struct probe outer = {.awaits = inner_task};
    hr_task *outer_task = spawn_probe(&outer);

    ASSERT_TRUE(hr_task_cancel(outer_task, "from the top"));
    ASSERT_TRUE(hr_future_cancelled(future));
    ASSERT_STR(hr_future_cancel_reason(future), "from the top");
    ASSERT_EQ(hr_task_cancelling(inner_task), 1);
    ASSERT_FALSE(outer.finished);
    ASSERT_ERR(hr_await(outer_task), -ECANCELED);
    ASSERT_TRUE(inner.finished);
    ASSERT_EQ(test_clock_now(), hr_ms(3)); /* the outer one waited for the cleanup of the inner */
    hr_future_unref(inner_task);
    hr_future_unref(outer_task);
}

TEST(s3_7_a_child_that_swallows_the_cancel_gives_its_value)
{
    struct probe inner = {.swallow = true};
    hr_task *inner_task = spawn_probe(&inner);
    struct probe outer = {.awaits = inner_task};
    hr_task *outer_task = spawn_probe(&outer);
    hr_task_cancel(outer_task, NULL);
    ASSERT_ERR(hr_await(outer_task), 5);
    ASSERT_ERR(outer.seen, 5);
    hr_future_unref(inner_task);
    hr_future_unref(outer_task);
}

TEST(s3_8_s3_23_cancelling_a_future_cancels_all_who_await_it_but_raises_no_count)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    struct probe one = {.awaits = future}, two = {.awaits = future};
    hr_task *task_one = spawn_probe(&one), *task_two = spawn_probe(&two);
    ASSERT_TRUE(hr_future_cancel(future, "plain"));
    ASSERT_EQ(hr_task_cancelling(task_one), 0);
    ASSERT_ERR(hr_join(task_one), -ECANCELED);
    ASSERT_ERR(hr_join(task_two), -ECANCELED);
    ASSERT_ERR(one.seen, -ECANCELED);
    ASSERT_ERR(two.seen, -ECANCELED);
}

TEST(s3_23_cancelling_one_of_two_tasks_cancels_the_shared_future)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    struct probe one = {.awaits = future}, two = {.awaits = future};
    hr_task *task_one = spawn_probe(&one), *task_two = spawn_probe(&two);
    ASSERT_TRUE(hr_task_cancel(task_one, NULL));
    ASSERT_ERR(hr_join(task_one), -ECANCELED);
    ASSERT_ERR(hr_join(task_two), -ECANCELED);
}

TEST(s3_9_a_body_may_clean_up_with_awaits)
{
    struct probe p = {.cleanup_ms = 20};
    hr_task *task = spawn_probe(&p);
    hr_task_cancel(task, NULL);
    test_passes(2);
    ASSERT_FALSE(hr_future_done(task));
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_ERR(p.cleanup, 0);
    ASSERT_EQ(test_clock_now(), hr_ms(20));
}

TEST(s3_10_a_cancel_turned_into_another_error_is_its_cause)
{
    struct probe p = {.turn_into = -EIO};
    hr_task *task = spawn_probe(&p);
    hr_task_cancel(task, "on request");
    ASSERT_ERR(hr_await(task), -EIO);
    ASSERT_FALSE(hr_future_cancelled(task));
    const struct hr_error *error = hr_future_error(task);
    ASSERT_STR(error->message, "instead");
    ASSERT_TRUE(error->cause);
    ASSERT_ERR(error->cause->code, -ECANCELED);
    ASSERT_STR(error->cause->message, "on request");
    hr_future_unref(task);
}

TEST(s3_11_s3_12_a_swallowed_cancel_is_over)
{
    struct probe p = {.swallow = true, .cleanup_ms = 1};
    hr_task *task = spawn_probe(&p);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_await(task), 5);
    ASSERT_ERR(p.seen, -ECANCELED);
    ASSERT_ERR(p.cleanup, 0);
    ASSERT_ERR(p.later, 0);
    ASSERT_FALSE(hr_future_cancelled(task));
    ASSERT_EQ(hr_task_cancelling(task), 1); /* nobody took it back */
    hr_future_unref(task);
}

static int destroyed;

static void destroy(void *value)
{
    destroyed++;
}

static int cancel_self(void *how)
{
    ASSERT_TRUE(hr_task_cancel(hr_current_task(), "myself"));
    hr_task_return(how, destroy);
    if (!how)
        return 3; /* nothing left to wait for */
    int r = hr_yield();
    ASSERT_ERR(r, -ECANCELED);
    ASSERT_STR(hr_error_message(r), "myself");
    ASSERT_ERR(hr_yield(), 0);
    return 4;
}

TEST(s3_13_a_task_that_cancels_itself_meets_it_at_its_next_suspension)
{
    destroyed = 0;
    int how = 1;
    ASSERT_ERR(hr_join(hr_create_task(NULL, cancel_self, &how)), 4);
    ASSERT_EQ(destroyed, 1);
    hr_task *task = hr_create_task(NULL, cancel_self, NULL);
    ASSERT_ERR(hr_await(task), -ECANCELED);
    ASSERT_EQ(destroyed, 2); /* its value was dropped, although somebody holds it */
    hr_future_unref(task);
}

static int cancel_self_then_await(void *child)
{
    hr_task_cancel(hr_current_task(), NULL);
    return hr_await(child);
}

TEST(s3_13_a_pending_cancel_goes_on_to_what_is_awaited_next)
{
    struct probe p = {.cleanup_ms = 7};
    hr_task *child = spawn_probe(&p);
    ASSERT_ERR(hr_join(hr_create_task(NULL, cancel_self_then_await, child)), -ECANCELED);
    ASSERT_TRUE(p.finished);
    ASSERT_EQ(test_clock_now(), hr_ms(7));
    hr_future_unref(child);
}

TEST(s3_14_requests_before_delivery_are_counted_and_delivered_once)
{
    struct probe p = {.swallow = true, .cleanup_ms = 1};
    hr_task *task = spawn_probe(&p);
    for (int i = 0; i < 3; i++)
        ASSERT_TRUE(hr_task_cancel(task, NULL));
    ASSERT_EQ(hr_task_cancelling(task), 3);
    ASSERT_ERR(hr_join(task), 5);
    ASSERT_ERR(p.cleanup, 0);
}

TEST(s3_15_a_request_during_cleanup_interrupts_the_cleanup)
{
    struct probe p = {.cleanup_ms = 50};
    hr_task *task = spawn_probe(&p);
    hr_task_cancel(task, NULL);
    test_passes(2);
    hr_task_cancel(task, NULL);
    ASSERT_EQ(hr_task_cancelling(task), 2);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_ERR(p.cleanup, -ECANCELED);
    ASSERT_EQ(test_clock_now(), 0);
}

TEST(s3_19_a_cancel_hits_a_task_that_is_queued_to_resume)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    struct probe p = {.awaits = future};
    hr_task *task = spawn_probe(&p);
    ASSERT_ERR(hr_future_set_status(future, 8), 0);
    ASSERT_TRUE(hr_task_cancel(task, NULL));
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_ERR(p.seen, -ECANCELED);
    ASSERT_ERR(hr_future_status(future), 8);
}

static int awaits_done_then_yields(void *future)
{
    hr_task_cancel(hr_current_task(), NULL);
    ASSERT_ERR(hr_await(future), 8);
    return hr_sleep(0);
}

TEST(s3_20_awaiting_a_done_future_delivers_nothing_a_zero_sleep_does)
{
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    hr_future_set_status(future, 8);
    ASSERT_ERR(hr_join(hr_create_task(NULL, awaits_done_then_yields, future)), -ECANCELED);
}

static int spawns_and_sleeps(void *child)
{
    *(hr_task **)child = hr_create_task("child", seven, NULL);
    int r = hr_sleep(hr_seconds(1));
    return r;
}

TEST(s3_21_s3_22_cancel_touches_neither_siblings_nor_children_not_awaited)
{
    hr_task *child = NULL;
    struct probe sibling = {.swallow = true};
    hr_auto(hr_future_unrefp) hr_future *future = hr_future_new(NULL);
    sibling.awaits = future;
    hr_task *sibling_task = spawn_probe(&sibling);
    hr_task *parent = hr_create_task("parent", spawns_and_sleeps, &child);
    test_passes(1);
    hr_task_cancel(parent, NULL);
    ASSERT_ERR(hr_join(parent), -ECANCELED);
    ASSERT_ERR(hr_join(child), 7);
    ASSERT_FALSE(sibling.finished);
    hr_future_set_status(future, 0);
    ASSERT_ERR(hr_join(sibling_task), 5);
}

static void cancel_from_callback(void *task)
{
    ASSERT_TRUE(hr_task_cancel(task, "callback"));
}

TEST(s3_24_a_callback_may_cancel)
{
    struct probe p = {0};
    hr_task *task = spawn_probe(&p);
    ASSERT_TRUE(hr_call_soon(cancel_from_callback, task));
    ASSERT_ERR(hr_join(task), -ECANCELED);
}

static void *cancel_from_a_thread(void *task)
{
    int r = hr_call_soon_threadsafe(hr_future_loop(task), cancel_from_callback, task);
    return (void *)(intptr_t)r;
}

TEST_REAL(s3_24_another_thread_cancels_by_the_threadsafe_call)
{
    struct probe p = {0};
    hr_task *task = spawn_probe(&p);
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, cancel_from_a_thread, task), 0);
    ASSERT_ERR(hr_await(task), -ECANCELED);
    ASSERT_STR(hr_future_cancel_reason(task), "callback");
    void *r;
    pthread_join(thread, &r);
    ASSERT_PTR(r, NULL);
    hr_future_unref(task);
}

TEST(s3_6_the_chain_may_be_longer_than_a_stack_is_deep)
{
    enum { LENGTH = 20000 };
    static struct probe probes[LENGTH];
    static hr_task *tasks[LENGTH];
    for (int i = 0; i < LENGTH; i++) {
        probes[i] = (struct probe){.awaits = i > 0 ? tasks[i - 1] : NULL};
        struct hr_task_options options = {.stack_size = 16 << 10};
        tasks[i] = hr_create_task_with(&options, probe_run, &probes[i]);
        ASSERT_TRUE(tasks[i]);
    }
    test_passes(1);
    ASSERT_TRUE(hr_task_cancel(tasks[LENGTH - 1], NULL));
    ASSERT_EQ(hr_task_cancelling(tasks[0]), 1);
    for (int i = LENGTH - 1; i >= 0; i--)
        ASSERT_ERR(hr_join(tasks[i]), -ECANCELED);
}

/* Tasks in a chain, each of which waits for its neighbour and notes how often it was asked to end.
 */
#define CHAIN 5000

struct chain {
    hr_task *tasks[CHAIN];
    unsigned asked[CHAIN];
    int step; /* from one to whom it waits for */
};

struct chain_end {
    struct chain *chain;
    int place;
};

static int hold_on(void *arg)
{
    struct chain_end self = *(struct chain_end *)arg;
    int neighbour = self.place + self.chain->step;
    int r = neighbour < 0 || neighbour == CHAIN
                ? hr_sleep(hr_seconds(60))
                : hr_join(hr_future_ref(self.chain->tasks[neighbour]));
    self.chain->asked[self.place] = hr_task_cancelling(hr_current_task());
    return r;
}

static int leave_a_chain(void *arg)
{
    static struct chain_end ends[CHAIN];
    struct chain *chain = arg;
    struct hr_task_options options = {.stack_size = 16 << 10};
    for (int i = 0; i < CHAIN; i++) {
        ends[i] = (struct chain_end){chain, i};
        chain->tasks[i] = hr_create_task_with(&options, hold_on, &ends[i]);
        ASSERT_TRUE(chain->tasks[i]);
    }
    int r = hr_yield();
    for (int i = 0; i < CHAIN; i++)
        hr_future_unref(chain->tasks[i]);
    return r;
}

TEST_PLAIN(s20_3_a_closing_loop_asks_each_task_of_a_chain_once)
{
    static struct chain chain;
    for (int step = -1; step <= 1; step += 2) {
        chain = (struct chain){.step = step};
        ASSERT_ERR(hr_run(leave_a_chain, &chain), 0);
        for (int i = 0; i < CHAIN; i++)
            ASSERT_EQ(chain.asked[i], 1);
    }
}

static int await_indirectly(void *task)
{
    return hr_await(*(hr_task **)task);
}

TEST(a_ring_of_tasks_that_wait_for_each_other_can_be_cancelled)
{
    hr_task *one = NULL, *two = NULL;
    one = hr_create_task("one", await_indirectly, &two);
    two = hr_create_task("two", await_indirectly, &one);
    hr_task *outside = hr_create_task("outside", await_indirectly, &two);
    test_passes(2);
    ASSERT_TRUE(hr_task_cancel(outside, NULL));
    ASSERT_ERR(hr_join(outside), -ECANCELED);
    ASSERT_ERR(hr_join(two), -ECANCELED);
    ASSERT_ERR(hr_join(one), -ECANCELED);
}

/* A primitive as others build it on park.h. */
struct turn {
    struct hr_list waiters;
    int passed_on, result;
};

static int take_turn(void *arg)
{
    struct turn *turn = arg;
    struct hr__waiter waiter;
    ASSERT_ERR(hr__waiter_init(&waiter), 0);
    hr_list_append(&turn->waiters, &waiter.link);
    int r = hr__park(&waiter, "a turn");
    ASSERT_TRUE(hr_list_empty(&waiter.link));
    if (r < 0 && waiter.woken)
        turn->passed_on++;
    turn->result = r;
    return r;
}

static void give_turn(struct turn *turn)
{
    struct hr__waiter *waiter = hr_list_entry(turn->waiters.next, struct hr__waiter, link);
    hr__wake(waiter, 11);
    hr__wake(waiter, 12); /* changes nothing */
}

TEST(s0_2_a_turn_given_to_a_cancelled_task_can_be_passed_on)
{
    struct turn turn = {0};
    hr_list_init(&turn.waiters);
    hr_task *task = hr_create_task(NULL, take_turn, &turn);
    test_passes(1);
    give_turn(&turn);
    ASSERT_TRUE(hr_list_empty(&turn.waiters));
    ASSERT_ERR(hr_join(task), 11);

    task = hr_create_task(NULL, take_turn, &turn); /* woken first, cancelled then */
    test_passes(1);
    give_turn(&turn);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_EQ(turn.passed_on, 1);

    task = hr_create_task(NULL, take_turn, &turn); /* cancelled first: it is out of the queue */
    test_passes(1);
    hr_task_cancel(task, NULL);
    ASSERT_TRUE(hr_list_empty(&turn.waiters));
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_EQ(turn.passed_on, 1);
}

static int parks_with_a_pending_cancel(void *turn)
{
    hr_task_cancel(hr_current_task(), NULL);
    return take_turn(turn);
}

TEST(a_pending_cancel_is_delivered_without_suspending)
{
    struct turn turn = {0};
    hr_list_init(&turn.waiters);
    ASSERT_ERR(hr_join(hr_create_task(NULL, parks_with_a_pending_cancel, &turn)), -ECANCELED);
    ASSERT_ERR(turn.result, -ECANCELED);
    ASSERT_EQ(turn.passed_on, 0);
}

static int held_sleep(void *arg)
{
    struct probe *p = arg;
    hr__task_hold_cancels(hr_current_task(), true);
    p->seen = hr_sleep(hr_ms(5));
    hr__task_hold_cancels(hr_current_task(), false);
    p->later = hr_sleep(hr_ms(5));
    return p->later;
}

TEST(held_cancels_are_delivered_at_the_first_suspension_afterwards)
{
    struct probe p = {0};
    hr_task *task = hr_create_task(NULL, held_sleep, &p);
    test_passes(1);
    ASSERT_TRUE(hr_task_cancel(task, NULL));
    ASSERT_EQ(hr_task_cancelling(task), 1);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_ERR(p.seen, 0);
    ASSERT_ERR(p.later, -ECANCELED);
    ASSERT_EQ(test_clock_now(), hr_ms(5));
}

static char unwound[8];

static void unwind(const char *letter)
{
    size_t length = strlen(unwound);
    unwound[length] = *letter;
    unwound[length + 1] = 0;
}

static int nested_cleanups(void *arg)
{
    hr_auto(unwind) char first = 'a';
    hr_auto(unwind) char second = 'b';
    (void)first, (void)second;
    return hr_sleep(hr_seconds(60));
}

TEST(s3_25_cleanups_run_on_a_cancel_innermost_first)
{
    unwound[0] = '\0';
    hr_task *task = hr_create_task(NULL, nested_cleanups, NULL);
    test_passes(1);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_STR(unwound, "ba");
}
