/* SPDX-License-Identifier: MIT */
/*
 * Executors, semantics 13. Threads meet at gates, never by the clock.
 */
#include "core/executor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/executor_impl.h"
#include "core/gather.h"
#include "core/submit.h"
#include "core/task.h"
#include "core/timeout.h"
#include "tests/support/hrtest.h"
#include "tests/support/starve.h"

/* Threads wait in it until it is opened. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int inside;
    bool open;
};

#define GATE                                                                                       \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false                              \
    }

static void gate_pass(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->inside++;
    pthread_cond_broadcast(&gate->moved);
    while (!gate->open)
        pthread_cond_wait(&gate->moved, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->moved);
    pthread_mutex_unlock(&gate->lock);
}

/* Blocks until n threads stand in the gate. */
static void gate_await(struct gate *gate, int n)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->inside < n)
        pthread_cond_wait(&gate->moved, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static atomic_int freed;

static void count_free(void *value)
{
    freed++;
}

struct work {
    struct gate *gate;
    int outcome;
    atomic_int *order;
    int place;
    bool ran;
    pthread_t thread;
};

static int work(void *arg, void **ret_value)
{
    struct work *w = arg;
    w->ran = true;
    w->thread = pthread_self();
    if (w->order)
        w->place = (*w->order)++;
    if (w->gate)
        gate_pass(w->gate);
    if (w->outcome < 0)
        return hr_fail(w->outcome, "disk %d is gone", 7);
    *ret_value = w;
    return w->outcome;
}

TEST_REAL(s13_1_threads_start_when_needed_and_are_reused)
{
    hr_executor *executor = hr_executor_new("test", 100);
    pthread_t seen[100];
    int threads = 0;
    for (int i = 0; i < 100; i++) { /* one after the other: a few threads do */
        struct work w = {0};
        ASSERT_ERR(hr_join(hr_run_in_executor(executor, work, &w, NULL)), 0);
        int k = 0;
        while (k < threads && !pthread_equal(seen[k], w.thread))
            k++;
        if (k == threads)
            seen[threads++] = w.thread;
    }
    ASSERT_TRUE(threads < 50);
    hr_executor_free(executor, false);

    struct gate gate = GATE;
    executor = hr_executor_new("test", 5);
    struct work held[5];
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 5; i++) {
        held[i] = (struct work){.gate = &gate};
        hr_futures_add(&all, hr_run_in_executor(executor, work, &held[i], NULL));
    }
    gate_await(&gate, 5); /* all five run side by side */
    gate_open(&gate);
    ASSERT_ERR(hr_gather(&all, 0), 0);
    hr_executor_free(executor, false);
}

TEST_REAL(s1_22_s13_2_five_workers_run_five_of_ten_jobs)
{
    struct gate gate = GATE;
    hr_executor *executor = hr_executor_new("test", 5);
    struct work w[10];
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 10; i++) {
        w[i] = (struct work){.gate = &gate};
        hr_futures_add(&all, hr_run_in_executor(executor, work, &w[i], NULL));
    }
    gate_await(&gate, 5);
    ASSERT_EQ(gate.inside, 5);
    for (int i = 0; i < 10; i++) {
        ASSERT_EQ(hr_future_running(all.items[i]), i < 5);
        ASSERT_STR(hr_future_state(all.items[i]), i < 5 ? "running" : "pending");
    }
    gate_open(&gate);
    ASSERT_ERR(hr_gather(&all, 0), 0);
    ASSERT_EQ(gate.inside, 10);
    ASSERT_STR(hr_future_state(all.items[0]), "finished");
    hr_executor_free(executor, false);
}

TEST_REAL(s13_3_jobs_start_in_submit_order)
{
    hr_executor *executor = hr_executor_new("test", 1);
    atomic_int order = 0;
    struct work w[20];
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 20; i++) {
        w[i] = (struct work){.order = &order};
        hr_futures_add(&all, hr_run_in_executor(executor, work, &w[i], NULL));
    }
    ASSERT_ERR(hr_gather(&all, 0), 0);
    for (int i = 0; i < 20; i++)
        ASSERT_EQ(w[i].place, i);
    hr_executor_free(executor, false);
}

TEST_REAL(s13_4_cancelling_removes_a_queued_job)
{
    struct gate gate = GATE;
    hr_executor *executor = hr_executor_new("test", 1);
    struct work first = {.gate = &gate}, second = {0};
    freed = 0;
    hr_future *running = hr_run_in_executor(executor, work, &first, NULL);
    struct hr_job_options options = {executor, NULL, count_free};
    hr_future *queued = hr_run_in_executor_with(&options, work, &second);
    gate_await(&gate, 1);
    ASSERT_TRUE(hr_future_cancel(queued, NULL));
    ASSERT_EQ(freed, 1); /* its argument is gone at once */
    ASSERT_ERR(hr_join(queued), -ECANCELED);
    gate_open(&gate);
    ASSERT_ERR(hr_join(running), 0);
    hr_executor_free(executor, false);
    ASSERT_FALSE(second.ran);
    ASSERT_EQ(freed, 1);
}

static int await_it(void *future)
{
    return hr_join(future);
}

TEST_REAL(s13_5_value_and_error_come_back_while_other_tasks_run)
{
    struct gate gate = GATE;
    struct work good = {.gate = &gate, .outcome = 4}, bad = {.outcome = -EIO};
    hr_auto(hr_future_unrefp) hr_future *future = hr_run_in_executor(NULL, work, &good, NULL);
    hr_task *task = hr_create_task("waiter", await_it, hr_future_ref(future));
    gate_await(&gate, 1);
    test_passes(10); /* the loop is free meanwhile */
    ASSERT_FALSE(hr_future_done(task));
    gate_open(&gate);
    ASSERT_ERR(hr_join(task), 4);
    ASSERT_PTR(hr_future_result(future), &good);

    ASSERT_ERR(hr_join(hr_run_in_executor(NULL, work, &bad, NULL)), -EIO);
    ASSERT_STR(hr_error_message(-EIO), "disk 7 is gone");
}

static int fail_without_a_word(void *arg, void **ret_value)
{
    return -EIO;
}

TEST_REAL(a_job_does_not_inherit_the_record_of_the_one_before)
{
    hr_executor *executor = hr_executor_new("test", 1);
    struct work bad = {.outcome = -EIO};
    ASSERT_ERR(hr_join(hr_run_in_executor(executor, work, &bad, NULL)), -EIO);
    ASSERT_ERR(hr_join(hr_run_in_executor(executor, fail_without_a_word, NULL, NULL)), -EIO);
    ASSERT_STR(hr_error_message(-EIO), hr_error_text(-EIO));
    hr_executor_free(executor, false);
}

TEST_REAL(s13_6_a_cancelled_wait_returns_at_once_and_the_value_is_destroyed_later)
{
    struct gate gate = GATE;
    hr_executor *executor = hr_executor_new("test", 1);
    struct work w = {.gate = &gate};
    freed = 0;
    hr_task *task =
        hr_create_task("waiter", await_it, hr_run_in_executor(executor, work, &w, count_free));
    gate_await(&gate, 1);
    test_passes(1);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_EQ(freed, 0);
    gate_open(&gate);
    hr_executor_free(executor, false);
    while (freed == 0) /* the job is on its way through the loop */
        ASSERT_ERR(hr_yield(), 0);
    ASSERT_EQ(freed, 1);
}

TEST_REAL(s13_6_a_value_that_nobody_takes_is_destroyed_once_with_its_future)
{
    struct work w = {0};
    freed = 0;
    hr_future *future = hr_run_in_executor(NULL, work, &w, count_free);
    ASSERT_ERR(hr_await(future), 0);
    ASSERT_EQ(freed, 0);
    hr_future_unref(future);
    ASSERT_EQ(freed, 1);

    future = hr_run_in_executor(NULL, work, &w, count_free);
    ASSERT_ERR(hr_await(future), 0);
    ASSERT_PTR(hr_future_take(future), &w);
    hr_future_unref(future);
    ASSERT_EQ(freed, 1);
}

TEST_REAL(s13_10_gathered_jobs_keep_their_order)
{
    hr_executor *executor = hr_executor_new("test", 5);
    struct work w[5];
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    struct gate gates[5];
    for (int i = 0; i < 5; i++) {
        gates[i] = (struct gate)GATE;
        w[i] = (struct work){.gate = &gates[i], .outcome = i + 1};
        hr_futures_add(&all, hr_run_in_executor(executor, work, &w[i], NULL));
    }
    for (int i = 4; i >= 0; i--) { /* side by side, and the last to begin ends first */
        gate_await(&gates[i], 1);
        ASSERT_FALSE(hr_future_done(all.items[i]));
    }
    for (int i = 4; i >= 0; i--) {
        gate_open(&gates[i]);
        ASSERT_ERR(hr_await(all.items[i]), i + 1);
    }
    ASSERT_ERR(hr_gather(&all, 0), 0);
    for (int i = 0; i < 5; i++)
        ASSERT_ERR(hr_future_status(all.items[i]), i + 1);
    hr_executor_free(executor, false);
}

TEST_REAL(s13_11_shutdown_finishes_the_queue)
{
    hr_executor *executor = hr_executor_new("test", 1);
    struct work w[50];
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (int i = 0; i < 50; i++) {
        w[i] = (struct work){.outcome = i};
        hr_futures_add(&all, hr_run_in_executor(executor, work, &w[i], NULL));
    }
    hr_executor_free(executor, false);
    for (int i = 0; i < 50; i++)
        ASSERT_TRUE(w[i].ran);
    ASSERT_ERR(hr_gather(&all, 0), 0);
    ASSERT_ERR(hr_future_status(all.items[49]), 49);
}

TEST_REAL(s13_11_shutdown_with_cancel_drops_what_has_not_started)
{
    struct gate gate = GATE;
    hr_executor *executor = hr_executor_new("test", 1);
    struct work running = {.gate = &gate}, queued = {0};
    freed = 0;
    hr_future *first = hr_run_in_executor(executor, work, &running, NULL);
    struct hr_job_options options = {executor, NULL, count_free};
    hr_future *second = hr_run_in_executor_with(&options, work, &queued);
    gate_await(&gate, 1);
    hr_executor_shutdown(executor, HR_SHUTDOWN_CANCEL);
    gate_open(&gate);
    hr_executor_free(executor, true);
    ASSERT_ERR(hr_join(first), 0);
    ASSERT_ERR(hr_join(second), HR_ESHUTDOWN);
    ASSERT_FALSE(queued.ran);
    ASSERT_EQ(freed, 1);
}

struct other_loop {
    hr_executor *executor;
    int result;
};

static int use_executor(void *arg)
{
    struct other_loop *o = arg;
    int sum = 0;
    for (int i = 0; i < 100; i++) {
        struct work w = {.outcome = i};
        int r = hr_join(hr_run_in_executor(o->executor, work, &w, NULL));
        if (r < 0)
            return r;
        sum += r;
    }
    return sum;
}

static void *other_thread(void *arg)
{
    struct other_loop *o = arg;
    o->result = hr_run(use_executor, o);
    return NULL;
}

TEST_REAL(s13_13_one_executor_serves_the_loops_of_many_threads)
{
    hr_executor *executor = hr_executor_new("test", 3);
    struct other_loop others[3];
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        others[i] = (struct other_loop){.executor = executor};
        ASSERT_EQ(pthread_create(&threads[i], NULL, other_thread, &others[i]), 0);
    }
    struct other_loop mine = {.executor = executor};
    ASSERT_ERR(use_executor(&mine), 4950);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        ASSERT_ERR(others[i].result, 4950);
    }
    hr_executor_free(executor, false);
}

struct abandoned {
    hr_executor *executor;
    struct gate *gate;
    struct work running, queued;
};

static int abandon(void *arg)
{
    struct abandoned *a = arg;
    struct hr_job_options options = {a->executor, count_free, count_free};
    hr_future *running = hr_run_in_executor_with(&options, work, &a->running);
    hr_future *queued = hr_run_in_executor_with(&options, work, &a->queued);
    gate_await(a->gate, 1);
    hr_future_unref(running);
    hr_future_unref(queued);
    return 0;
}

TEST_PLAIN(s13_14_a_completion_for_a_closed_loop_is_dropped_in_silence)
{
    struct gate gate = GATE;
    struct abandoned a = {hr_executor_new("test", 1), &gate, {.gate = &gate}, {0}};
    freed = 0;
    ASSERT_ERR(hr_run(abandon, &a), 0);
    ASSERT_EQ(freed, 1); /* the argument of the queued one */
    gate_open(&gate);
    hr_executor_free(a.executor, false);
    ASSERT_EQ(freed, 2); /* the value of the one that ran */
    ASSERT_FALSE(a.queued.ran);
}

TEST_REAL(s13_15_an_executor_without_threads_is_refused)
{
    ASSERT_PTR(hr_executor_new("test", 0), NULL);
    ASSERT_ERR(hr_last_error()->code, -EINVAL);
    hr_executor_free(NULL, true);
}

static void set_flag(void *flag)
{
    *(bool *)flag = true;
}

struct caller {
    hr_loop *loop;
    bool called;
};

static int call_back(void *arg, void **ret_value)
{
    struct caller *c = arg;
    return hr_call_soon_threadsafe(c->loop, set_flag, &c->called);
}

TEST_REAL(s13_16_a_job_may_use_the_threadsafe_call)
{
    struct caller c = {hr_running_loop()};
    ASSERT_ERR(hr_join(hr_run_in_executor(NULL, call_back, &c, NULL)), 0);
    ASSERT_TRUE(c.called); /* posted before the completion */
}

static int add_one(void *arg)
{
    return ++*(int *)arg;
}

struct submitter {
    hr_loop *loop;
    int count;
};

static int submit_and_wait(void *arg, void **ret_value)
{
    struct submitter *s = arg;
    hr_auto(hr_thread_future_unrefp) hr_thread_future *future =
        hr_submit(s->loop, "from a job", add_one, &s->count);
    return hr_thread_future_wait(future, HR_FOREVER);
}

TEST_REAL(s13_16_a_job_may_submit_tasks_and_wait_for_them)
{
    struct submitter s = {hr_running_loop(), 6};
    ASSERT_ERR(hr_join(hr_run_in_executor(NULL, submit_and_wait, &s, NULL)), 7);
}

static int leave_jobs(void *arg)
{
    struct work *w = arg;
    for (int i = 0; i < 3; i++)
        hr_future_unref(hr_run_in_executor(NULL, work, &w[i], count_free));
    return 0;
}

TEST_PLAIN(s13_22_the_default_pool_is_shut_down_at_the_end_of_the_run)
{
    struct work w[3] = {0};
    freed = 0;
    ASSERT_ERR(hr_run(leave_jobs, w), 0);
    int ran = w[0].ran + w[1].ran + w[2].ran;
    ASSERT_EQ(freed, ran); /* each value once; and no thread is left for the sanitizer to find */
}

TEST_REAL(s13_22_waiting_for_jobs_at_the_end_has_a_limit)
{
    static struct gate gate = GATE; /* the thread may outlive the test's frame */
    static struct work w = {.gate = &gate};
    hr_executor *executor = hr_executor_new("test", 1);
    hr_future *future = hr_run_in_executor(executor, work, &w, NULL);
    gate_await(&gate, 1);
    ASSERT_FALSE(hr__executor_close(executor, hr_ms(1)));
    gate_open(&gate);
    ASSERT_ERR(hr_join(future), 0);
}

static int leave_a_job_in(void *gate)
{
    static struct work w;
    w = (struct work){.gate = gate};
    hr_loop_set_report(hr_running_loop(), test_report_collect, NULL);
    hr_future_unref(hr_run_in_executor(NULL, work, &w, count_free));
    gate_await(gate, 1);
    return 6;
}

TEST_PLAIN(s13_22_a_job_that_goes_on_after_the_limit_is_reported_and_left)
{
    static struct gate gate = GATE;
    struct hr_loop_options options = {.shutdown_limit = hr_ms(2)};
    freed = 0;
    ASSERT_ERR(hr_run_with(&options, leave_a_job_in, &gate), 6);
    ASSERT_STR(test_report(), "default executor: a job still runs; leaving it behind");
    gate_open(&gate);
    while (freed == 0) /* its value, by the thread that nobody waits for */
        usleep(1000);
}

TEST_REAL(a_job_with_a_limit)
{
    struct gate gate = GATE;
    struct work w = {.gate = &gate};
    hr_executor *executor = hr_executor_new("test", 1);
    hr_future *future = hr_run_in_executor(executor, work, &w, NULL);
    gate_await(&gate, 1);
    ASSERT_ERR(hr_wait_for(future, hr_ms(1)), -ETIMEDOUT);
    gate_open(&gate);
    hr_executor_free(executor, false); /* the job uses this frame */
}

TEST_PLAIN(outside_of_a_loop_there_is_no_future)
{
    ASSERT_PTR(hr_run_in_executor(NULL, work, NULL, NULL), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_ENOLOOP);
}

struct plain_job {
    struct hr__job job;
    struct gate *gate;
    bool ran;
};

static void run_plain(struct hr__job *job)
{
    struct plain_job *plain = hr_container_of(job, struct plain_job, job);
    if (plain->gate)
        gate_pass(plain->gate);
    plain->ran = true;
}

TEST_REAL(s13_1_a_job_without_a_thread_of_its_own_is_done_by_one_that_is_there)
{
    struct gate gate = GATE;
    struct plain_job first = {{.run = run_plain}, &gate}, second = {{.run = run_plain}};
    hr_executor *executor = hr_executor_new("test", 2);
    ASSERT_ERR(hr__executor_submit(executor, &first.job), 0);
    gate_await(&gate, 1);
    starve_all_after(0, 1); /* no thread is to be had */
    ASSERT_ERR(hr__executor_submit(executor, &second.job), 0);
    ASSERT_TRUE(starve_end());
    gate_open(&gate);
    hr_executor_free(executor, false);
    ASSERT_TRUE(first.ran && second.ran);
}
