/* SPDX-License-Identifier: MIT */
/*
 * Tasks that wait for work on other loops, semantics 12.17 and 12.18.
 */
#include <stdatomic.h>

#include "core/gather.h"
#include "core/loop_thread.h"
#include "core/submit.h"
#include "core/timeout.h"
#include "tests/support/hrtest.h"

/* Two loops that ask each other. */
static hr_loop *left, *right;

static int leaf(void *arg)
{
    int r = hr_sleep(hr_ms(2));
    return r < 0 ? r : 7;
}

static int failing_leaf(void *arg)
{
    return hr_fail(-ENOENT, "no such leaf");
}

static int ask_back(void *arg)
{
    hr_auto(hr_thread_future_unrefp) hr_thread_future *f = hr_submit(arg, "leaf", leaf, NULL);
    return hr_thread_future_await(f);
}

static int ask_there(void *arg)
{
    hr_loop *mine = hr_running_loop(), *other = mine == left ? right : left;
    hr_auto(hr_thread_future_unrefp) hr_thread_future *f =
        hr_submit(other, "asked", ask_back, mine);
    return hr_thread_future_await(f);
}

static int await_failure(void *arg)
{
    hr_auto(hr_thread_future_unrefp) hr_thread_future *f =
        hr_submit(right, "leaf", failing_leaf, NULL);
    ASSERT_ERR(hr_thread_future_await(f), -ENOENT);
    ASSERT_STR(hr_last_error()->message, "no such leaf");
    ASSERT_ERR(hr_thread_future_await(f), -ENOENT); /* done already */
    return hr_thread_future_await(NULL) < 0 ? 0 : -EIO;
}

static atomic_int ended;

static int sleep_there(void *arg)
{
    int r = hr_sleep(hr_seconds(3600));
    ended = r;
    return r;
}

static int await_sleeper(void *arg)
{
    return hr_thread_future_await(arg);
}

/* In every way in which somebody can stop waiting. */
static int cancel_waits(void *arg)
{
    for (int way = 0; way < 3; way++) {
        ended = 0;
        hr_thread_future *f = hr_submit(right, "sleeper", sleep_there, NULL);
        if (way == 0) {
            hr_task *task = hr_create_task("waiter", await_sleeper, f);
            ASSERT_ERR(hr_yield(), 0);
            hr_task_cancel(task, "enough");
            ASSERT_ERR(hr_join(task), -ECANCELED);
        } else if (way == 1) {
            ASSERT_ERR(hr_wait_for(hr_thread_future_wrap(f), hr_ms(1)), -ETIMEDOUT);
        } else {
            hr_future_unref(hr_thread_future_wrap(f));
            hr_thread_future_cancel(f);
        }
        ASSERT_ERR(hr_thread_future_await(f), -ECANCELED);
        hr_thread_future_unref(f);
        ASSERT_TRUE(ended == -ECANCELED || ended == 0); /* 0: it had not begun */
    }
    hr_auto(hr_futures_done) struct hr_futures futures = {0};
    for (int i = 0; i < 20; i++) {
        hr_auto(hr_thread_future_unrefp) hr_thread_future *f = hr_submit(right, NULL, leaf, NULL);
        hr_futures_add(&futures, hr_thread_future_wrap(f));
    }
    ASSERT_ERR(hr_gather(&futures, 0), 0);
    for (size_t i = 0; i < futures.count; i++)
        ASSERT_ERR(hr_future_status(futures.items[i]), 7);
    return 0;
}

static int block_its_loop(void *arg)
{
    hr_auto(hr_thread_future_unrefp) hr_thread_future *f = hr_submit(right, "leaf", leaf, NULL);
    ASSERT_ERR(hr_thread_future_wait(f, HR_FOREVER), -EDEADLK);
    ASSERT_ERR(hr_thread_future_wait(f, 0), -ETIMEDOUT);
    ASSERT_ERR(hr_thread_future_await(f), 7);
    return hr_thread_future_wait(f, HR_FOREVER);
}

static int await_there(hr_task_fn *fn)
{
    hr_auto(hr_thread_future_unrefp) hr_thread_future *f = hr_submit(left, "asks", fn, NULL);
    return hr_thread_future_wait(f, hr_seconds(20));
}

TEST_PLAIN(s12_17_s12_18_a_task_waits_for_another_loop_and_its_own_goes_on)
{
    struct hr_loop_options options = {.debug = true};
    hr_loop_thread *a = hr_loop_thread_new("left", &options);
    hr_loop_thread *b = hr_loop_thread_new("right", &options);
    left = hr_loop_thread_loop(a);
    right = hr_loop_thread_loop(b);
    hr_thread_future *asked[20];
    for (int i = 0; i < 20; i++)
        asked[i] = hr_submit(i % 2 ? left : right, "asks", ask_there, NULL);
    for (int i = 0; i < 20; i++) {
        ASSERT_ERR(hr_thread_future_wait(asked[i], hr_seconds(20)), 7);
        hr_thread_future_unref(asked[i]);
    }
    ASSERT_ERR(await_there(await_failure), 0);
    ASSERT_ERR(await_there(cancel_waits), 0);
    ASSERT_ERR(await_there(block_its_loop), 7); /* 12.18 */
    ASSERT_ERR(hr_thread_future_await(NULL), HR_ENOTASK);
    hr_loop_thread_free(a);
    hr_loop_thread_free(b);
}

/* The loop of who waits closes while the other end is open, and the other way round. */
TEST_PLAIN(s12_17_either_loop_may_close_first)
{
    for (int way = 0; way < 2; way++) {
        hr_loop_thread *a = hr_loop_thread_new("left", NULL);
        hr_loop_thread *b = hr_loop_thread_new("right", NULL);
        left = hr_loop_thread_loop(a);
        right = hr_loop_thread_loop(b);
        hr_auto(hr_thread_future_unrefp) hr_thread_future *far =
            hr_submit(right, "sleeper", sleep_there, NULL);
        hr_auto(hr_thread_future_unrefp) hr_thread_future *near =
            hr_submit(left, "waiter", await_sleeper, far);
        hr_auto(hr_thread_future_unrefp) hr_thread_future *done =
            hr_submit(left, "leaf", leaf, NULL);
        ASSERT_ERR(hr_thread_future_wait(done, HR_FOREVER), 7);
        hr_loop_thread_free(way ? a : b);
        ASSERT_ERR(hr_thread_future_wait(near, HR_FOREVER), -ECANCELED);
        ASSERT_ERR(hr_thread_future_wait(far, HR_FOREVER), -ECANCELED);
        hr_loop_thread_free(way ? b : a);
    }
}
