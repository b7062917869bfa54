/* SPDX-License-Identifier: MIT */
/*
 * Stacks that overflow, semantics 2.21.
 */
#include "core/overflow.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/loop_impl.h"
#include "tests/support/hrtest.h"

static int overflow(int depth)
{
    volatile char frame[4000];
    frame[0] = (char)depth;
    return depth == INT_MAX ? 0 : overflow(depth + 1) + frame[0];
}

static int overflow_stack(void *arg)
{
    return overflow(0);
}

static int fault(void *arg)
{
    return *(volatile int *)arg;
}

static int name_a_deep_task(void *arg)
{
    return hr_join(hr_create_task(arg, overflow_stack, NULL));
}

static int raise_it(void *arg)
{
    return raise(SIGSEGV);
}

/* Runs a program of one main task in a child and reads what it says before a signal ends it. */
static void run_child(hr_task_fn *fn, void *arg, char *said, size_t size)
{
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka has a handler of its own */
        dup2(ends[1], STDERR_FILENO);
        (void)!hr_run(fn, arg);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t n; (n = read(ends[0], said + length, size - 1 - length)) > 0;)
        length += (size_t)n;
    said[length] = '\0';
    close(ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

TEST_PLAIN(s2_21_an_overflow_is_reported_with_the_tasks_name)
{
    static char said[60000];
    static char name[] = "deep thought";
    run_child(name_a_deep_task, name, said, sizeof(said));
    const char *want = "headrace: deep thought: ran out of stack, all 19";
    ASSERT_TRUE(strncmp(said, want, strlen(want)) == 0);
    run_child(name_a_deep_task, NULL, said, sizeof(said));
    want = "headrace: task-2: ran out of stack";
    ASSERT_TRUE(strncmp(said, want, strlen(want)) == 0);
}

/* A job that runs a loop of its own. */
static int run_loop_in_thread(void *name, void **ret_value)
{
    return hr_run(name_a_deep_task, name);
}

static int offload_it(void *name)
{
    return hr_join(hr_run_in_executor(NULL, run_loop_in_thread, name, NULL));
}

TEST_PLAIN(s2_21_so_is_one_in_a_thread_of_an_executor)
{
    static char said[60000];
    static char name[] = "diver";
    run_child(offload_it, name, said, sizeof(said));
    const char *want = "headrace: diver: ran out of stack";
    ASSERT_TRUE(strncmp(said, want, strlen(want)) == 0);
}

/* As code that puts a large array below a small frame, and writes to its far end first. */
static int step_far(void *arg)
{
    char *bottom = hr__task(hr_current_task())->fiber->stack.bottom;
    *(volatile char *)(bottom - 60000) = 1;
    return 0;
}

static int step_over(void *name)
{
    return hr_join(hr_create_task(name, step_far, NULL));
}

TEST_PLAIN(s2_21_the_guard_is_too_wide_to_be_stepped_over)
{
    static char said[60000];
    static char name[] = "seven-league boots";
    run_child(step_over, name, said, sizeof(said));
    const char *want = "headrace: seven-league boots: ran out of stack, all 19";
    ASSERT_TRUE(strncmp(said, want, strlen(want)) == 0);
}

TEST_PLAIN(s2_21_another_fault_is_none_of_ours)
{
    static char said[60000];
    void *wall = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_TRUE(wall != MAP_FAILED);
    run_child(fault, wall, said, sizeof(said));
    munmap(wall, 4096);
    ASSERT_FALSE(strstr(said, "headrace:"));
    run_child(raise_it, NULL, said, sizeof(said));
    ASSERT_FALSE(strstr(said, "headrace:"));
}

TEST_PLAIN(s2_21_after_the_run_faults_are_handled_as_before)
{
    struct sigaction before, after;
    sigaction(SIGSEGV, NULL, &before);
    hr_loop *loop = hr_loop_new(NULL);
    hr_loop_stop(loop);
    ASSERT_ERR(hr_loop_run_forever(loop), 0);
    sigaction(SIGSEGV, NULL, &after);
    ASSERT_TRUE(before.sa_handler == after.sa_handler && before.sa_flags == after.sa_flags);
    hr_loop_free(loop);
}
