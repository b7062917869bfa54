/* SPDX-License-Identifier: MIT */
/*
 * Torture: each test, with its first, then its second, then its n-th fallible call failing, until
 * it runs through without one; once with that call alone, once with a hundred calls from there on.
 *
 * How it works: each run is a process of its own. A test is written for a machine that has
 * everything, so it may fail; what then has to work is to give up: its loop is closed, with all its
 * tasks. A test that passes all the same has to leave nothing behind. No run may crash, hang, or
 * make a sanitizer speak. The output of one that does is shown. On the real clock a test may wait
 * for what a task would have done that never began: that is counted, and no fault.
 *
 *     test-core --torture [--sample] [--at N] [TEST]...
 *
 * --sample takes fewer and fewer of the calls the longer a test is, --at N only that one.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/hrtest_impl.h"
#include "tests/support/starve.h"

#define HANG_S     30
#define WAIT_S     3   /* on the real clock, what a test waits for may never come */
#define BURST      100 /* not for ever: some wait for memory */
#define OUTPUT_MAX 16384

enum verdict { UNTOUCHED = 0, PASSED = 70, GAVE_UP = 71, WAITED, BROKEN };

static struct {
    bool sample;
    long at; /* negative: all */
    int out; /* where the runs' output goes: a file without a name */
    long runs, gave_up, waited, broken;
} torture = {.at = -1};

/* As quiet as a process can be: what is left may be shared with the parent. */
static _Noreturn void give_up(const char *failure)
{
    starve_end();
    dprintf(STDERR_FILENO, "%s\n", failure);
    test_close_loop();
    _exit(GAVE_UP);
}

static _Noreturn void run_in_child(const struct test *test, long n, bool once)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(torture.out, STDOUT_FILENO);
    dup2(torture.out, STDERR_FILENO);
    alarm(test->clock == TEST_CLOCK_VIRTUAL ? HANG_S : WAIT_S);
    test_failed = give_up;
    test_starved = starve_failed;
    starve_all_after(n, once ? 1 : BURST);
    test_run(test);
    exit(starve_end() ? PASSED : UNTOUCHED); /* leaks are looked for on the way */
}

static void show_output(void)
{
    char text[4096];
    ssize_t got;
    fflush(stdout);
    for (off_t at = 0; at < OUTPUT_MAX; at += got) {
        got = pread(torture.out, text, sizeof(text), at);
        if (got <= 0 || write(STDOUT_FILENO, text, (size_t)got) != got)
            return;
    }
}

static enum verdict judge(const struct test *test, long n, bool once, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == UNTOUCHED)
        return UNTOUCHED;
    if (WIFEXITED(status) && (WEXITSTATUS(status) == PASSED || WEXITSTATUS(status) == GAVE_UP))
        return WEXITSTATUS(status);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM && test->clock != TEST_CLOCK_VIRTUAL)
        return WAITED;
    const char *how = WIFEXITED(status)             ? "ends with status"
                      : WTERMSIG(status) == SIGALRM ? "hangs, signal"
                                                    : "crashes, signal";
    printf("%s: call %ld fails%s: %s %d\n", test->name, n, once ? "" : ", and more after it", how,
           WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    show_output();
    return BROKEN;
}

static enum verdict run_once(const struct test *test, long n, bool once)
{
    int status = 0;
    fflush(stdout);
    if (ftruncate(torture.out, 0) < 0)
        exit(1);
    lseek(torture.out, 0, SEEK_SET);
    pid_t pid = fork();
    if (pid == 0)
        run_in_child(test, n, once);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    enum verdict verdict = judge(test, n, once, status);
    torture.runs += verdict != UNTOUCHED;
    torture.gave_up += verdict == GAVE_UP;
    torture.waited += verdict == WAITED;
    torture.broken += verdict == BROKEN;
    return verdict;
}

/* The call after n that is to fail. */
static long next_call(long n)
{
    return n + 1 + (torture.sample ? n / 4 : n / 64);
}

static void torture_test(const struct test *test)
{
    for (int once = 0; once < 2; once++) {
        if (torture.at >= 0) {
            run_once(test, torture.at, once);
            continue;
        }
        long n = 0;
        while (run_once(test, n, once) != UNTOUCHED)
            n = next_call(n);
    }
}

int test_torture(int argc, char **argv)
{
    for (; argc > 0 && strncmp(*argv, "--", 2) == 0; argc--, argv++) {
        if (strcmp(*argv, "--sample") == 0)
            torture.sample = true;
        else if (argc > 1 && strcmp(*argv, "--at") == 0)
            torture.at = (argc--, atol(*++argv));
    }
    torture.out = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC | O_APPEND, 0600);
    if (torture.out < 0) {
        perror("/tmp");
        return 1;
    }
    size_t count = 0;
    for (const struct test *test; (test = test_selected(count, argc, argv)); count++)
        torture_test(test);
    printf("%zu tests, %ld runs in which a call failed: in %ld the test gave up, in %ld it waited "
           "in vain, %ld broke\n",
           count, torture.runs, torture.gave_up, torture.waited, torture.broken);
    return torture.broken > 0;
}
