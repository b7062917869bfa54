/* SPDX-License-Identifier: MIT */
/*
 * Torture: each test, with its first, then its second, then its n-th fallible call failing, until
 * it runs through without one; once with that call alone, once with a hundred calls from there on.
 *
 * How it works: each run is a process of its own. A test is written for a machine that has
 * everything, so it may fail; what then has to work is to give up: its loop is closed, with all its
 * tasks. A test that passes all the same has to leave nothing behind. No run may crash, hang, or
 * make a sanitizer speak. The output of one that does is shown. On the real clock a test may wait
 * for what a task would have done that never began: that is counted, and no fault. One that fails
 * or waits although every call went well is a fault.
 *
 *     test-core --torture [--sample] [--at N] [--part I/N] [TEST]...
 *
 * --sample takes fewer and fewer of the calls the longer a test is, --at N only that one; --part
 * 0/4 takes every fourth of the tests, so that four processes share them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/hrtest_impl.h"
#include "tests/support/starve.h"

#define HANG_S     60
#define WAIT_S     3   /* on the real clock, what a test waits for may never come */
#define BURST      100 /* not for ever: some wait for memory */
#define OUTPUT_MAX 16384
#define CALLS_MAX  10000000 /* what is still broken then has nothing to do with them */

enum verdict { UNTOUCHED = 0, PASSED = 70, GAVE_UP = 71, WAITED = 72, FAILED = 73, BROKEN };

static struct {
    bool sample;
    long at; /* negative: all */
    size_t part, parts;
    int out; /* where the runs' output goes: a file without a name */
    long runs, gave_up, waited, broken;
} torture = {.at = -1, .parts = 1};

/* As quiet as a process can be: what is left may be shared with the parent. */
static _Noreturn void give_up(const char *failure)
{
    bool starved = starve_end();
    dprintf(STDERR_FILENO, "%s\n", failure);
    test_close_loop();
    _exit(starved ? GAVE_UP : FAILED);
}

static const atomic_bool *starved;

/* Who has not come to the call that fails may be slow. */
static void time_is_up(int signal)
{
    static bool slow;
    if (*starved || slow)
        _exit(*starved ? WAITED : FAILED);
    slow = true;
    alarm(HANG_S);
}

static _Noreturn void run_in_child(const struct test *test, long n, bool once)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(torture.out, STDOUT_FILENO);
    dup2(torture.out, STDERR_FILENO);
    test_failed = give_up;
    test_starved = starve_failed;
    starve_all_after(n, once ? 1 : BURST);
    starved = starve_flag();
    signal(SIGALRM, time_is_up);
    alarm(test->clock == TEST_CLOCK_VIRTUAL ? HANG_S : WAIT_S);
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
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code == UNTOUCHED || code == PASSED || code == GAVE_UP)
        return code;
    if (code == WAITED && test->clock != TEST_CLOCK_VIRTUAL)
        return WAITED;
    if (code == FAILED)
        printf("%s: fails, or takes too long, before call %ld\n", test->name, n);
    else
        printf("%s: call %ld fails%s: %s %d\n", test->name, n, once ? "" : ", and more after it",
               code == WAITED ? "hangs, status"
               : code > 0     ? "ends with status"
                              : "crashes, signal",
               code > 0 ? code : WTERMSIG(status));
    show_output();
    return code == FAILED ? FAILED : BROKEN;
}

/* Ends what a test that gave up has started and left behind; it is ours now. */
static void end_leftovers(void)
{
    while (waitpid(-1, NULL, WNOHANG) >= 0) {
        char path[64], text[1024] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
            return;
        close(fd);
        char *next = text;
        for (long pid; (pid = strtol(next, &next, 10)) > 0;)
            kill((pid_t)pid, SIGKILL);
    }
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
    end_leftovers();
    enum verdict verdict = judge(test, n, once, status);
    torture.runs += verdict != UNTOUCHED;
    torture.gave_up += verdict == GAVE_UP;
    torture.waited += verdict == WAITED;
    torture.broken += verdict == BROKEN || verdict == FAILED;
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
        enum verdict verdict;
        long n = 0;
        while ((verdict = run_once(test, n, once)) != UNTOUCHED && verdict != FAILED &&
               n < CALLS_MAX)
            n = next_call(n);
    }
}

static void read_part(const char *text)
{
    if (sscanf(text, "%zu/%zu", &torture.part, &torture.parts) == 2 && torture.part < torture.parts)
        return;
    fprintf(stderr, "--part %s: not I/N\n", text);
    exit(EX_USAGE);
}

int test_torture(int argc, char **argv)
{
    for (; argc > 0 && strncmp(*argv, "--", 2) == 0; argc--, argv++) {
        if (strcmp(*argv, "--sample") == 0)
            torture.sample = true;
        else if (argc > 1 && strcmp(*argv, "--at") == 0)
            torture.at = (argc--, atol(*++argv));
        else if (argc > 1 && strcmp(*argv, "--part") == 0)
            read_part((argc--, *++argv));
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    torture.out = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC | O_APPEND, 0600);
    if (torture.out < 0) {
        perror("/tmp");
        return 1;
    }
    size_t count = 0;
    const struct test *test;
    for (size_t i = torture.part; (test = test_selected(i, argc, argv)); i += torture.parts) {
        if (strstr(test->file, "torture")) /* their allocator fails when they say so */
            continue;
        torture_test(test);
        count++;
    }
    printf("%zu tests, %ld runs in which a call failed: in %ld the test gave up, in %ld it waited "
           "in vain, %ld broke\n",
           count, torture.runs, torture.gave_up, torture.waited, torture.broken);
    return torture.broken > 0;
}
