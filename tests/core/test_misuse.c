/* SPDX-License-Identifier: MIT */
/*
 * Misuse that has no code: the program ends, and says in its own words what it did.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/key_limiter.h"
#include "core/limiter.h"

#include "tests/support/hrtest.h"

static int leave_a_shield(void *arg)
{
    hr_shield_leave();
    return 0;
}

static int free_own_loop(void *arg)
{
    hr_loop_free(hr_running_loop());
    return 0;
}

static int free_a_limiter_in_use(void *arg)
{
    hr_limiter *limiter = hr_limiter_new(2);
    int r = hr_limiter_acquire(limiter, &limiter);
    hr_limiter_free(limiter);
    return r;
}

static int free_a_key_limiter_in_use(void *arg)
{
    hr_key_limiter *limiter = hr_key_limiter_new(2);
    int r = hr_key_limiter_acquire(limiter, "key");
    hr_key_limiter_free(limiter);
    return r;
}

static hr_lock door;

static int wait_at_door(void *arg)
{
    return hr_lock_acquire(&door);
}

static int end_a_lock_in_use(void *arg)
{
    hr_lock_init(&door);
    (void)hr_lock_try(&door);
    int r = hr_spawn("visitor", wait_at_door, NULL);
    r = r < 0 ? r : hr_yield();
    hr_lock_done(&door);
    return r;
}

static const struct {
    hr_task_fn *fn;
    const char *said;
} misuses[] = {
    {leave_a_shield,            "headrace: task main: hr_shield_leave() without hr_shield_enter()"  },
    {free_own_loop,             "headrace: task main: hr_loop_free() inside a running loop: stop it"},
    {free_a_limiter_in_use,     "headrace: task main: hr_limiter_free(): tokens are out"            },
    {free_a_key_limiter_in_use, "headrace: task main: hr_key_limiter_free(): turns are taken"       },
    {end_a_lock_in_use,         "headrace: task main: hr_lock_done(): tasks wait for the lock"      },
};

TEST_PLAIN(s0_4_misuse_without_a_code_ends_the_program_with_a_sentence)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(misuses); i++) {
        int ends[2], status = 0;
        char said[1000];
        ASSERT_EQ(pipe(ends), 0);
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            dup2(ends[1], STDERR_FILENO);
            signal(SIGABRT, SIG_DFL); /* cmocka has a handler of its own */
            _exit(hr_run(misuses[i].fn, NULL) < 0);
        }
        close(ends[1]);
        ssize_t length = read(ends[0], said, sizeof(said) - 1);
        close(ends[0]);
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        said[length > 0 ? length : 0] = '\0';
        said[strnlen(said, strlen(misuses[i].said))] = '\0';
        ASSERT_STR(said, misuses[i].said);
    }
}
