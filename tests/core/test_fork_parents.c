/* SPDX-License-Identifier: MIT */
/*
 * What tasks, programs and threads of a parent were at when it forked: the child hears that it is
 * not its own, and whichever way it leaves, the parent goes on as if nothing had been.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/headrace.h"
#include "tests/support/forks.h"

#ifndef FORKS_CONFUSE_THE_SANITIZER

#define DONE 42

/* A wait that ends with DONE when the pipe is written to. */
struct wait {
    hr_task_fn *fn;
    int in_child; /* what a child's copy of it gets; 0: it goes on there, too */
    int pipe[2];
};

static int wait_for_byte(void *arg)
{
    struct wait *wait = arg;
    return hr_wait_fd(wait->pipe[0], HR_READ) == HR_READ ? DONE : -EIO;
}

static int mind_a_program(void *arg)
{
    struct wait *wait = arg;
    struct hr_child_options options = {
        .argv = (const char *const[]){"sh",         "-c", "read line", NULL},
        .streams = {{HR_CHILD_FD, wait->pipe[0]}},
        .end_group = true,
    };
    struct hr_child_exit end = {0};
    hr_auto(hr_child_freep) hr_child *program = hr_child_spawn(&options);
    int r = program ? hr_child_wait(program, &end) : hr_last_error()->code;
    return r < 0 ? r : end.signal || end.status ? -EIO : DONE;
}

static int read_byte(void *arg, void **ret_value)
{
    char byte;
    struct wait *wait = arg;
    return read(wait->pipe[0], &byte, 1) == 1 ? DONE : -EIO;
}

static int await_job(void *arg)
{
    return hr_join(hr_run_in_executor(NULL, read_byte, arg, NULL));
}

enum way { CANCELS, WAITS, RETURNS };

struct fork_case {
    struct wait *wait;
    enum way way;
    bool child;
};

static void live_as_a_child(const struct fork_case *test, hr_task *task)
{
    if (test->way == RETURNS)
        return;
    if (test->way == CANCELS)
        hr_task_cancel(task, NULL);
    int r = hr_join(task);
    OR_DIE(r == test->wait->in_child || test->way == CANCELS);
}

static int fork_beside(void *arg)
{
    struct fork_case *test = arg;
    struct wait *wait = test->wait;
    hr_task *task = hr_create_task("waits", wait->fn, wait);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0); /* it waits */
    for (int pass = 0; pass < 100; pass++)
        ASSERT_ERR(hr_sleep(0), 0); /* the next few are run without a look */
    pid_t child = begin_child();
    test->child = child == 0;
    if (test->child) {
        live_as_a_child(test, task);
        return 0;
    }
    expect_fine(child);
    ASSERT_EQ(write(wait->pipe[1], "x\n", 2), 2);
    ASSERT_ERR(hr_join(task), DONE);
    return 0;
}

TEST_PLAIN(l3_what_a_parents_task_waits_for_ends_as_if_there_were_no_child)
{
    static const struct wait waits[] = {
        {.fn = wait_for_byte      },
        { .fn = mind_a_program,      .in_child = -ECHILD},
        { .fn = await_job, .in_child = HR_ESHUTDOWN},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(waits); i++) {
        for (enum way way = CANCELS; way <= RETURNS; way++) {
            struct wait wait = waits[i];
            if (way == WAITS && wait.in_child == 0)
                continue;
            struct fork_case test = {.wait = &wait, .way = way};
            ASSERT_EQ(pipe2(wait.pipe, O_CLOEXEC), 0);
            int r = hr_run(fork_beside, &test);
            if (test.child)
                _exit(FINE);
            ASSERT_ERR(r, 0);
            close(wait.pipe[0]);
            close(wait.pipe[1]);
        }
    }
}

static void count_up(hr_thread_future *future, void *count)
{
    ++*(atomic_int *)count;
}

/* As many as there are places to wait at, and more. */
static void use_thread_futures(void)
{
    enum { HANDLES = 64 };
    struct wait gate = {0};
    hr_thread_future *handles[HANDLES];
    atomic_int called = 0;
    OR_DIE(pipe2(gate.pipe, O_CLOEXEC) == 0);
    hr_executor *executor = hr_executor_new("child", 1);
    for (int i = 0; i < HANDLES; i++) {
        handles[i] = hr_executor_submit(executor, read_byte, &gate, NULL);
        OR_DIE(hr_thread_future_add_done_callback(handles[i], count_up, &called) == 0);
    }
    for (int i = 0; i < HANDLES; i++) {
        OR_DIE(write(gate.pipe[1], "x", 1) == 1);
        OR_DIE(hr_thread_future_wait(handles[i], HR_FOREVER) == DONE);
        hr_thread_future_unref(handles[i]);
    }
    hr_executor_free(executor, false);
    OR_DIE(called == HANDLES);
}

static void *wait_in_thread(void *handle)
{
    return hr_thread_future_wait(handle, HR_FOREVER) == DONE ? handle : NULL;
}

TEST_PLAIN(l3_threads_that_wait_at_a_fork_wait_in_the_parent_alone)
{
    struct wait gate = {0};
    pthread_t thread;
    void *result;
    ASSERT_EQ(pipe2(gate.pipe, O_CLOEXEC), 0);
    hr_executor *executor = hr_executor_new("parent", 1);
    hr_thread_future *handle = hr_executor_submit(executor, read_byte, &gate, NULL);
    ASSERT_EQ(pthread_create(&thread, NULL, wait_in_thread, handle), 0);
    usleep(1000); /* it sleeps, most likely */
    pid_t child = begin_child();
    if (child == 0) {
        OR_DIE(hr_thread_future_wait(handle, HR_FOREVER) == HR_ESHUTDOWN);
        hr_executor_set_spin(executor, 0);
        use_thread_futures();
        _exit(FINE);
    }
    expect_fine(child);
    ASSERT_EQ(write(gate.pipe[1], "x", 1), 1);
    ASSERT_EQ(pthread_join(thread, &result), 0);
    ASSERT_TRUE(result == handle);
    hr_thread_future_unref(handle);
    hr_executor_free(executor, false);
    close(gate.pipe[0]);
    close(gate.pipe[1]);
}

static void hear(void *count)
{
    ++*(int *)count;
}

TEST_REAL(l3_a_signal_that_came_to_the_parent_is_not_the_childs)
{
    int heard = 0;
    ASSERT_ERR(hr_add_signal_handler(SIGUSR1, hear, &heard), 0);
    raise(SIGUSR1);
    pid_t child = begin_child();
    if (child == 0) {
        OR_DIE(hr_sleep(hr_ms(1)) == 0 && heard == 0);
        raise(SIGUSR1);
        OR_DIE(hr_sleep(hr_ms(1)) == 0 && heard == 1);
        _exit(FINE);
    }
    expect_fine(child);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_EQ(heard, 1);
    ASSERT_TRUE(hr_remove_signal_handler(SIGUSR1));
}

TEST_REAL(l3_descriptors_beyond_a_limit_that_was_lowered_are_missed_and_not_the_end)
{
    int fds[2];
    ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
    pid_t child = begin_child();
    if (child == 0) {
        struct rlimit limit;
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = 3; /* all that the loop had lies beyond */
        setrlimit(RLIMIT_NOFILE, &limit);
        close(STDIN_FILENO);
        close(STDOUT_FILENO); /* there is room for what is the loop's own, and none for its base */
        OR_DIE(hr_wait_fd(fds[0], HR_READ) == -EMFILE);
        OR_DIE(hr_sleep(hr_ms(1)) == 0);
        _exit(FINE);
    }
    expect_fine(child);
    close(fds[0]);
    close(fds[1]);
}

/* The parent's other threads allocate while it forks. */
#ifndef FORKS_LOCK_THE_ALLOCATOR

static int nothing(void *arg)
{
    return 0;
}

static int run_once(hr_loop *loop)
{
    struct hr_task_options options = {.loop = loop};
    return hr_loop_run_until_complete(loop, hr_create_task_with(&options, nothing, NULL));
}

/* Again and again into a loop and out of it, where its locks are taken. */
static void *run_a_loop(void *stop)
{
    hr_loop *loop = hr_loop_new(NULL);
    while (!atomic_load((atomic_bool *)stop))
        ASSERT_ERR(run_once(loop), 0);
    hr_loop_free(loop);
    return NULL;
}

TEST_PLAIN(l3_a_lock_that_another_thread_holds_at_a_fork_is_free_in_the_child)
{
    atomic_bool stop = false;
    pthread_t threads[3];
    for (size_t i = 0; i < HR_ARRAY_LEN(threads); i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, run_a_loop, &stop), 0);
    for (int i = 0; i < 100; i++) {
        pid_t child = begin_child();
        if (child == 0) {
            OR_DIE(hr_run(nothing, NULL) == 0);
            _exit(FINE);
        }
        expect_fine(child);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < HR_ARRAY_LEN(threads); i++)
        ASSERT_EQ(pthread_join(threads[i], NULL), 0);
}

static void ignore(void *arg) {}

TEST_PLAIN(l3_a_loop_with_a_thread_is_lost_in_the_child_also_when_that_has_not_come_to_it)
{
    for (int round = 0; round < 4; round++) {
        hr_loop_thread *thread = hr_loop_thread_new("other", NULL);
        pid_t child = begin_child();
        if (child == 0) {
            hr_loop *loop = hr_loop_thread_loop(thread);
            OR_DIE(hr_call_soon_threadsafe(loop, ignore, NULL) == HR_ECLOSED);
            OR_DIE(!hr_submit(loop, NULL, wait_for_byte, NULL));
            OR_DIE(!hr_loop_thread_free(thread));
            _exit(FINE);
        }
        expect_fine(child);
        hr_loop_thread_free(thread);
    }
}

#endif

#endif
