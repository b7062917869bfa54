/* SPDX-License-Identifier: MIT */
/*
 * What was cut short after its request had left may have been carried out: whoever waits for it,
 * in whichever way, finds that in his record, or he would do it twice.
 */
#include <sched.h>
#include <stdatomic.h>

#include "core/headrace.h"
#include "tests/support/hrtest.h"

/* A request that never has an answer, as a client tells of it. */
static int request(void *sent)
{
    int r = hr_sleep(HR_FOREVER);
    return hr_fail_native(r, 0, NULL, NULL, *(const bool *)sent, "cancelled before the answer");
}

static int join_cancelled(hr_task *task)
{
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_task_cancel(task, "enough");
    return hr_join(task);
}

static int wait_for(hr_task *task)
{
    return hr_wait_for(task, hr_ms(1));
}

static int join_within_limit(hr_task *task)
{
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(1)), 0);
    return hr_timeout_leave(&limit, hr_join(task));
}

static int gather_within_limit(hr_task *task)
{
    hr_auto(hr_futures_done) struct hr_futures both = {0};
    struct hr_timeout limit = {0};
    hr_futures_add(&both, hr_future_new(NULL));
    hr_futures_add(&both, task);
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(1)), 0);
    return hr_timeout_leave(&limit, hr_gather(&both, 0));
}

static int gather_cancelled(hr_task *task)
{
    hr_auto(hr_futures_done) struct hr_futures one = {0};
    hr_futures_add(&one, task);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_task_cancel(task, "enough");
    return hr_gather(&one, HR_CANCEL_REST);
}

static int join_chained(hr_task *task)
{
    hr_future *end = hr_future_new(NULL);
    ASSERT_ERR(hr_future_chain(task, end), 0);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_task_cancel(task, "enough");
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    hr_future_unref(task);
    return hr_join(end);
}

static int await_wait_for(void *task)
{
    return hr_wait_for(task, HR_FOREVER);
}

static int cancel_who_waits(hr_task *task)
{
    hr_task *waiter = hr_create_task("waiter", await_wait_for, task);
    return join_cancelled(waiter);
}

static int pass_on(hr_task *task)
{
    hr_future *promise = hr_future_new(NULL);
    int r = join_cancelled(task);
    ASSERT_ERR(hr_future_set_error_record(promise, hr_last_error()), 0);
    ASSERT_ERR(hr_fail(-EIO, "something else"), -EIO);
    ASSERT_ERR(hr_join(promise), r);
    return r;
}

TEST(s21_8_whoever_waits_for_what_was_cut_short_learns_whether_a_request_had_left)
{
    static const struct {
        int (*way)(hr_task *task);
        int code;
    } cases[] = {
        {join_cancelled,      -ECANCELED},
        {wait_for,            -ETIMEDOUT},
        {join_within_limit,   -ETIMEDOUT},
        {gather_within_limit, -ETIMEDOUT},
        {gather_cancelled,    -ECANCELED},
        {join_chained,        -ECANCELED},
        {cancel_who_waits,    -ECANCELED},
        {pass_on,             -ECANCELED},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        for (int left = 0; left < 2; left++) {
            bool sent = left;
            int r = cases[i].way(hr_create_task("asks", request, &sent));
            ASSERT_ERR(r, cases[i].code);
            const struct hr_error *first = hr_last_error();
            ASSERT_EQ(first->sent, left);
            while (first->cause)
                first = first->cause;
            if (left)
                ASSERT_STR(first->message, "cancelled before the answer");
        }
    }
}

static int fail_soon(void *unused)
{
    int r = hr_sleep(hr_ms(1));
    return r < 0 ? r : hr_fail(-EIO, "a sibling failed");
}

TEST(s21_8_so_does_who_leaves_a_group)
{
    for (int way = 0; way < 4; way++) {
        bool sent = way % 2, failing = way / 2;
        struct hr_task_group group = {0};
        struct hr_timeout limit = {0};
        ASSERT_ERR(hr_timeout_enter(&limit, failing ? HR_FOREVER : hr_ms(1)), 0);
        ASSERT_ERR(hr_task_group_enter(&group), 0);
        ASSERT_TRUE(hr_task_group_spawn(&group, "asks", request, &sent));
        if (failing)
            ASSERT_TRUE(hr_task_group_spawn(&group, "fails", fail_soon, NULL));
        int r = hr_timeout_leave(&limit, hr_task_group_leave(&group, 0));
        ASSERT_ERR(r, failing ? HR_EGROUP : -ETIMEDOUT);
        ASSERT_EQ(hr_last_error()->sent, sent);
    }
}

static atomic_bool asked;

static int ask_and_say_so(void *sent)
{
    atomic_store(&asked, true);
    return request(sent);
}

static int submit_from_thread(void *loop, void **ret_value)
{
    bool sent = true;
    hr_thread_future *handle = hr_submit(loop, "asks", ask_and_say_so, &sent);
    while (!atomic_load(&asked)) /* before that it would never run */
        sched_yield();
    ASSERT_TRUE(hr_thread_future_cancel(handle));
    int r = hr_thread_future_wait(handle, HR_FOREVER);
    hr_thread_future_unref(handle);
    return r;
}

TEST_REAL(s21_8_and_who_waits_in_another_thread)
{
    ASSERT_ERR(hr_join(hr_run_in_executor(NULL, submit_from_thread, hr_running_loop(), NULL)),
               -ECANCELED);
    ASSERT_TRUE(hr_last_error()->sent);
}

TEST(s21_8_what_is_explained_further_up_has_still_been_sent)
{
    hr_fail_native(HR_ELOST, 0, NULL, NULL, true, "lost");
    ASSERT_ERR(hr_fail_because(-EIO, "order 5"), -EIO);
    ASSERT_TRUE(hr_last_error()->sent);
    hr_fail(HR_EREPLY, "no");
    ASSERT_ERR(hr_fail_because(-EIO, "order 5"), -EIO);
    ASSERT_FALSE(hr_last_error()->sent);
}
