/* SPDX-License-Identifier: MIT */
/*
 * Work from other threads, semantics 12, 16.14 and 25.
 */
#include "core/submit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/loop_thread.h"
#include "core/queue.h"
#include "tests/support/hrtest.h"

/* Threads run on real time; what a test waits for is a condition, never a span. */
static hr_usec clock_now(void)
{
    return hr_clock_monotonic()->now(NULL);
}

static int nap(void *ms)
{
    int r = hr_sleep(hr_ms((intptr_t)ms));
    return r < 0 ? r : (int)(intptr_t)ms;
}

static int fails(void *arg)
{
    return hr_fail(-EIO, "no luck");
}

static hr_loop_thread *worker;
static hr_loop *loop;

static void begin(void)
{
    worker = hr_loop_thread_new("test loop", NULL);
    ASSERT_TRUE(worker);
    loop = hr_loop_thread_loop(worker);
}

static void end(void)
{
    worker = hr_loop_thread_free(worker);
}

static atomic_bool open_gate;

static int note_behind_gate(void *arg)
{
    int *noted = arg;
    *noted = 1;
    int r = 0;
    while (r == 0 && !open_gate)
        r = hr_sleep(hr_ms(1));
    *noted = 2;
    return r;
}

TEST_PLAIN(s12_4_s12_9_s12_16_a_submitted_tasks_outcome_comes_to_the_thread)
{
    begin();
    int noted = 0;
    open_gate = false;
    hr_thread_future *a = hr_submit(loop, "a", note_behind_gate, &noted);
    hr_thread_future *b = hr_submit(loop, "b", fails, NULL);
    ASSERT_FALSE(hr_thread_future_done(a)); /* the call has not waited for it */
    open_gate = true;
    ASSERT_ERR(hr_thread_future_wait(a, HR_FOREVER), 0);
    ASSERT_EQ(noted, 2);
    ASSERT_TRUE(hr_thread_future_done(a));
    ASSERT_ERR(hr_thread_future_wait(b, HR_FOREVER), -EIO);
    ASSERT_STR(hr_last_error()->message, "no luck");
    ASSERT_STR(hr_last_error()->task, "b");
    hr_thread_future_unref(a);
    hr_thread_future_unref(b);
    end();
}

/* Ends when as many as are wanted have come: side by side, or never. */
struct party {
    int wanted, here;
};

static int wait_for_all(void *arg)
{
    struct party *party = arg;
    int r = 0;
    party->here++;
    for (int i = 0; i < 10000 && r == 0 && party->here < party->wanted; i++)
        r = hr_sleep(hr_ms(1));
    return r == 0 && party->here < party->wanted ? -EBUSY : r;
}

TEST_PLAIN(s12_5_submitted_tasks_run_side_by_side)
{
    begin();
    struct party party = {.wanted = 2};
    hr_thread_future *a = hr_submit(loop, NULL, wait_for_all, &party);
    hr_thread_future *b = hr_submit(loop, NULL, wait_for_all, &party);
    ASSERT_ERR(hr_thread_future_wait(a, HR_FOREVER), 0);
    ASSERT_ERR(hr_thread_future_wait(b, HR_FOREVER), 0);
    hr_thread_future_unref(a);
    hr_thread_future_unref(b);
    end();
}

static pthread_t completed_in;
static atomic_int calls;

static void note_thread(hr_thread_future *future, void *cookie)
{
    completed_in = pthread_self();
    calls++;
    ASSERT_TRUE(hr_thread_future_done(future));
}

static int thread_of_loop(void *arg)
{
    *(pthread_t *)arg = pthread_self();
    return hr_sleep(hr_ms(10));
}

TEST_PLAIN(s12_6_a_done_callback_runs_in_the_completing_thread)
{
    begin();
    pthread_t theirs;
    calls = 0;
    hr_thread_future *f = hr_submit(loop, NULL, thread_of_loop, &theirs);
    ASSERT_ERR(hr_thread_future_add_done_callback(f, note_thread, NULL), 0);
    ASSERT_ERR(hr_thread_future_wait(f, HR_FOREVER), 0);
    end(); /* joined: the callback is over */
    ASSERT_EQ(calls, 1);
    ASSERT_TRUE(pthread_equal(completed_in, theirs));
    ASSERT_ERR(hr_thread_future_add_done_callback(f, note_thread, NULL), 0); /* done: at once */
    ASSERT_EQ(calls, 2);
    ASSERT_TRUE(pthread_equal(completed_in, pthread_self()));
    hr_thread_future_unref(f);
}

TEST_PLAIN(s12_7_a_limit_that_passes_cancels_nothing)
{
    begin();
    int noted = 0;
    open_gate = false;
    hr_thread_future *f = hr_submit(loop, NULL, note_behind_gate, &noted);
    ASSERT_ERR(hr_thread_future_wait(f, 0), -ETIMEDOUT);
    ASSERT_ERR(hr_thread_future_wait(f, hr_ms(2)), -ETIMEDOUT);
    open_gate = true;
    ASSERT_ERR(hr_thread_future_wait(f, HR_FOREVER), 0);
    ASSERT_ERR(hr_thread_future_wait(f, 0), 0); /* as often as one likes */
    hr_thread_future_unref(f);
    end();
}

struct cleaner {
    atomic_bool started;
    int cleaned;
};

static int clean_up(void *arg)
{
    struct cleaner *cleaner = arg;
    cleaner->started = true;
    int r = hr_sleep(hr_seconds(60));
    if (hr_sleep(hr_ms(1)) == 0)
        cleaner->cleaned = 1;
    return r;
}

static void wait_for_start(struct cleaner *cleaner)
{
    while (!cleaner->started)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

TEST_PLAIN(s12_8_s12_9_cancelling_it_cancels_the_task_which_cleans_up)
{
    begin();
    struct cleaner cleaner = {false, 0};
    hr_thread_future *f = hr_submit(loop, NULL, clean_up, &cleaner);
    wait_for_start(&cleaner);
    ASSERT_TRUE(hr_thread_future_cancel(f));
    ASSERT_TRUE(hr_thread_future_cancel(f) || hr_thread_future_done(f));
    ASSERT_ERR(hr_thread_future_wait(f, HR_FOREVER), -ECANCELED);
    ASSERT_EQ(cleaner.cleaned, 1);
    ASSERT_FALSE(hr_thread_future_cancel(f));
    hr_thread_future_unref(f);
    end();
}

static int give_text(void *arg)
{
    hr_task_return(strdup("text"), free);
    return 3;
}

TEST_PLAIN(s12_6_a_value_can_be_read_or_taken)
{
    begin();
    hr_thread_future *f = hr_submit(loop, NULL, give_text, NULL);
    ASSERT_ERR(hr_thread_future_wait(f, HR_FOREVER), 3);
    ASSERT_STR(hr_thread_future_result(f), "text");
    char *text = hr_thread_future_take(f);
    ASSERT_STR(text, "text");
    ASSERT_PTR(hr_thread_future_result(f), NULL);
    free(text);
    hr_thread_future_unref(f);
    hr_thread_future_unref(hr_submit(loop, NULL, give_text, NULL)); /* nobody takes it */
    end();
}

static int until_done(void *f)
{
    int r = 0;
    while (r == 0 && !hr_thread_future_done(f))
        r = hr_sleep(hr_ms(1));
    return r;
}

TEST_PLAIN(s12_10_a_loop_that_does_not_run_yet_keeps_what_is_submitted)
{
    hr_loop *later = hr_loop_new(NULL);
    hr_thread_future *f = hr_submit(later, NULL, nap, (void *)1);
    ASSERT_ERR(hr_thread_future_wait(f, hr_ms(1)), -ETIMEDOUT);
    struct hr_task_options options = {.loop = later};
    ASSERT_ERR(hr_loop_run_until_complete(later, hr_create_task_with(&options, until_done, f)), 0);
    ASSERT_ERR(hr_thread_future_wait(f, 0), 1);
    hr_thread_future_unref(f);
    ASSERT_ERR(hr_loop_close(later), 0);
    ASSERT_PTR(hr_submit(later, NULL, nap, NULL), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_ECLOSED);
    hr_loop_free(later);
}

TEST_PLAIN(s12_8_one_cancelled_before_it_started_never_runs)
{
    hr_loop *later = hr_loop_new(NULL);
    int noted = 0;
    hr_thread_future *f = hr_submit(later, NULL, note_behind_gate, &noted);
    ASSERT_TRUE(hr_thread_future_cancel(f));
    hr_loop_stop(later);
    ASSERT_ERR(hr_loop_run_forever(later), 0);
    ASSERT_ERR(hr_thread_future_wait(f, HR_FOREVER), -ECANCELED);
    ASSERT_EQ(noted, 0);
    hr_thread_future_unref(f);
    hr_loop_free(later);
}

TEST_PLAIN(s12_11_what_a_closing_loop_has_not_started_is_closed)
{
    hr_loop *never = hr_loop_new(NULL);
    hr_thread_future *f = hr_submit(never, NULL, nap, NULL);
    hr_thread_future *cancelled = hr_submit(never, NULL, nap, NULL);
    hr_thread_future_cancel(cancelled);
    hr_loop_free(never);
    ASSERT_ERR(hr_thread_future_wait(f, HR_FOREVER), HR_ECLOSED);
    ASSERT_TRUE(hr_thread_future_done(cancelled));
    hr_thread_future_unref(f);
    hr_thread_future_unref(cancelled);
}

TEST_PLAIN(s12_11_what_runs_when_the_loop_closes_is_cancelled)
{
    begin();
    struct cleaner cleaner = {false, 0};
    hr_thread_future *f = hr_submit(loop, NULL, clean_up, &cleaner);
    wait_for_start(&cleaner);
    end();
    ASSERT_ERR(hr_thread_future_wait(f, HR_FOREVER), -ECANCELED);
    ASSERT_EQ(cleaner.cleaned, 1);
    hr_thread_future_unref(f);
}

TEST_REAL(s12_12_the_loops_own_thread_may_not_wait)
{
    hr_thread_future *f = hr_submit(hr_running_loop(), NULL, nap, (void *)1);
    ASSERT_ERR(hr_thread_future_wait(f, HR_FOREVER), HR_EWRONGTHREAD);
    ASSERT_ERR(hr_thread_future_wait(f, 0), -ETIMEDOUT); /* looking is fine */
    while (!hr_thread_future_done(f))
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_ERR(hr_thread_future_wait(f, HR_FOREVER), 1); /* and so is a done one */
    hr_thread_future_unref(f);
}

static char letters[16];

static void block_and_note(void *arg)
{
    nanosleep(&(struct timespec){.tv_nsec = (intptr_t)arg * 1000000}, NULL);
    strcat(letters, (intptr_t)arg == 60 ? "a" : "b");
}

TEST_PLAIN(s12_3_callbacks_that_block_run_one_after_the_other)
{
    begin();
    letters[0] = '\0';
    hr_usec start = clock_now();
    ASSERT_ERR(hr_call_soon_threadsafe(loop, block_and_note, (void *)60), 0);
    ASSERT_ERR(hr_call_soon_threadsafe(loop, block_and_note, (void *)30), 0);
    hr_thread_future *f = hr_submit(loop, NULL, nap, NULL);
    ASSERT_ERR(hr_thread_future_wait(f, HR_FOREVER), 0);
    ASSERT_TRUE(clock_now() - start >= hr_ms(90));
    ASSERT_STR(letters, "ab");
    hr_thread_future_unref(f);
    end();
}

static void hold_the_loop(void *gate)
{
    atomic_bool *open = gate;
    *open = false;
    while (!*open)
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void note_call(void *called)
{
    *(atomic_bool *)called = true;
}

TEST_PLAIN(s12_1_a_call_does_not_wait_for_a_loop_that_is_busy)
{
    begin();
    atomic_bool gate = true, called = false;
    ASSERT_ERR(hr_call_soon_threadsafe(loop, hold_the_loop, &gate), 0);
    while (gate) /* until the loop is held up for good */
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    ASSERT_ERR(hr_call_soon_threadsafe(loop, note_call, &called), 0);
    hr_thread_future *f = hr_submit(loop, NULL, nap, NULL);
    ASSERT_FALSE(called);
    ASSERT_FALSE(hr_thread_future_done(f));
    gate = true;
    ASSERT_ERR(hr_thread_future_wait(f, HR_FOREVER), 0);
    ASSERT_TRUE(called);
    hr_thread_future_unref(f);
    end();
}

TEST_PLAIN(s12_13_s12_14_a_loop_in_a_thread_is_fed_from_outside_and_stopped)
{
    begin();
    hr_thread_future *fed[5];
    struct party party = {.wanted = 5};
    for (int i = 0; i < 5; i++) {
        fed[i] = hr_submit(loop, NULL, wait_for_all, &party);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    for (int i = 0; i < 5; i++) {
        ASSERT_ERR(hr_thread_future_wait(fed[i], HR_FOREVER), 0);
        hr_thread_future_unref(fed[i]);
    }
    end();
}

static int give_up(void *arg)
{
    return hr_fail(HR_EFATAL, "give up");
}

TEST_PLAIN(s11_23_s12_9_one_tasks_fatal_end_is_not_that_of_a_loop_in_a_thread)
{
    begin();
    hr_thread_future *f = hr_submit(loop, NULL, give_up, NULL);
    ASSERT_ERR(hr_thread_future_wait(f, HR_FOREVER), HR_EFATAL);
    ASSERT_STR(hr_last_error()->message, "give up");
    hr_thread_future_unref(f);
    f = hr_submit(loop, NULL, nap, (void *)1);
    ASSERT_ERR(hr_thread_future_wait(f, HR_FOREVER), 1);
    hr_thread_future_unref(f);
    end();
}

TEST_PLAIN(s12_14_s25_5_a_program_may_end_without_joining)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        begin();
        hr_submit(loop, NULL, nap, (void *)60000);
        _exit(7);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

/* A queue of the loop's, filled by this thread. */

struct feed {
    hr_queue *queue;
    char got[32];
};

static int consume(void *arg)
{
    struct feed *feed = arg;
    for (;;) {
        void *item;
        int r = hr_queue_get(feed->queue, &item);
        if (r == HR_ESHUTDOWN)
            return 0;
        if (r < 0)
            return r;
        strcat(feed->got, item);
        r = hr_sleep(hr_ms(1));
        if (r < 0)
            return r;
    }
}

static int make_queue(void *arg)
{
    struct feed *feed = arg;
    feed->queue = hr_queue_new(2, NULL);
    return feed->queue ? 0 : -ENOMEM;
}

static int free_queue(void *arg)
{
    hr_queue_free(((struct feed *)arg)->queue);
    return 0;
}

static void run_there(hr_task_fn *fn, void *arg)
{
    hr_auto(hr_thread_future_unrefp) hr_thread_future *f = hr_submit(loop, NULL, fn, arg);
    ASSERT_ERR(hr_thread_future_wait(f, HR_FOREVER), 0);
}

TEST_PLAIN(s16_14_s16_15_other_threads_put_and_wait_for_room_and_the_last_one_shuts_down)
{
    begin();
    struct feed feed = {0};
    run_there(make_queue, &feed);
    hr_thread_future *consumer = hr_submit(loop, "consumer", consume, &feed);
    static char items[][2] = {"a", "b", "c", "d", "e", "f"};
    for (size_t i = 0; i < HR_ARRAY_LEN(items); i++)
        ASSERT_ERR(hr_queue_put_threadsafe(loop, feed.queue, items[i]), 0);
    ASSERT_ERR(hr_queue_shutdown_threadsafe(loop, feed.queue, false), 0);
    ASSERT_ERR(hr_thread_future_wait(consumer, HR_FOREVER), 0);
    ASSERT_STR(feed.got, "abcdef");
    ASSERT_ERR(hr_queue_put_threadsafe(loop, feed.queue, items[0]), HR_ESHUTDOWN);
    run_there(free_queue, &feed);
    hr_thread_future_unref(consumer);
    end();
}

/* The model of a producer, a consumer thread and a loop in a third thread. */

struct deque {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    int items[8], count;
};

static struct deque deque = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, {0}, 0};
static int begun[8], begun_count, side_by_side;

/* Each stays until all four are there: side by side, or never. */
static int handle_item(void *item)
{
    begun[begun_count++] = (int)(intptr_t)item;
    side_by_side++;
    int r;
    do
        r = hr_sleep(hr_ms(10));
    while (r == 0 && begun_count < 4);
    side_by_side--;
    return r < 0 ? r : side_by_side;
}

static void *consumer_thread(void *arg)
{
    hr_thread_future **futures = arg;
    for (int i = 0; i < 4; i++) {
        pthread_mutex_lock(&deque.lock);
        while (deque.count == 0) /* waits, and does not spin */
            pthread_cond_wait(&deque.filled, &deque.lock);
        int item = deque.items[--deque.count];
        pthread_mutex_unlock(&deque.lock);
        futures[i] = hr_submit(loop, NULL, handle_item, (void *)(intptr_t)item);
    }
    return NULL;
}

static void push_left(int item)
{
    pthread_mutex_lock(&deque.lock);
    for (int i = deque.count++; i > 0; i--)
        deque.items[i] = deque.items[i - 1];
    deque.items[0] = item;
    pthread_cond_signal(&deque.filled);
    pthread_mutex_unlock(&deque.lock);
}

TEST_PLAIN(s25_1_s25_2_s25_4_a_deque_between_producer_and_consumer_and_a_loop_in_a_third_thread)
{
    begin();
    hr_thread_future *futures[4];
    pthread_t consumer;
    begun_count = 0;
    ASSERT_EQ(pthread_create(&consumer, NULL, consumer_thread, futures), 0);
    for (int i = 1; i <= 4; i++)
        push_left(i);
    pthread_join(consumer, NULL);
    int most = 0;
    for (int i = 0; i < 4; i++) {
        int left = hr_thread_future_wait(futures[i], HR_FOREVER);
        most = left > most ? left : most;
        hr_thread_future_unref(futures[i]);
    }
    end();
    ASSERT_EQ(begun_count, 4);
    for (int i = 0; i < 4; i++)
        ASSERT_EQ(begun[i], i + 1);
    ASSERT_EQ(most, 3); /* when the first was over, three ran still */
}

static int produce(void *queue)
{
    for (intptr_t i = 1; i <= 4; i++) {
        int r = hr_queue_put(queue, (void *)i);
        if (r < 0)
            return r;
    }
    hr_queue_shutdown(queue, false);
    return 0;
}

TEST(s25_4_s25_6_with_the_runtimes_queue_it_needs_no_thread)
{
    hr_auto(hr_queue_freep) hr_queue *queue = hr_queue_new(0, NULL);
    hr_task *producer = hr_create_task("producer", produce, queue);
    hr_task *handlers[4];
    void *item;
    begun_count = side_by_side = 0;
    for (int i = 0; i < 4; i++) {
        ASSERT_ERR(hr_queue_get(queue, &item), 0);
        handlers[i] = hr_create_task(NULL, handle_item, item);
    }
    ASSERT_ERR(hr_queue_get(queue, &item), HR_ESHUTDOWN);
    for (int i = 0; i < 4; i++)
        ASSERT_ERR(hr_join(handlers[i]), 3 - i);
    for (int i = 0; i < 4; i++)
        ASSERT_EQ(begun[i], i + 1);
    ASSERT_EQ(test_clock_now(), hr_ms(10));
    ASSERT_ERR(hr_join(producer), 0);
}

/* Another thread's hands on a loop in debug mode. */

static hr_future *theirs;

static void note_done(hr_future *future, void *cookie)
{
    letters[0] = '!';
}

static int make_future(void *arg)
{
    theirs = hr_future_new(NULL);
    return theirs ? 0 : -ENOMEM;
}

static int free_future(void *arg)
{
    theirs = hr_future_unref(theirs);
    return 0;
}

TEST_PLAIN(s12_15_in_debug_mode_other_threads_are_refused)
{
    worker = hr_loop_thread_new("debugged", &(struct hr_loop_options){.debug = true});
    loop = hr_loop_thread_loop(worker);
    run_there(make_future, NULL);
    ASSERT_ERR(hr_future_set_result(theirs, NULL, NULL), HR_EWRONGTHREAD);
    ASSERT_ERR(hr_future_add_done_callback(theirs, note_done, NULL), HR_EWRONGTHREAD);
    ASSERT_ERR(hr_future_remove_done_callback(theirs, note_done, NULL), HR_EWRONGTHREAD);
    ASSERT_PTR(hr_create_task_with(&(struct hr_task_options){.loop = loop}, nap, NULL), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_EWRONGTHREAD);
    ASSERT_PTR(hr_future_new(loop), NULL);
    ASSERT_ERR(hr_last_error()->code, HR_EWRONGTHREAD);
    run_there(free_future, NULL);
    end();
}
