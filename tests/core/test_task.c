/* SPDX-License-Identifier: MIT */
/*
 * Tasks, semantics 2.
 */
#include "core/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/hrtest.h"

static char order[128];

static int note(void *letter)
{
    strncat(order, letter, sizeof(order) - strlen(order) - 1);
    return 0;
}

static char a[] = "a", b[] = "b", c[] = "c";

static int seven(void *arg)
{
    return 7;
}

static int fails(void *arg)
{
    return hr_fail(-EIO, "no luck");
}

static int fails_silently(void *arg)
{
    return -EPIPE;
}

static int nap(void *ms)
{
    return hr_sleep(hr_ms((intptr_t)ms));
}

static hr_task *spawn_nap(intptr_t ms)
{
    return hr_create_task(NULL, nap, (void *)ms);
}

TEST(s2_1_s2_2_bodies_start_after_the_spawning_slice_in_spawn_order)
{
    order[0] = '\0';
    ASSERT_ERR(hr_spawn("a", note, a), 0);
    ASSERT_ERR(hr_spawn("b", note, b), 0);
    ASSERT_ERR(hr_spawn("c", note, c), 0);
    ASSERT_STR(order, "");
    test_passes(1);
    ASSERT_STR(order, "abc");
}

TEST(s2_3_only_its_function_completes_a_task)
{
    hr_task *task = hr_create_task(NULL, seven, NULL);
    ASSERT_ERR(hr_future_set_result(task, NULL, NULL), -EINVAL);
    ASSERT_ERR(hr_future_set_error(task, -EIO, "no"), -EINVAL);
    ASSERT_ERR(hr_future_status(task), -EAGAIN);
    ASSERT_ERR(hr_join(task), 7);
}

TEST(s2_4_a_task_ends_with_what_its_function_returned)
{
    hr_auto(hr_future_unrefp) hr_task *good = hr_create_task("good", seven, NULL);
    hr_auto(hr_future_unrefp) hr_task *bad = hr_create_task("bad", fails, NULL);
    hr_auto(hr_future_unrefp) hr_task *mute = hr_create_task("mute", fails_silently, NULL);
    ASSERT_ERR(hr_await(good), 7);
    ASSERT_ERR(hr_future_status(good), 7);
    ASSERT_ERR(hr_await(bad), -EIO);
    ASSERT_STR(hr_last_error()->message, "no luck");
    ASSERT_ERR(hr_await(mute), -EPIPE);
    ASSERT_STR(hr_last_error()->message, "Broken pipe");
    ASSERT_STR(hr_last_error()->task, "mute");
}

static int destroyed;

static void destroy(void *value)
{
    destroyed++;
}

static int gives(void *value)
{
    hr_task_return(a, destroy); /* the last one counts */
    hr_task_return(value, destroy);
    return 1;
}

static int gives_and_fails(void *value)
{
    hr_task_return(value, destroy);
    return hr_fail(-EIO, "after all");
}

TEST(s2_4_a_task_may_give_a_value_besides)
{
    destroyed = 0;
    hr_task *task = hr_create_task(NULL, gives, b);
    ASSERT_ERR(hr_await(task), 1);
    ASSERT_EQ(destroyed, 1);
    ASSERT_PTR(hr_future_result(task), b);
    hr_future_unref(task);
    ASSERT_EQ(destroyed, 2);

    task = hr_create_task(NULL, gives_and_fails, b);
    ASSERT_ERR(hr_await(task), -EIO);
    ASSERT_EQ(destroyed, 3);
    ASSERT_PTR(hr_future_result(task), NULL);
    hr_future_unref(task);
}

static int passes_on(void *arg)
{
    return hr_join(hr_create_task("inner", fails, NULL));
}

TEST(s2_5_an_inner_tasks_error_comes_out_where_it_is_awaited)
{
    ASSERT_ERR(hr_join(hr_create_task("outer", passes_on, NULL)), -EIO);
    ASSERT_STR(hr_last_error()->message, "no luck");
    ASSERT_STR(hr_last_error()->task, "inner");
}

TEST(s2_7_in_sequence_times_add_up_side_by_side_the_longer_counts)
{
    ASSERT_ERR(hr_join(spawn_nap(1)), 0);
    ASSERT_ERR(hr_join(spawn_nap(2)), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(3));
    hr_task *one = spawn_nap(1), *two = spawn_nap(2);
    ASSERT_ERR(hr_join(one), 0);
    ASSERT_ERR(hr_join(two), 0);
    ASSERT_EQ(test_clock_now(), hr_ms(5));
}

TEST(s2_8_every_task_has_a_name_that_can_be_changed)
{
    hr_task *given = hr_create_task("given", seven, NULL);
    hr_task *third = hr_create_task(NULL, seven, NULL);
    hr_task *fourth = hr_create_task(NULL, seven, NULL);
    ASSERT_STR(hr_task_name(given), "given");
    ASSERT_STR(hr_task_name(third), "task-3");
    ASSERT_STR(hr_task_name(fourth), "task-4");
    hr_task_set_name(given, "a name that is longer than twenty-three bytes");
    ASSERT_STR(hr_task_name(given), "a name that is longer t");
    ASSERT_ERR(hr_join(given), 7);
    ASSERT_ERR(hr_join(third), 7);
    ASSERT_ERR(hr_join(fourth), 7);
}

static int knows_itself(void *self)
{
    hr_task *before = hr_current_task();
    ASSERT_PTR(before, *(hr_task **)self);
    ASSERT_ERR(hr_yield(), 0);
    ASSERT_PTR(hr_current_task(), before);
    return 0;
}

static void sees_no_task(void *seen)
{
    *(bool *)seen = hr_current_task() == NULL && hr_running_loop() != NULL;
}

TEST(s2_9_the_current_task_is_known_inside_tasks_only)
{
    hr_task *task = hr_create_task("self", knows_itself, &task);
    bool seen = false;
    ASSERT_TRUE(hr_call_soon(sees_no_task, &seen));
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_TRUE(seen);
    ASSERT_STR(hr_task_name(hr_current_task()), "test");
}

TEST_PLAIN(s2_9_outside_the_loop_there_is_none)
{
    ASSERT_PTR(hr_current_task(), NULL);
    ASSERT_ERR(hr_yield(), HR_ENOTASK);
    ASSERT_ERR(hr_sleep(5), HR_ENOTASK);
    ASSERT_PTR(hr_create_task(NULL, seven, NULL), NULL);
    ASSERT_ERR(hr_spawn(NULL, seven, NULL), HR_ENOLOOP);
}

static void collect_name(hr_task *task, void *cookie)
{
    strcat(cookie, hr_task_name(task));
    strcat(cookie, " ");
}

TEST(s2_10_all_tasks_are_listed_in_spawn_order)
{
    char names[100] = "";
    hr_task *sleeper = hr_create_task("sleeper", nap, (void *)5);
    hr_task *ended = hr_create_task("ended", seven, NULL);
    test_passes(1);
    hr_task *fresh = hr_create_task("fresh", seven, NULL);
    hr_all_tasks(NULL, collect_name, names);
    ASSERT_STR(names, "test sleeper fresh ");
    ASSERT_ERR(hr_join(sleeper), 0);
    ASSERT_ERR(hr_join(ended), 7);
    ASSERT_ERR(hr_join(fresh), 7);
}

/* Notes the task, makes another, and waits for the end of this one and the next. */
static void note_make_and_wait(hr_task *task, void *names)
{
    collect_name(task, names);
    ASSERT_ERR(hr_spawn("meanwhile", seven, NULL), 0);
    if (strcmp(hr_task_name(task), "one") == 0)
        ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
}

TEST(s2_10_the_list_may_change_while_it_is_gone_through)
{
    char names[100] = "";
    hr_future_unref(hr_create_task("one", nap, (void *)1));
    hr_future_unref(hr_create_task("two", nap, (void *)1));
    hr_task *three = hr_create_task("three", nap, (void *)9);
    hr_all_tasks(NULL, note_make_and_wait, names);
    ASSERT_STR(names, "test one three ");
    ASSERT_ERR(hr_join(three), 0);
}

TEST(s2_11_a_task_cannot_wait_for_itself)
{
    ASSERT_ERR(hr_await(hr_current_task()), HR_ESELFAWAIT);
}

static int touch_stack(void *arg)
{
    volatile char buffer[64 << 10];
    for (size_t i = 0; i < sizeof(buffer); i += 1024)
        buffer[i] = 1;
    return buffer[1024];
}

TEST(s2_12_a_finished_tasks_stack_goes_to_the_next_although_its_handle_is_held)
{
    hr_task *held[50];
    for (int i = 0; i < 50; i++) {
        held[i] = hr_create_task(NULL, touch_stack, NULL);
        ASSERT_ERR(hr_await(held[i]), 1);
        ASSERT_EQ(hr_task_stack_used(held[i]), 0);
    }
    for (int i = 0; i < 50; i++)
        hr_future_unref(held[i]);
}

TEST(s2_13_a_task_whose_handle_was_let_go_completes)
{
    order[0] = '\0';
    hr_future_unref(hr_create_task("a", note, a));
    test_passes(1);
    ASSERT_STR(order, "a");
}

TEST(s2_14_a_failed_task_without_a_handle_is_reported_when_it_ends)
{
    ASSERT_ERR(hr_spawn("loser", fails, NULL), 0);
    test_passes(1);
    ASSERT_STR(test_report(), "loser: task failed and nobody read its error: no luck");
    ASSERT_PTR(test_report(), NULL);
}

TEST(s2_16_a_body_without_a_suspension_wakes_its_waiters_through_the_queue)
{
    order[0] = '\0';
    hr_task *task = hr_create_task("a", note, a);
    ASSERT_ERR(hr_spawn("b", note, b), 0);
    ASSERT_ERR(hr_await(task), 0);
    ASSERT_STR(order, "ab"); /* b was queued before this waiter */
    hr_future_unref(task);
}

TEST_PLAIN(s2_17_a_closed_loop_takes_no_task)
{
    hr_loop *loop = hr_loop_new(NULL);
    ASSERT_ERR(hr_loop_close(loop), 0);
    struct hr_task_options options = {.loop = loop, .free_arg = destroy};
    destroyed = 0;
    ASSERT_PTR(hr_create_task_with(&options, seven, a), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_ECLOSED);
    ASSERT_EQ(destroyed, 0);
    hr_loop_free(loop);
}

static int wait_for_test(void *task)
{
    return hr_await(task);
}

TEST(s2_19_a_dump_tells_where_each_task_waits)
{
    hr_task *sleeper = hr_create_task("sleeper", nap, (void *)5);
    hr_task *waiter = hr_create_task("waiter", wait_for_test, sleeper);
    test_passes(1);
    hr_task *fresh = hr_create_task("fresh", seven, NULL);
    hr_task_cancel(fresh, NULL);

    ASSERT_TRUE(test_dump_says("test                    runs"));
    ASSERT_TRUE(test_dump_says("sleeper                 waits for a moment, since 0.000 s"));
    ASSERT_TRUE(test_dump_says("waiter                  waits for task sleeper"));
    ASSERT_TRUE(test_dump_says("fresh                   is ready"));
    ASSERT_TRUE(test_dump_says("asked to end"));
    ASSERT_ERR(hr_join(waiter), 0);
    ASSERT_ERR(hr_join(sleeper), 0);
    ASSERT_ERR(hr_join(fresh), -ECANCELED);
}

static int measure_stack(void *arg)
{
    touch_stack(NULL);
    return (int)hr_task_stack_used(hr_current_task());
}

TEST(s2_22_a_stack_may_be_larger_and_its_high_water_mark_is_known)
{
    struct hr_task_options options = {.name = "large", .stack_size = 1 << 20};
    int used = hr_join(hr_create_task_with(&options, measure_stack, NULL));
    ASSERT_TRUE(used >= 64 << 10);
    ASSERT_TRUE(used < 200 << 10);
    used = hr_join(hr_create_task("default", measure_stack, NULL));
    ASSERT_TRUE(used >= 64 << 10);
}

static int deep_recursion(int depth)
{
    volatile char buffer[16 << 10];
    buffer[0] = (char)depth;
    return depth == 0 ? 0 : deep_recursion(depth - 1) + buffer[0] * 0;
}

static int use_much_stack(void *arg)
{
    return deep_recursion(200);
}

TEST(s2_22_a_larger_stack_can_be_used_to_its_end)
{
    struct hr_task_options options = {.stack_size = 8 << 20};
    ASSERT_ERR(hr_join(hr_create_task_with(&options, use_much_stack, NULL)), 0);
}

TEST(s2_22_a_stack_that_no_address_space_holds_is_a_failed_task)
{
    for (int shift = 0; shift < 16; shift += 3) {
        struct hr_task_options options = {.stack_size = SIZE_MAX >> shift};
        ASSERT_ERR(hr_join(hr_create_task_with(&options, use_much_stack, NULL)), -ENOMEM);
    }
}

static int sleep_twice(void)
{
    int r = hr_sleep(hr_ms(1));
    return r < 0 ? r : hr_sleep(hr_ms(2));
}

TEST(s2_6_a_function_that_is_called_waits_in_the_callers_task)
{
    hr_task *self = hr_current_task();
    struct hr_loop_stats before, after;
    hr_loop_get_stats(hr_running_loop(), &before);
    ASSERT_ERR(sleep_twice(), 0);
    hr_loop_get_stats(hr_running_loop(), &after);
    ASSERT_PTR(hr_current_task(), self);
    ASSERT_EQ(test_clock_now(), hr_ms(3));
    ASSERT_EQ(after.slices - before.slices, 2); /* one a sleep: no task came in between */
}

static int ensure_foreign(void *future)
{
    ASSERT_PTR(hr_ensure_task(future, NULL, seven, NULL), NULL);
    return hr_last_error()->code;
}

TEST_PLAIN(s2_18_what_is_another_loops_is_refused)
{
    hr_loop *loop = hr_loop_new(NULL);
    hr_future *future = hr_future_new(loop);
    ASSERT_PTR(hr_ensure_task(future, NULL, seven, NULL), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_ENOLOOP);
    ASSERT_ERR(hr_run(ensure_foreign, future), HR_EWRONGLOOP);
    hr_future_unref(future);
    hr_loop_free(loop);
}

TEST(s2_18_a_future_stays_what_it_is_and_a_function_becomes_a_task)
{
    hr_future *future = hr_future_new(NULL);
    hr_future *same = hr_ensure_task(future, NULL, seven, NULL);
    ASSERT_PTR(same, future);
    hr_future_unref(same);
    hr_future_unref(future);
    ASSERT_ERR(hr_join(hr_ensure_task(NULL, "seven", seven, NULL)), 7);
}

struct eager {
    hr_task *self;
    int yielded;
    int errno_seen;
};

static int eager_run(void *arg)
{
    struct eager *eager = arg;
    eager->self = hr_current_task();
    errno = EBADF;
    note(a);
    eager->yielded = hr_yield();
    eager->errno_seen = errno;
    note(c);
    return 5;
}

TEST(s2_20_a_started_task_runs_to_its_first_suspension_inside_the_call)
{
    struct eager eager = {0};
    hr_task *self = hr_current_task();
    order[0] = '\0';
    errno = ENOENT;
    hr_task *task = hr_start_task("eager", eager_run, &eager);
    ASSERT_EQ(errno, ENOENT);
    note(b);
    ASSERT_STR(order, "ab");
    ASSERT_PTR(eager.self, task);
    ASSERT_PTR(hr_current_task(), self);
    ASSERT_FALSE(hr_future_done(task));
    ASSERT_ERR(hr_join(task), 5);
    ASSERT_STR(order, "abc");
    ASSERT_EQ(eager.errno_seen, EBADF);
}

TEST(s2_20_a_body_that_is_over_leaves_a_done_handle)
{
    hr_task *task = hr_start_task(NULL, seven, NULL);
    ASSERT_TRUE(hr_future_done(task));
    ASSERT_ERR(hr_join(task), 7);
    task = hr_start_task(NULL, fails, NULL);
    ASSERT_TRUE(hr_future_done(task));
    ASSERT_ERR(hr_join(task), -EIO);
}

static int start_another(void *arg)
{
    hr_task *inner = hr_start_task("inner", note, a);
    ASSERT_TRUE(hr_future_done(inner));
    hr_future_unref(inner);
    inner = hr_start_task("napper", nap, (void *)1);
    note(b);
    return hr_join(inner);
}

TEST(s2_20_starts_nest_and_keep_the_others_in_line)
{
    order[0] = '\0';
    hr_task *waiting = hr_create_task("waiting", note, c);
    hr_task *task = hr_start_task("outer", start_another, NULL);
    ASSERT_STR(order, "ab"); /* nobody else ran meanwhile */
    ASSERT_ERR(hr_join(waiting), 0);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_STR(order, "abc");
}

static int cancel_starter(void *starter)
{
    hr_task_cancel(starter, "by the child");
    return hr_yield();
}

TEST(s2_20_the_starter_can_be_cancelled_meanwhile)
{
    hr_task *task = hr_start_task(NULL, cancel_starter, hr_current_task());
    ASSERT_ERR(hr_yield(), -ECANCELED);
    ASSERT_EQ(hr_task_uncancel(hr_current_task()), 0);
    ASSERT_ERR(hr_join(task), 0);
}

static void note_from_callback(void *letter)
{
    note(letter);
}

static void start_in_callback(void *arg)
{
    hr_task *task = hr_start_task("from a callback", start_another, NULL);
    note(b);
    ASSERT_PTR(hr_current_task(), NULL);
    *(hr_task **)arg = task;
}

TEST(s2_20_callbacks_may_start_tasks_too)
{
    hr_task *task = NULL;
    order[0] = '\0';
    ASSERT_TRUE(hr_call_soon(start_in_callback, &task));
    ASSERT_TRUE(hr_call_soon(note_from_callback, c));
    test_passes(1);
    ASSERT_STR(order, "abbc");
    ASSERT_ERR(hr_join(task), 0);
}

static void start_in_destructor(void *arg)
{
    *(hr_task **)arg = hr_start_task("from a destructor", note, a);
    note(b);
}

static int leave_a_value(void *arg)
{
    hr_task_return(arg, start_in_destructor);
    return -EIO; /* the value is destroyed */
}

TEST(s2_20_a_destructor_only_queues)
{
    hr_task *task = NULL;
    order[0] = '\0';
    ASSERT_ERR(hr_join(hr_create_task(NULL, leave_a_value, &task)), -EIO);
    ASSERT_ERR(hr_join(task), 0);
    ASSERT_STR(order, "ba");
}

TEST_PLAIN(s2_20_without_a_running_loop_nothing_starts)
{
    ASSERT_PTR(hr_start_task(NULL, seven, NULL), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_ENOLOOP);
}
