/* SPDX-License-Identifier: MIT */
/*
 * Out of memory or descriptors anywhere while other processes are started, talked to and ended;
 * semantics 21.7.
 */
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/headrace.h"
#include "tests/core/process_functions.h"
#include "tests/support/starve.h"

static int talk_to_child(void *arg)
{
    struct hr_child_options options = {
        .argv = (const char *const[]){"sh", "-c",           "read word; echo $word", NULL},
        .file = "/bin/sh",
        .streams = {{HR_CHILD_PIPE, 0},    {HR_CHILD_PIPE, 0}, {HR_CHILD_PIPE, 0}  },
    };
    hr_auto(hr_child_freep) hr_child *child = hr_child_spawn(&options);
    hr_auto(hr_io_freep) hr_io *in = NULL;
    hr_auto(hr_io_freep) hr_io *out = NULL;
    char text[8];
    if (!child)
        return hr_last_error()->code;
    in = hr_io_new(hr_child_get_pipe(child, STDIN_FILENO));
    out = hr_io_new(hr_child_get_pipe(child, STDOUT_FILENO));
    if (!in || !out)
        return -ENOMEM;
    int r = hr_io_write(in, "word\n", 5, NULL);
    ssize_t n = r == 0 ? hr_io_read(out, text, sizeof(text)) : r;
    if (n < 0)
        return (int)n;
    struct hr_child_exit end;
    r = hr_child_wait(child, &end);
    return r == 0 && (n != 5 || end.status != 0) ? -EINVAL : r;
}

static int talk_to_worker(void *arg)
{
    struct hr_process_pool_options options = {.workers = 1};
    hr_auto(hr_process_pool_freep) hr_process_pool *pool = hr_process_pool_new(&options);
    if (!pool)
        return hr_last_error()->code;
    hr_auto(hr_thread_future_unrefp) hr_thread_future *job =
        hr_process_pool_submit(pool, "upper", "word", 4);
    if (!job)
        return hr_last_error()->code;
    int r = hr_thread_future_wait(job, HR_FOREVER);
    if (r < 0)
        return r;
    const struct hr_process_bytes *bytes = hr_thread_future_result(job);
    return strcmp(bytes->bytes, "WORD") == 0 ? 0 : -EINVAL;
}

static int talk_to_child_on_a_loop(void *arg)
{
    return hr_run(talk_to_child, NULL);
}

static void starve(hr_task_fn *fn)
{
    for (int once = 0; once < 2; once++) {
        long n = 0;
        for (bool failed = true; failed; n++) {
            starve_after(n, once);
            int r = fn(NULL);
            failed = starve_end();
            if (r != 0 && r != -ENOMEM)
                test_fail(__FILE__, __LINE__, "with %ld allocations: %s: %s", n, hr_error_name(r),
                          hr_error_message(r));
            ASSERT_TRUE(failed || r == 0);
            assert_no_child_left();
        }
        ASSERT_TRUE(n > 4);
    }
}

TEST_PLAIN(s21_7_running_out_of_memory_around_a_child_is_an_error_and_leaves_nothing)
{
    starve(talk_to_child_on_a_loop);
}

TEST_PLAIN(s21_7_running_out_of_memory_around_a_worker_is_an_error_and_leaves_nothing)
{
    starve(talk_to_worker);
}

TEST_REAL(running_out_of_descriptors_while_a_child_is_started_leaves_nothing)
{
    struct rlimit before;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    int free_one = dup(STDERR_FILENO);
    rlim_t used = (rlim_t)free_one;
    close(free_one);
    int r = -EMFILE;
    for (rlim_t n = 0; n < 40 && r < 0; n++) {
        struct rlimit few = {used + n, before.rlim_max};
        ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
        r = talk_to_child(NULL);
        setrlimit(RLIMIT_NOFILE, &before);
        if (r < 0)
            ASSERT_ERR(r, -EMFILE);
        assert_no_child_left();
    }
    ASSERT_ERR(r, 0);
}
