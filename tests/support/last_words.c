/* SPDX-License-Identifier: MIT */
#include "tests/support/last_words.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/hrtest.h"

/* Reads to the end: who is not listened to any more dies of that. */
static void listen_to(int fd, char *said, size_t size)
{
    char rest[256];
    size_t len = 0;
    ssize_t n;
    do {
        bool room = len + 1 < size;
        n = read(fd, room ? said + len : rest, room ? size - 1 - len : sizeof(rest));
        len += room && n > 0 ? (size_t)n : 0;
    } while (n > 0);
    said[len] = '\0';
}

void test_last_words(int (*run)(void *arg), void *arg, char *said, size_t size)
{
    int ends[2], status = 0;
    ASSERT_EQ(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGABRT, SIG_DFL); /* cmocka has a handler of its own */
        _exit(run(arg) < 0);
    }
    close(ends[1]);
    listen_to(ends[0], said, size);
    close(ends[0]);
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
