/* SPDX-License-Identifier: MIT */
/*
 * Handles of what was submitted, at the edges of their lives: while they are completed, while their
 * loop goes, and when there is none.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/loop_impl.h"
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

/* As it happens: each handle ends in one of two ways, whoever was first. */
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

/* One thread is stopped in the middle of a cancel, when it has seen that the handle is not done and
 * is about to turn to the loop. Meanwhile the loop is freed, which has to wait for it. */
static _Thread_local bool stops;
static atomic_bool stopped, freed, too_early;
static pid_t freeing; /* the thread that frees */
static pthread_t canceller;

/* Whether that thread is asleep: it waits for a lock. */
static bool sleeps(pid_t thread)
{
    char name[64], state = '?';
    snprintf(name, sizeof(name), "/proc/self/task/%d/stat", (int)thread);
    FILE *file = fopen(name, "re");
    ASSERT_TRUE(file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
    fclose(file);
    return state == 'S';
}

int __real_hr__inbox_post(hr_loop *loop, struct hr__ready *entry);
int __wrap_hr__inbox_post(hr_loop *loop, struct hr__ready *entry);
int __wrap_hr__inbox_post(hr_loop *loop, struct hr__ready *entry)
{
    if (!stops)
        return __real_hr__inbox_post(loop, entry);
    stopped = true;
    while (!freed && !sleeps(freeing))
        sched_yield();
    too_early = freed;
    return too_early ? HR_ECLOSED : __real_hr__inbox_post(loop, entry);
}

static void *cancel_slowly(void *handle)
{
    stops = true;
    ASSERT_TRUE(hr_thread_future_cancel(handle));
    return NULL;
}

static int stop_loop_and_sleep(void *arg)
{
    hr_loop_stop(hr_running_loop());
    return hr_sleep(hr_seconds(60));
}

TEST_PLAIN(s12_8_a_loop_is_not_freed_while_a_handle_of_its_is_being_cancelled)
{
    hr_loop *loop = hr_loop_new(NULL);
    hr_thread_future *handle = hr_submit(loop, NULL, stop_loop_and_sleep, NULL);
    ASSERT_ERR(hr_loop_run_forever(loop), 0); /* until it has begun */
    stopped = freed = too_early = false;
    freeing = gettid();
    ASSERT_EQ(pthread_create(&canceller, NULL, cancel_slowly, handle), 0);
    while (!stopped)
        sched_yield();
    hr_loop_free(loop);
    freed = true;
    ASSERT_EQ(pthread_join(canceller, NULL), 0);
    ASSERT_FALSE(too_early);
    ASSERT_ERR(hr_thread_future_wait(handle, 0), -ECANCELED);
    hr_thread_future_unref(handle);
}

/* Handles of a loop that runs, each cancelled by two threads while its task begins, waits or ends.
 */
#define RACES 2000

struct race {
    hr_thread_future *handle;
    int cancels; /* that the task has seen */
};

static struct race races[RACES];
static atomic_int submitted;

static int yield_twice(void *arg)
{
    struct race *race = arg;
    int r = 0;
    for (int i = 0; i < 2; i++) {
        if (hr_yield() < 0) {
            race->cancels++;
            r = -ECANCELED;
        }
    }
    return r;
}

static void *cancel_as_they_come(void *unused)
{
    for (int i = 0; i < RACES; i++) {
        while (submitted <= i)
            sched_yield();
        hr_thread_future_cancel(races[i].handle);
    }
    return NULL;
}

TEST_PLAIN(s12_8_a_cancel_that_races_with_the_tasks_life_comes_once_or_never)
{
    hr_loop_thread *worker = hr_loop_thread_new("raced", NULL);
    hr_loop *loop = hr_loop_thread_loop(worker);
    pthread_t cancellers[2];
    submitted = 0;
    for (int i = 0; i < 2; i++)
        ASSERT_EQ(pthread_create(&cancellers[i], NULL, cancel_as_they_come, NULL), 0);
    for (int i = 0; i < RACES; i++) {
        races[i] = (struct race){0};
        ASSERT_TRUE(races[i].handle = hr_submit(loop, NULL, yield_twice, &races[i]));
        submitted++;
        if (i % 3 == 0) /* let it come to its end, or nearly */
            hr_thread_future_wait(races[i].handle, 1);
    }
    for (int i = 0; i < RACES; i++) {
        int r = hr_thread_future_wait(races[i].handle, HR_FOREVER);
        ASSERT_TRUE(r == 0 || r == -ECANCELED);
        ASSERT_TRUE(races[i].cancels <= 1);
        ASSERT_TRUE(r == -ECANCELED || races[i].cancels == 0);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(cancellers[i], NULL);
    for (int i = 0; i < RACES; i++)
        hr_thread_future_unref(races[i].handle);
    hr_loop_thread_free(worker);
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
