/* SPDX-License-Identifier: MIT */
/*
 * The loop, semantics 11, 12 and 20.
 */
#include "core/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/io.h"
#include "core/watch.h"
#include "tests/support/hrtest.h"

static char order[128];

static void note(void *letter)
{
    strncat(order, letter, sizeof(order) - strlen(order) - 1);
}

static char a[] = "a", b[] = "b", c[] = "c";

static int seven(void *arg)
{
    return 7;
}

static int nap(void *ms)
{
    return hr_sleep(hr_ms((intptr_t)ms));
}

static hr_loop *new_loop(void)
{
    hr_loop *loop = hr_loop_new(NULL);
    ASSERT_TRUE(loop);
    hr_loop_set_report(loop, test_report_collect, NULL);
    return loop;
}

static hr_task *spawn_on(hr_loop *loop, hr_task_fn *fn, void *arg)
{
    return hr_create_task_with(&(struct hr_task_options){.name = "main", .loop = loop}, fn, arg);
}

TEST(s11_1_callbacks_run_first_in_first_out)
{
    order[0] = '\0';
    ASSERT_TRUE(hr_call_soon(note, b));
    ASSERT_TRUE(hr_call_soon(note, a));
    ASSERT_TRUE(hr_call_soon(note, c));
    ASSERT_STR(order, "");
    test_passes(1);
    ASSERT_STR(order, "bac");
}

static void note_and_requeue(void *letter)
{
    note(letter);
    ASSERT_TRUE(hr_call_soon(note, c));
}

TEST(s11_2_a_callback_queued_during_a_pass_runs_in_the_next)
{
    order[0] = '\0';
    ASSERT_TRUE(hr_call_soon(note_and_requeue, a));
    ASSERT_TRUE(hr_call_soon(note, b));
    test_passes(1);
    ASSERT_STR(order, "ab");
    test_passes(1);
    ASSERT_STR(order, "abc");
}

TEST(s11_3_a_cancelled_callback_does_not_run_even_when_queued)
{
    order[0] = '\0';
    hr_handle *handle = hr_call_soon(note, a);
    ASSERT_TRUE(hr_call_soon(note, b));
    hr_handle_cancel(handle);
    test_passes(2);
    ASSERT_STR(order, "b");
}

static int queue_two(void *arg)
{
    ASSERT_TRUE(hr_call_soon(note, a));
    ASSERT_TRUE(hr_call_later(hr_seconds(100), note, b));
    return 5;
}

TEST_PLAIN(s11_4_s11_5_run_until_complete_leaves_the_rest_queued)
{
    order[0] = '\0';
    hr_loop *loop = new_loop();
    ASSERT_ERR(hr_loop_run_until_complete(loop, spawn_on(loop, queue_two, NULL)), 5);
    ASSERT_STR(order, "a");
    struct hr_loop_stats stats;
    hr_loop_get_stats(loop, &stats);
    ASSERT_EQ(stats.timers, 1);
    hr_loop_free(loop);
    ASSERT_STR(order, "a");
}

static void stop_running_loop(void *letter)
{
    hr_loop_stop(hr_running_loop());
    ASSERT_TRUE(hr_call_soon(note, letter));
}

static int stop_and_note(void *letter)
{
    stop_running_loop(letter);
    return 0;
}

TEST_PLAIN(s11_6_s11_9_stop_lets_the_pass_finish_and_the_loop_runs_again)
{
    order[0] = '\0';
    hr_loop *loop = new_loop();
    hr_future_unref(spawn_on(loop, stop_and_note, c));
    hr_future_unref(spawn_on(loop, seven, NULL));
    ASSERT_ERR(hr_loop_run_forever(loop), 0);
    ASSERT_STR(order, ""); /* queued in that pass: the next one's */
    hr_loop_stop(loop);
    ASSERT_ERR(hr_loop_run_forever(loop), 0);
    ASSERT_STR(order, "c");
    hr_loop_free(loop);
}

TEST_PLAIN(s11_7_stop_before_run_makes_one_pass_without_blocking)
{
    hr_loop *loop = new_loop();
    hr_task *task = spawn_on(loop, nap, (void *)1000000);
    hr_loop_stop(loop);
    ASSERT_ERR(hr_loop_run_forever(loop), 0);
    hr_loop_stop(loop);
    ASSERT_ERR(hr_loop_run_forever(loop), 0);
    struct hr_loop_stats stats;
    hr_loop_get_stats(loop, &stats);
    ASSERT_EQ(stats.timers, 1); /* it ran, and sleeps */
    hr_future_unref(task);
    hr_loop_free(loop);
}

TEST_PLAIN(s11_8_stopped_before_completion_is_an_error_of_its_own)
{
    hr_loop *loop = new_loop();
    hr_future *future = hr_future_new(loop);
    hr_future_unref(spawn_on(loop, stop_and_note, a));
    ASSERT_ERR(hr_loop_run_until_complete(loop, hr_future_ref(future)), HR_EINVALIDSTATE);
    ASSERT_ERR(hr_future_set_status(future, 3), 0);
    ASSERT_ERR(hr_loop_run_until_complete(loop, future), 3);
    hr_loop_free(loop);
}

static int complete_and_nap(void *future)
{
    hr_future_set_status(future, 3);
    int r = hr_sleep(hr_ms(1));
    return r < 0 ? r : 5;
}

TEST_PLAIN(s11_8_what_was_not_done_then_stops_no_later_run)
{
    hr_loop *loop = new_loop();
    hr_future *future = hr_future_new(loop);
    hr_future_unref(spawn_on(loop, stop_and_note, a));
    ASSERT_ERR(hr_loop_run_until_complete(loop, hr_future_ref(future)), HR_EINVALIDSTATE);
    ASSERT_ERR(hr_loop_run_until_complete(loop, spawn_on(loop, complete_and_nap, future)), 5);
    hr_future_unref(future);
    hr_loop_free(loop);
}

TEST_PLAIN(s11_9_s11_10_a_closed_loop_refuses_everything)
{
    hr_loop *loop = new_loop();
    ASSERT_ERR(hr_loop_close(loop), 0);
    ASSERT_ERR(hr_loop_close(loop), 0);
    ASSERT_ERR(hr_loop_close(NULL), 0);
    ASSERT_PTR(hr_future_new(loop), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_ECLOSED);
    ASSERT_ERR(hr_loop_run_forever(loop), HR_ECLOSED);
    ASSERT_ERR(hr_call_soon_threadsafe(loop, note, a), HR_ECLOSED);
    hr_loop_free(loop);
    hr_loop_free(NULL);
}

static int run_another(void *loop)
{
    ASSERT_ERR(hr_loop_close(hr_running_loop()), -EBUSY);
    ASSERT_ERR(hr_loop_run_forever(loop), -EBUSY);
    ASSERT_ERR(hr_loop_run_forever(hr_running_loop()), -EBUSY);
    ASSERT_ERR(hr_run(seven, NULL), -EBUSY);
    ASSERT_ERR(hr_loop_close(loop), -EBUSY);
    return 0;
}

TEST_PLAIN(s11_10_s11_11_s20_2_one_loop_runs_in_a_thread)
{
    hr_loop *loop = new_loop(), *other = new_loop();
    ASSERT_ERR(hr_loop_run_until_complete(loop, spawn_on(loop, run_another, other)), 0);
    hr_loop_free(loop);
    hr_loop_free(other);
}

static int same_loop(void *loop)
{
    return hr_running_loop() == loop;
}

static void *run_in_thread(void *result)
{
    hr_loop *loop = new_loop();
    *(int *)result = hr_loop_run_until_complete(loop, spawn_on(loop, same_loop, loop));
    hr_loop_free(loop);
    return NULL;
}

TEST_PLAIN(s11_12_s11_13_each_thread_may_run_a_loop_of_its_own)
{
    pthread_t threads[3];
    int results[3];
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, run_in_thread, &results[i]), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        ASSERT_EQ(results[i], 1);
    }
    ASSERT_PTR(hr_running_loop(), NULL);
}

static hr_usec cpu_time(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return hr_seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

TEST_REAL(s11_17_an_idle_loop_sleeps_in_the_kernel)
{
    struct hr_loop_stats before, after;
    hr_usec cpu = cpu_time();
    hr_loop_get_stats(hr_running_loop(), &before);
    ASSERT_ERR(hr_sleep(hr_ms(50)), 0);
    hr_loop_get_stats(hr_running_loop(), &after);
    ASSERT_TRUE(after.passes - before.passes < 10);
    ASSERT_TRUE(cpu_time() - cpu < hr_ms(25));
}

TEST_PLAIN(s11_18_a_backend_may_be_named)
{
    static const char *const backends[] = {"epoll", "poll", "select"};
    for (size_t i = 0; i < HR_ARRAY_LEN(backends); i++) {
        struct hr_loop_options options = {.backend = backends[i]};
        ASSERT_ERR(hr_run_with(&options, nap, (void *)1), 0);
    }
    struct hr_loop_options options = {.backend = "carrier pigeon"};
    ASSERT_ERR(hr_run_with(&options, nap, (void *)1), -EINVAL);
}

static int fatal(void *arg)
{
    return hr_fail(HR_EFATAL, "give up");
}

TEST_PLAIN(s11_23_a_fatal_code_stops_the_loop_and_it_can_run_again)
{
    hr_loop *loop = new_loop();
    hr_future_unref(spawn_on(loop, fatal, NULL));
    ASSERT_ERR(hr_loop_run_forever(loop), HR_EFATAL);
    ASSERT_STR(hr_last_error()->message, "give up");
    ASSERT_ERR(hr_loop_run_until_complete(loop, spawn_on(loop, seven, NULL)), 7);
    hr_loop_free(loop);
}

TEST(s11_24_statistics)
{
    struct hr_loop_stats one, two;
    hr_loop_get_stats(hr_running_loop(), &one);
    hr_task *task = hr_create_task(NULL, nap, (void *)5);
    hr_handle *handle = hr_call_later(hr_seconds(1), note, a);
    hr_loop_get_stats(hr_running_loop(), &two);
    ASSERT_EQ(two.tasks, one.tasks + 1);
    ASSERT_EQ(two.ready, 1);
    ASSERT_EQ(two.timers, 1);
    ASSERT_ERR(hr_join(task), 0);
    hr_handle_cancel(handle);
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    ASSERT_ERR(hr_watch_add(ends[0], HR_READ, note, a), 0);
    hr_loop_get_stats(hr_running_loop(), &two);
    ASSERT_EQ(two.watches, one.watches + 1);
    ASSERT_TRUE(hr_watch_remove(ends[0], HR_READ));
    close(ends[0]);
    close(ends[1]);
    hr_loop_get_stats(hr_running_loop(), &two);
    ASSERT_EQ(two.watches, one.watches);
    ASSERT_EQ(two.tasks, one.tasks);
    ASSERT_EQ(two.timers, 0);
    ASSERT_TRUE(two.passes > one.passes && two.slices > one.slices);
}

/* --- threads --- */

struct sender {
    hr_loop *loop;
    hr_future *done;
    int got[3], lost;
    atomic_int senders;
};

struct message {
    struct sender *to;
    int from, number;
};

enum { MESSAGES = 20000 };

static void receive(void *arg)
{
    struct message *message = arg;
    struct sender *to = message->to;
    if (to->got[message->from]++ != message->number)
        to->lost++;
    if (to->got[0] + to->got[1] + to->got[2] == 3 * MESSAGES)
        hr_future_set_result(to->done, NULL, NULL);
}

static void *send_all(void *arg)
{
    struct sender *sender = arg;
    static struct message messages[3][MESSAGES];
    int self = atomic_fetch_add(&sender->senders, 1);
    for (int i = 0; i < MESSAGES; i++) {
        messages[self][i] = (struct message){sender, self, i};
        int r = hr_call_soon_threadsafe(sender->loop, receive, &messages[self][i]);
        if (r < 0)
            return sender;
        if (i % 1000 == 0)
            usleep(200); /* so that the loop falls asleep now and then */
    }
    return NULL;
}

TEST_REAL(s12_1_s12_2_l4_calls_of_other_threads_arrive_all_and_in_order)
{
    struct sender sender = {.loop = hr_running_loop(), .done = hr_future_new(NULL)};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, send_all, &sender), 0);
    ASSERT_ERR(hr_join(sender.done), 0);
    for (int i = 0; i < 3; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        ASSERT_PTR(failed, NULL);
        ASSERT_EQ(sender.got[i], MESSAGES);
    }
    ASSERT_EQ(sender.lost, 0);
}

TEST(s12_2_a_threadsafe_call_from_the_loops_thread_stands_in_line)
{
    order[0] = '\0';
    ASSERT_TRUE(hr_call_soon(note, a));
    ASSERT_ERR(hr_call_soon_threadsafe(hr_running_loop(), note, b), 0);
    ASSERT_TRUE(hr_call_soon(note, c));
    test_passes(1);
    ASSERT_STR(order, "abc");
}

/* --- the end --- */

static int leave_behind(void *child)
{
    *(hr_task **)child = hr_create_task("left", nap, (void *)1000000);
    hr_future_ref(*(hr_task **)child);
    hr_future_unref(*(hr_task **)child);
    return 3;
}

TEST_PLAIN(s20_1_s20_3_run_returns_mains_outcome_and_ends_what_it_left)
{
    hr_task *left = NULL;
    ASSERT_ERR(hr_run(leave_behind, &left), 3);
    ASSERT_TRUE(hr_future_cancelled(left));
    ASSERT_STR(hr_future_cancel_reason(left), "the loop is closing");
    hr_future_unref(left);
}

struct generations {
    int left, ended;
};

static int spawn_when_cancelled(void *arg)
{
    struct generations *g = arg;
    int r = hr_sleep(hr_seconds(60));
    if (g->left-- > 0 && hr_spawn("next", spawn_when_cancelled, g) < 0)
        return hr_last_error()->code;
    int y = hr_yield(); /* the next one starts */
    g->ended++;
    return y < 0 ? y : r;
}

static int spawn_generations(void *arg)
{
    int r = hr_spawn("first", spawn_when_cancelled, arg);
    return r < 0 ? r : hr_yield();
}

TEST_PLAIN(s20_3_until_none_are_left)
{
    struct generations g = {.left = 3};
    ASSERT_ERR(hr_run(spawn_generations, &g), 0);
    ASSERT_EQ(g.ended, 4);
}

static int put_back(void *done)
{
    int r = hr_sleep(hr_ms(1));
    *(bool *)done = r == 0;
    return r;
}

static int spawn_cleanup(void *done)
{
    int r = hr_sleep(hr_seconds(60));
    int back = hr_join(hr_create_task("put-back", put_back, done));
    return back < 0 ? back : r;
}

static int start_worker(void *done)
{
    int r = hr_spawn("worker", spawn_cleanup, done);
    return r < 0 ? r : hr_yield();
}

TEST_PLAIN(s20_3_what_a_cancelled_task_spawns_to_clean_up_runs_to_its_end)
{
    bool done = false;
    ASSERT_ERR(hr_run(start_worker, &done), 0);
    ASSERT_TRUE(done);
}

static int fail_when_cancelled(void *arg)
{
    (void)!hr_sleep(hr_seconds(60));
    return hr_fail(-EIO, "in cleanup");
}

static int spawn_failing(void *arg)
{
    hr_loop_set_report(hr_running_loop(), test_report_collect, NULL);
    int r = hr_spawn("left", fail_when_cancelled, NULL);
    return r < 0 ? r : hr_yield();
}

TEST_PLAIN(s20_4_errors_of_leftovers_are_reported_as_such)
{
    ASSERT_ERR(hr_run(spawn_failing, NULL), 0);
    ASSERT_STR(test_report(), "left: task failed during shutdown: in cleanup");
}

static int fails(void *arg)
{
    return hr_fail(-ENOENT, "nothing there");
}

TEST_PLAIN(s20_1_mains_error_record_comes_out_too)
{
    ASSERT_ERR(hr_run(fails, NULL), -ENOENT);
    ASSERT_STR(hr_last_error()->message, "nothing there");
    ASSERT_STR(hr_last_error()->task, "main");
}

TEST_PLAIN(s20_5_a_loop_runs_several_mains_before_it_closes)
{
    hr_loop *loop = new_loop();
    for (int i = 0; i < 3; i++)
        ASSERT_ERR(hr_loop_run_until_complete(loop, spawn_on(loop, seven, NULL)), 7);
    hr_loop_free(loop);
}

static void note_done(hr_future *future, void *letter)
{
    note(letter);
}

TEST_PLAIN(a_loop_closes_with_callbacks_and_timers_still_queued)
{
    order[0] = '\0';
    hr_loop *loop = new_loop();
    ASSERT_ERR(hr_loop_run_until_complete(loop, spawn_on(loop, queue_two, NULL)), 5);
    hr_future *future = hr_future_new(loop);
    hr_future_set_status(future, 0);
    ASSERT_ERR(hr_future_add_done_callback(future, note_done, a), 0);
    hr_future_unref(future);
    hr_loop_free(loop);
    ASSERT_STR(order, "a");
}

static hr_usec hour_of_timeouts(void)
{
    hr_usec start = hr_now();
    for (int i = 0; i < 3600; i++)
        ASSERT_ERR(hr_sleep(hr_seconds(1)), 0);
    return hr_now() - start;
}

TEST(an_hour_of_virtual_time_takes_no_time)
{
    ASSERT_EQ(hour_of_timeouts(), hr_seconds(3600));
}

static int note_number(void *arg)
{
    *(uint64_t *)arg = hr_running_loop_number();
    return 0;
}

TEST_PLAIN(no_two_loops_have_the_same_number)
{
    uint64_t first, second;
    ASSERT_EQ(hr_running_loop_number(), 0);
    ASSERT_ERR(hr_run(note_number, &first), 0);
    ASSERT_ERR(hr_run(note_number, &second), 0);
    ASSERT_TRUE(first > 0 && second > first);
}
