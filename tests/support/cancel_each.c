/* SPDX-License-Identifier: MIT */
#include "tests/support/cancel_each.h"

#include "core/loop_impl.h"
#include "tests/support/hrtest.h"

#define MOST 2000

static hr_task *victim;
static int waits_left;

void __real_hr__sched_suspend(hr_loop *loop, struct hr__task *task);
void __wrap_hr__sched_suspend(hr_loop *loop, struct hr__task *task);

/* The task has said already what it waits for. */
void __wrap_hr__sched_suspend(hr_loop *loop, struct hr__task *task)
{
    if (victim == &task->future && --waits_left == 0)
        hr_task_cancel(victim, "the test says so");
    __real_hr__sched_suspend(loop, task);
}

void test_cancel_at_wait(hr_task *task, int n)
{
    victim = n > 0 ? task : NULL;
    waits_left = n;
}

struct attempt {
    int (*run)(void *arg);
    void *arg;
    int at, left, code;
};

static int attempt(void *arg)
{
    struct attempt *a = arg;
    test_cancel_at_wait(hr_current_task(), a->at);
    a->code = a->run(a->arg);
    a->left = waits_left;
    test_cancel_at_wait(NULL, 0);
    return 0;
}

int test_cancelled_at(const char *name, int (*run)(void *arg), void *arg, int n, bool *ret_reached)
{
    struct attempt a = {.run = run, .arg = arg, .at = n};
    int r = hr_join(hr_create_task(name, attempt, &a));
    ASSERT_TRUE(r == 0 || r == -ECANCELED);
    if (a.code < 0 && a.code != -ECANCELED)
        test_fail(__FILE__, __LINE__, "%s, cancelled at %d: %s: %s", name, n, hr_error_name(a.code),
                  hr_error_message(a.code));
    *ret_reached = a.left <= 0;
    ASSERT_TRUE(*ret_reached || a.code >= 0);
    return a.code;
}

void test_cancel_at_each_wait(const char *name, int (*run)(void *arg), void *arg,
                              void (*after)(void *arg))
{
    int n = 0, cancelled = 0;
    bool reached = true;
    while (reached) {
        ASSERT_TRUE(++n < MOST);
        cancelled += test_cancelled_at(name, run, arg, n, &reached) < 0;
        if (after)
            after(arg);
    }
    if (n < 2 || cancelled == 0)
        test_fail(__FILE__, __LINE__, "%s: of %d waits %d could be cancelled", name, n - 1,
                  cancelled);
}
