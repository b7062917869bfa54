/* SPDX-License-Identifier: MIT */
/*
 * Out of memory anywhere: the first, then the second, then the n-th allocation of a program that
 * uses the whole runtime fails; semantics 21.7.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "core/headrace.h"
#include "tests/support/hrtest.h"
#include "tests/support/starve.h"

static int nap(void *ms)
{
    return hr_sleep(hr_ms((intptr_t)ms));
}

static int fails(void *arg)
{
    hr_fail(-EIO, "first");
    return hr_fail_because(-EPIPE, "then");
}

static int sleeps_long(void *arg)
{
    return hr_sleep(hr_seconds(1000));
}

static void set_future(void *future)
{
    hr_future_set_status(future, 6);
    hr_future_unref(future);
}

static void do_nothing(hr_future *future, void *cookie) {}

static int use_tasks(void)
{
    struct hr_task_options large = {.stack_size = 1 << 20, .name = "large"};
    int r = hr_join(hr_create_task_with(&large, nap, (void *)1));
    if (r < 0)
        return r;
    r = hr_join(hr_create_task("fails", fails, NULL));
    if (r != -EPIPE)
        return r == -ENOMEM ? r : -EINVAL;

    hr_auto(hr_future_unrefp) hr_task *task = hr_create_task("long", sleeps_long, NULL);
    if (!task)
        return hr_last_error()->code;
    r = hr_yield();
    hr_task_cancel(task, "a reason that is copied");
    int end = hr_await(task);
    if (r < 0)
        return r;
    return end == -ECANCELED ? 0 : end;
}

static int use_futures(void)
{
    hr_auto(hr_future_unrefp) hr_future *source = hr_future_new(NULL);
    hr_auto(hr_future_unrefp) hr_future *destination = hr_future_new(NULL);
    if (!source || !destination)
        return hr_last_error()->code;
    int r = hr_future_add_done_callback(destination, do_nothing, NULL);
    if (r == 0)
        r = hr_future_chain(source, destination);
    if (r == 0 && !hr_call_later(hr_ms(1), set_future, hr_future_ref(source))) {
        hr_future_unref(source);
        r = -ENOMEM;
    }
    if (r < 0)
        return r;
    r = hr_await(destination);
    return r == 6 ? 0 : r < 0 ? r : -EINVAL;
}

static int use_descriptors(void)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    hr_io *io = hr_io_new(fds[0]);
    int r = io ? hr_io_wait(io, HR_WRITE) : hr_last_error()->code;
    hr_io_free(io);
    close(fds[0]);
    close(fds[1]);
    return r < 0 ? r : 0;
}

static int use_compositions(void)
{
    hr_auto(hr_futures_done) struct hr_futures futures = {0};
    for (intptr_t i = 0; i < 5; i++)
        hr_futures_add(&futures, hr_create_task(NULL, nap, (void *)i));
    int r = hr_gather(&futures, HR_CANCEL_REST);
    if (r < 0)
        return r;
    r = hr_wait_for(hr_create_task(NULL, sleeps_long, NULL), hr_ms(1));
    return r == -ETIMEDOUT ? 0 : r;
}

static int use_everything(void *arg)
{
    hr_loop_set_report(hr_running_loop(), test_report_collect, NULL);
    int r = use_tasks();
    if (r == 0)
        r = use_futures();
    if (r == 0)
        r = use_descriptors();
    if (r == 0)
        r = use_compositions();
    return r;
}

static int run_starved(long n, bool once)
{
    struct hr_virtual_clock clock;
    hr_virtual_clock_init(&clock, 0);
    struct hr_loop_options options = {.clock = &clock.clock};
    starve_after(n, once);
    return hr_run_with(&options, use_everything, NULL);
}

TEST_PLAIN(s21_7_running_out_of_memory_is_an_error_anywhere)
{
    for (int once = 0; once < 2; once++) {
        long n = 0;
        for (bool failed = true; failed; n++) {
            int r = run_starved(n, once);
            failed = starve_end();
            if (r != 0 && r != -ENOMEM)
                test_fail(__FILE__, __LINE__, "with %ld allocations: %s: %s", n, hr_error_name(r),
                          hr_error_message(r));
            ASSERT_TRUE(failed || r == 0);
            while (test_report())
                continue;
        }
        ASSERT_TRUE(n > 25);
    }
}
