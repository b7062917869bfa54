/* SPDX-License-Identifier: MIT */
/*
 * Handles of what was submitted, at the edges of their lives: while they are completed, while their
 * loop goes, and when there is none.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "core/loop_thread.h"
#include "core/submit.h"

#include "tests/support/hrtest.h"

static int sleep_long(void *arg)
{
    return hr_sleep(hr_seconds(60));
}

#define HANDLES 300

static atomic_bool begin_now;

static void *cancel_each(void *handles)
{
    while (!begin_now)
        sched_yield();
    for (int i = 0; i < HANDLES; i++)
        hr_thread_future_cancel(((hr_thread_future **)handles)[i]);
    return NULL;
}

TEST_PLAIN(s12_8_handles_may_be_cancelled_while_their_loop_goes)
{
    static hr_thread_future *handles[HANDLES];
    for (int round = 0; round < 20; round++) {
        hr_loop *loop = hr_loop_new(NULL);
        pthread_t thread;
        begin_now = false;
        for (int i = 0; i < HANDLES; i++)
            ASSERT_TRUE(handles[i] = hr_submit(loop, NULL, sleep_long, NULL));
        ASSERT_EQ(pthread_create(&thread, NULL, cancel_each, handles), 0);
        begin_now = true;
        for (int i = 0; i < round; i++)
            sched_yield();
        hr_loop_free(loop);
        pthread_join(thread, NULL);
        for (int i = 0; i < HANDLES; i++) {
            int r = hr_thread_future_wait(handles[i], 0);
            ASSERT_TRUE(r == -ECANCELED || r == HR_ECLOSED);
            ASSERT_FALSE(hr_thread_future_cancel(handles[i])); /* the loop is gone */
            hr_thread_future_unref(handles[i]);
        }
    }
}

/* Who was called, in order. */
static char called[8];
static atomic_int calls;
static atomic_bool inside, go_on;

static void note(hr_thread_future *future, void *letter)
{
    called[calls++] = (char)(intptr_t)letter;
}

static void note_and_stay(hr_thread_future *future, void *letter)
{
    note(future, letter);
    ASSERT_ERR(hr_thread_future_add_done_callback(future, note, (void *)'c'), 0);
    inside = true;
    while (!go_on)
        sched_yield();
}

static int wait_for_gate(void *gate)
{
    while (!*(atomic_bool *)gate) {
        int r = hr_yield();
        if (r < 0)
            return r;
    }
    return 5;
}

TEST_PLAIN(s12_6_callbacks_added_while_others_run_keep_their_order)
{
    static atomic_bool gate;
    gate = inside = go_on = false;
    calls = 0;
    memset(called, 0, sizeof(called));
    hr_loop_thread *worker = hr_loop_thread_new("worker", NULL);
    hr_thread_future *handle = hr_submit(hr_loop_thread_loop(worker), NULL, wait_for_gate, &gate);
    ASSERT_ERR(hr_thread_future_add_done_callback(handle, note_and_stay, (void *)'a'), 0);
    ASSERT_ERR(hr_thread_future_add_done_callback(handle, note, (void *)'b'), 0);
    gate = true;
    while (!inside)
        sched_yield();
    ASSERT_TRUE(hr_thread_future_done(handle));
    ASSERT_ERR(hr_thread_future_add_done_callback(handle, note, (void *)'d'), 0);
    ASSERT_EQ(calls, 1);
    go_on = true;
    while (calls < 4)
        sched_yield();
    hr_loop_thread_free(worker);
    ASSERT_ERR(hr_thread_future_add_done_callback(handle, note, (void *)'e'), 0);
    ASSERT_STR(called, "abcde");
    hr_thread_future_unref(handle);
}

TEST_PLAIN(s0_6_a_handle_that_could_not_be_made_is_done_and_failed)
{
    hr_loop *loop = hr_loop_new(NULL);
    hr_loop_close(loop);
    hr_thread_future *handle = hr_submit(loop, NULL, sleep_long, NULL);
    ASSERT_PTR(handle, NULL);
    ASSERT_TRUE(hr_thread_future_done(handle));
    ASSERT_STR(hr_thread_future_state(handle), "failed");
    ASSERT_PTR(hr_thread_future_result(handle), NULL);
    ASSERT_PTR(hr_thread_future_take(handle), NULL);
    ASSERT_FALSE(hr_thread_future_cancel(handle));
    ASSERT_ERR(hr_thread_future_add_done_callback(handle, note, (void *)'x'), HR_ECLOSED);
    ASSERT_ERR(hr_thread_future_wait(handle, HR_FOREVER), HR_ECLOSED);
    hr_thread_future_unref(handle);
    hr_loop_free(loop);
}
