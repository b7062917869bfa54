/* SPDX-License-Identifier: MIT */
/*
 * Child processes, semantics 20.14. The programs are /bin/sh and what it has inside.
 */
#include "core/child.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/child_impl.h"
#include "core/timeout.h"
#include "core/transfer.h"
#include "tests/support/deaths.h"
#include "tests/support/hrtest.h"

/* What runs `script`, quiet unless a stream says otherwise. */
static struct hr_child_options shell(const char *const argv[4])
{
    return (struct hr_child_options){
        .argv = argv,
        .file = "/bin/sh",
        .streams = {{HR_CHILD_NULL}},
    };
}

#define SHELL(script) shell((const char *const[]){"sh", "-c", script, NULL})

static hr_child *spawn(const char *script)
{
    struct hr_child_options options = SHELL(script);
    hr_child *child = hr_child_spawn(&options);
    ASSERT_TRUE(child);
    return child;
}

/* What it says, to the end. */
static void read_all(hr_child *child, char *text, size_t size)
{
    hr_auto(hr_io_freep) hr_io *io = hr_io_new(hr_child_get_pipe(child, STDOUT_FILENO));
    size_t have = 0;
    ssize_t n;
    ASSERT_TRUE(io);
    while ((n = hr_io_read(io, text + have, size - 1 - have)) > 0)
        have += (size_t)n;
    ASSERT_EQ(n, 0);
    text[have] = '\0';
}

static void says(const struct hr_child_options *options, const char *expected)
{
    char text[256];
    struct hr_child_options with_pipe = *options;
    struct hr_child_exit end;
    with_pipe.streams[STDOUT_FILENO].kind = HR_CHILD_PIPE;
    hr_auto(hr_child_freep) hr_child *child = hr_child_spawn(&with_pipe);
    ASSERT_TRUE(child);
    read_all(child, text, sizeof(text));
    ASSERT_STR(text, expected);
    ASSERT_ERR(hr_child_wait(child, &end), 0);
    ASSERT_EQ(end.status, 0);
}

static bool is_gone(pid_t pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH;
}

static void wait_until_gone(pid_t pid)
{
    for (int i = 0; i < 10000 && !is_gone(pid); i++)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_TRUE(is_gone(pid));
}

/* Every way to learn of the end. */
static void with_and_without_pidfd(void (*body)(void))
{
    body();
    hr__child_without_pidfd = true;
    body();
    hr__child_without_pidfd = false;
}

static void each_end(void)
{
    struct hr_child_exit end;
    char text[64];
    hr_child *child = spawn("exit 3");
    ASSERT_ERR(hr_child_wait(child, &end), 0);
    ASSERT_EQ(end.status, 3);
    ASSERT_EQ(end.signal, 0);
    ASSERT_STR(hr_child_exit_text(&end, text, sizeof(text)), "exited with 3");
    ASSERT_TRUE(hr_child_over(child));
    ASSERT_TRUE(is_gone(hr_child_pid(child))); /* no zombie */
    ASSERT_ERR(hr_child_wait(child, &end), 0); /* and again */
    ASSERT_EQ(end.status, 3);
    ASSERT_ERR(hr_child_kill(child, SIGTERM), -ESRCH);
    hr_child_free(child);

    child = spawn("kill -9 $$");
    ASSERT_ERR(hr_child_wait(child, &end), 0);
    ASSERT_EQ(end.status, -1);
    ASSERT_EQ(end.signal, SIGKILL);
    ASSERT_FALSE(end.core);
    ASSERT_STR(hr_child_exit_text(&end, text, sizeof(text)), "died of signal 9 (Killed)");
    hr_child_free(child);
}

TEST_REAL(s20_14_the_end_of_a_child_comes_through_the_loop)
{
    with_and_without_pidfd(each_end);
}

static int ended_by_handler;

static void on_child(int number)
{
    ended_by_handler++;
}

TEST_REAL(s20_14_the_programs_own_handler_and_children_are_left_alone)
{
    struct sigaction own = {.sa_handler = on_child, .sa_flags = SA_RESTART}, before, after;
    sigaction(SIGCHLD, &own, &before);
    pid_t mine = fork();
    if (mine == 0)
        _exit(7);
    hr_child *child = spawn("exit 3");
    ASSERT_ERR(hr_child_wait(child, NULL), 0);
    hr_child_free(child);
    int status;
    ASSERT_EQ(waitpid(mine, &status, 0), mine); /* nobody took its status */
    ASSERT_EQ(WEXITSTATUS(status), 7);
    ASSERT_TRUE(ended_by_handler > 0);
    sigaction(SIGCHLD, &before, &after);
    ASSERT_TRUE(after.sa_handler == on_child);
}

static int wait_for_it(void *child)
{
    struct hr_child_exit end;
    int r = hr_child_wait(child, &end);
    return r < 0 ? r : end.status;
}

static int free_it(void *child)
{
    hr_child_free(child);
    return 0;
}

TEST_REAL(any_number_of_tasks_may_wait)
{
    hr_child *child = spawn("read x; exit 5");
    hr_task *a = hr_create_task("a", wait_for_it, child),
            *b = hr_create_task("b", wait_for_it, child);
    ASSERT_ERR(hr_join(a), 5);
    ASSERT_ERR(hr_join(b), 5);
    hr_child_free(child);

    child = spawn("exec sleep 60");
    pid_t pid = hr_child_pid(child);
    a = hr_create_task("a", wait_for_it, child);
    b = hr_create_task("b", wait_for_it, child);
    hr_task *freeing = hr_create_task("free", free_it, child);
    ASSERT_ERR(hr_join(a), HR_ECLOSED);
    ASSERT_ERR(hr_join(b), HR_ECLOSED);
    ASSERT_ERR(hr_join(freeing), 0);
    wait_until_gone(pid);
}

TEST_REAL(a_limit_on_the_wait_leaves_the_child_running)
{
    hr_auto(hr_child_freep) hr_child *child = spawn("exec sleep 60");
    struct hr_timeout limit = {0};
    ASSERT_ERR(hr_timeout_enter(&limit, hr_ms(2)), 0);
    ASSERT_ERR(hr_timeout_leave(&limit, hr_child_wait(child, NULL)), -ETIMEDOUT);
    ASSERT_FALSE(hr_child_over(child));
    ASSERT_ERR(hr_child_kill(child, SIGUSR1), 0);
    struct hr_child_exit end;
    ASSERT_ERR(hr_child_wait(child, &end), 0);
    ASSERT_EQ(end.signal, SIGUSR1);
}

static void end_it(hr_child *child)
{
    pid_t pid = hr_child_pid(child);
    hr_child_free(child); /* does not wait */
    wait_until_gone(pid);
}

static void die_with_the_handle(void)
{
    end_it(spawn("exec sleep 60"));
}

TEST_REAL(a_child_that_is_freed_is_killed_and_leaves_no_zombie)
{
    with_and_without_pidfd(die_with_the_handle);
    hr_child_free(NULL);
}

static pid_t left_behind;

static int leave_it(void *arg)
{
    struct hr_child_options options = SHELL("exec sleep 60");
    hr_auto(hr_child_freep) hr_child *child = hr_child_spawn(&options);
    ASSERT_TRUE(child);
    left_behind = hr_child_pid(child);
    return arg ? hr_child_wait(child, NULL) : 0;
}

static int leave_a_waiting_task(void *arg)
{
    int r = hr_spawn("waits", leave_it, &left_behind);
    return r < 0 ? r : hr_sleep(hr_ms(2));
}

static void leave_with_the_loop(void)
{
    ASSERT_ERR(hr_run(leave_it, NULL), 0);
    ASSERT_TRUE(is_gone(left_behind));
    ASSERT_ERR(hr_run(leave_a_waiting_task, NULL), 0); /* the task is cancelled */
    ASSERT_TRUE(is_gone(left_behind));
}

TEST_PLAIN(a_closing_loop_leaves_neither_process_nor_zombie_nor_descriptor)
{
    with_and_without_pidfd(leave_with_the_loop);
}

static void block_on_it(void)
{
    struct hr_child_exit end;
    hr_child *child = spawn("read x; exit 4"); /* no loop here */
    ASSERT_ERR(hr_child_wait_blocking(child, HR_FOREVER, &end), 0);
    ASSERT_EQ(end.status, 4);
    hr_child_free(child);
    child = spawn("exec sleep 60");
    pid_t pid = hr_child_pid(child);
    ASSERT_ERR(hr_child_wait_blocking(child, hr_ms(1), NULL), -ETIMEDOUT);
    ASSERT_ERR(hr_child_wait_blocking(child, 0, NULL), -ETIMEDOUT);
    hr_child_free(child);
    ASSERT_TRUE(is_gone(pid));
}

TEST_PLAIN(without_a_loop_a_thread_blocks)
{
    with_and_without_pidfd(block_on_it);
}

TEST_REAL(a_child_that_outlives_its_loops_run_may_be_freed_later)
{
    hr_child *child = spawn("exit 6");
    ASSERT_ERR(hr_child_wait_blocking(child, HR_FOREVER, NULL), 0);
    struct hr_child_exit end;
    ASSERT_ERR(hr_child_wait(child, &end), 0);
    ASSERT_EQ(end.status, 6);
    hr_child_free(child);
}

TEST_REAL(a_status_that_somebody_else_took_is_told)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGCHLD, &ignore, &before);
    hr_child *child = spawn("exit 3");
    ASSERT_ERR(hr_child_wait(child, NULL), -ECHILD);
    hr_child_free(child);
    sigaction(SIGCHLD, &before, NULL);
}

TEST_REAL(streams_go_where_they_are_told_to)
{
    struct hr_child_options options = SHELL("tr a-z A-Z; echo to stderr >&2");
    options.streams[0].kind = options.streams[1].kind = HR_CHILD_PIPE;
    options.streams[2] = (struct hr_child_stream){HR_CHILD_NULL, 0};
    hr_auto(hr_child_freep) hr_child *child = hr_child_spawn(&options);
    ASSERT_TRUE(child);
    int to = hr_child_take_pipe(child, STDIN_FILENO);
    ASSERT_EQ(hr_child_get_pipe(child, STDIN_FILENO), -1);
    ASSERT_EQ(hr_child_get_pipe(child, STDERR_FILENO), -1);
    ASSERT_EQ(hr_child_get_pipe(child, 17), -1);
    ASSERT_TRUE(fcntl(to, F_GETFL) & O_NONBLOCK);
    ASSERT_TRUE(fcntl(to, F_GETFD) & FD_CLOEXEC);
    hr_io *io = hr_io_new(to);
    ASSERT_TRUE(io);
    ASSERT_ERR(hr_io_write(io, "quiet\n", 6, NULL), 0);
    hr_io_free(io);
    close(to);
    char text[32];
    read_all(child, text, sizeof(text));
    ASSERT_STR(text, "QUIET\n");
    ASSERT_ERR(hr_child_wait(child, NULL), 0);
}

TEST_REAL(descriptors_become_three_and_up_also_when_their_numbers_cross)
{
    int a[2], b[2];
    ASSERT_EQ(pipe2(a, O_CLOEXEC), 0);
    ASSERT_EQ(pipe2(b, O_CLOEXEC), 0);
    int fds[2] = {b[1], a[1]}, stray = dup(a[0]); /* that one would stay open by itself */
    struct hr_child_options options = SHELL("echo three >&3; echo four >&4; ls /proc/self/fd");
    options.fds = fds;
    options.fd_count = 2;
    says(&options, "0\n1\n2\n3\n4\n5\n"); /* 5 is ls' own; nothing else came along */
    close(stray);
    char text[8] = "";
    ASSERT_EQ(read(b[0], text, sizeof(text)), 6);
    ASSERT_TRUE(memcmp(text, "three\n", 6) == 0);
    ASSERT_EQ(read(a[0], text, sizeof(text)), 5);
    ASSERT_TRUE(memcmp(text, "four\n", 5) == 0);
    close(a[0]);
    close(a[1]);
    close(b[0]);
    close(b[1]);
}

TEST_REAL(standard_error_may_go_to_a_copy_of_standard_output)
{
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    struct hr_child_options options = SHELL("echo out; echo err >&2");
    options.streams[1] = options.streams[2] = (struct hr_child_stream){HR_CHILD_FD, ends[1]};
    hr_auto(hr_child_freep) hr_child *child = hr_child_spawn(&options);
    ASSERT_TRUE(child);
    ASSERT_ERR(hr_child_wait(child, NULL), 0);
    char text[32] = "";
    ASSERT_EQ(read(ends[0], text, sizeof(text)), 8);
    ASSERT_TRUE(memcmp(text, "out\nerr\n", 8) == 0);
    close(ends[0]);
    close(ends[1]);
}

TEST_REAL(environment_and_directory_are_the_childs_own)
{
    struct hr_child_options options = SHELL("echo $WORD $HOME; pwd");
    options.env = (const char *const[]){"WORD=one two", NULL};
    options.directory = "/usr";
    says(&options, "one two\n/usr\n");
}

TEST_REAL(a_program_without_a_slash_is_looked_for)
{
    struct hr_child_options options = {
        .argv = (const char *const[]){"echo", "found", NULL}
    };
    says(&options, "found\n");
}

#define C_LIBRARYS_OWN 0x180000000u /* 32 and 33 */

TEST_REAL(signals_are_at_their_defaults_and_unblocked)
{
    sigset_t usr1, before;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, &before);
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    sigaction(SIGPIPE, &ignore, &old);
    struct hr_child_options options =
        SHELL("while read name value; do case $name in SigBlk:|SigIgn:) echo $value;; esac; "
              "done < /proc/self/status");
    options.streams[1].kind = HR_CHILD_PIPE;
    hr_auto(hr_child_freep) hr_child *child = hr_child_spawn(&options);
    ASSERT_TRUE(child);
    char text[64], *next;
    read_all(child, text, sizeof(text));
    ASSERT_EQ(strtoull(text, &next, 16), 0);
    ASSERT_EQ(strtoull(next, NULL, 16) & ~(uint64_t)C_LIBRARYS_OWN, 0);
    ASSERT_ERR(hr_child_wait(child, NULL), 0);
    sigaction(SIGPIPE, &old, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

TEST_REAL(its_group_is_its_own_unless_told_otherwise)
{
    struct hr_child_options options = SHELL("read x");
    options.streams[0].kind = HR_CHILD_PIPE;
    hr_child *child = hr_child_spawn(&options);
    ASSERT_TRUE(child);
    ASSERT_EQ(getpgid(hr_child_pid(child)), hr_child_pid(child));
    ASSERT_EQ(getsid(hr_child_pid(child)), getsid(0));
    end_it(child);
    options.group = HR_CHILD_OWN_SESSION;
    child = hr_child_spawn(&options);
    ASSERT_TRUE(child);
    ASSERT_EQ(getsid(hr_child_pid(child)), hr_child_pid(child));
    end_it(child);
    options.group = HR_CHILD_SAME_GROUP;
    child = hr_child_spawn(&options);
    ASSERT_TRUE(child);
    ASSERT_EQ(getpgid(hr_child_pid(child)), getpgid(0));
    ASSERT_ERR(hr_child_kill_group(child, SIGTERM), 0); /* it alone, not us */
    ASSERT_ERR(hr_child_wait(child, NULL), 0);
    hr_child_free(child);
}

/* A child with a child of its own, whose number it says. */
static hr_child *spawn_family(const char *script, bool end_group, pid_t *ret_grandchild)
{
    struct hr_child_options options = SHELL(script);
    options.streams[1].kind = HR_CHILD_PIPE;
    options.end_group = end_group;
    hr_child *child = hr_child_spawn(&options);
    ASSERT_TRUE(child);
    hr_auto(hr_io_freep) hr_io *io = hr_io_new(hr_child_get_pipe(child, STDOUT_FILENO));
    char text[32] = "";
    ASSERT_TRUE(io);
    ASSERT_TRUE(hr_io_read(io, text, sizeof(text) - 1) > 0);
    *ret_grandchild = (pid_t)atoi(text);
    return child;
}

TEST_REAL(a_group_is_ended_whole)
{
    pid_t grandchild;
    struct hr_child_exit end;
    hr_child *child = spawn_family("sleep 60 & echo $!; wait", false, &grandchild);
    ASSERT_ERR(hr_child_stop(child, hr_seconds(60), &end), 0);
    ASSERT_EQ(end.signal, SIGTERM);
    test_wait_until_dead(grandchild);
    hr_child_free(child);

    child = spawn_family("sleep 60 & echo $!; exit 2", true, &grandchild);
    ASSERT_ERR(hr_child_wait(child, &end), 0);
    ASSERT_EQ(end.status, 2);
    test_wait_until_dead(grandchild); /* end_group */
    hr_child_free(child);
}

#define DEAF "trap '' TERM; echo $$; sleep 60"

TEST_REAL(who_does_not_stop_in_time_is_killed)
{
    struct hr_child_exit end;
    pid_t pid;
    hr_child *child = spawn_family(DEAF, false, &pid);
    ASSERT_EQ(pid, hr_child_pid(child));
    ASSERT_ERR(hr_child_stop(child, hr_ms(5), &end), 0);
    ASSERT_EQ(end.signal, SIGKILL);
    ASSERT_ERR(hr_child_stop(child, hr_ms(5), &end), 0); /* it is over */
    hr_child_free(child);
}

static int stop_patiently(void *child)
{
    return hr_child_stop(child, hr_seconds(1000), NULL);
}

TEST_REAL(a_cancelled_stop_kills_at_once)
{
    struct hr_child_exit end;
    pid_t pid;
    hr_child *child = spawn_family(DEAF, false, &pid);
    hr_task *task = hr_create_task("stop", stop_patiently, child);
    ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    hr_task_cancel(task, NULL);
    ASSERT_ERR(hr_join(task), -ECANCELED);
    ASSERT_ERR(hr_child_wait(child, &end), 0);
    ASSERT_EQ(end.signal, SIGKILL);
    hr_child_free(child);
}

struct two {
    hr_child *child;
    hr_task *other;
    hr_usec grace; /* 0: a minute */
    int code;
};

static int stop_slowly(void *arg)
{
    struct two *two = arg;
    two->code = hr_child_stop(two->child, two->grace > 0 ? two->grace : hr_seconds(60), NULL);
    return 0;
}

/* Its end wakes both, this one first. */
static int cancel_the_other_and_free(void *arg)
{
    struct two *two = arg;
    int r = hr_child_wait(two->child, NULL);
    hr_task_cancel(two->other, NULL);
    two->child = hr_child_free(two->child);
    return r;
}

TEST_REAL(a_child_may_be_freed_under_who_stops_it_and_is_cancelled)
{
    struct two two = {.child = spawn("exec sleep 100")};
    hr_auto(hr_future_unrefp) hr_task *first =
        hr_create_task("first", cancel_the_other_and_free, &two);
    two.other = hr_create_task("other", stop_slowly, &two);
    ASSERT_ERR(hr_join(two.other), 0);
    ASSERT_ERR(two.code, -ECANCELED);
    ASSERT_ERR(hr_await(first), 0);
}

TEST_REAL(a_child_that_is_freed_while_it_has_its_grace_is_closed_to_who_stops_it)
{
    for (int again = 0; again < 2; again++) {
        pid_t pid;
        struct two two = {.child = spawn_family(DEAF, false, &pid)};
        hr_auto(hr_future_unrefp) hr_task *stopper = hr_create_task("stop", stop_slowly, &two);
        ASSERT_ERR(hr_yield(), 0);
        if (again)
            hr_task_cancel(stopper, NULL);
        two.child = hr_child_free(two.child);
        ASSERT_ERR(hr_await(stopper), 0);
        ASSERT_ERR(two.code, again ? -ECANCELED : HR_ECLOSED);
        wait_until_gone(pid);
    }
}

static int free_at_a_moment(void *arg)
{
    struct two *two = arg;
    int r = hr_sleep(hr_ms(2));
    two->child = hr_child_free(two->child);
    return r;
}

TEST_REAL(a_child_that_is_freed_as_its_grace_ends_is_closed_to_who_stops_it)
{
    pid_t pid;
    struct two two = {.child = spawn_family(DEAF, false, &pid), .grace = hr_ms(2)};
    hr_task *freer = hr_create_task("free", free_at_a_moment, &two);
    hr_task *stopper = hr_create_task("stop", stop_slowly, &two);
    ASSERT_ERR(hr_join(freer), 0);
    ASSERT_ERR(hr_join(stopper), 0);
    ASSERT_ERR(two.code, HR_ECLOSED);
    wait_until_gone(pid);
}

TEST_REAL(a_child_that_has_left_its_group_is_killed_all_the_same)
{
    struct hr_child_exit end;
    char line[8] = "";
    struct hr_child_options options = {
        .argv = (const char *const[]){"perl",                   "-e",
                                      "setpgrp(0, getpgrp(getppid())) or die; $| = 1; "
                                      "print 'gone'; sleep 60", NULL},
        .streams[1] = {HR_CHILD_PIPE},
    };
    hr_auto(hr_child_freep) hr_child *child = hr_child_spawn(&options);
    ASSERT_TRUE(child);
    hr_auto(hr_io_freep) hr_io *io = hr_io_new(hr_child_get_pipe(child, STDOUT_FILENO));
    ASSERT_EQ(hr_io_read(io, line, 4), 4);
    ASSERT_STR(line, "gone");
    ASSERT_ERR(hr_child_stop(child, hr_ms(2), &end), 0);
    ASSERT_EQ(end.signal, SIGKILL);
}

TEST_REAL(what_cannot_be_started_says_why_and_leaves_nothing)
{
    struct hr_child_options options = {
        .argv = (const char *const[]){"/nowhere/at-all", NULL}
    };
    options.streams[0].kind = HR_CHILD_PIPE;
    ASSERT_PTR(hr_child_spawn(&options), NULL);
    ASSERT_ERR(hr_last_error()->code, -ENOENT);
    ASSERT_STR(hr_last_error()->message,
               "/nowhere/at-all cannot be started: No such file or directory");
    options.argv = (const char *const[]){"/etc/passwd", NULL};
    ASSERT_PTR(hr_child_spawn(&options), NULL);
    ASSERT_ERR(hr_last_error()->code, -EACCES);
    options.argv = (const char *const[]){NULL};
    ASSERT_PTR(hr_child_spawn(&options), NULL);
    ASSERT_ERR(hr_last_error()->code, -EINVAL);
    options = SHELL("true");
    options.fd_count = 17;
    ASSERT_PTR(hr_child_spawn(&options), NULL);
    ASSERT_ERR(hr_last_error()->code, -EINVAL);
    options.fd_count = 0;
    options.streams[1] = (struct hr_child_stream){HR_CHILD_FD, 999999};
    ASSERT_PTR(hr_child_spawn(&options), NULL);
    ASSERT_ERR(hr_last_error()->code, -EBADF);
    ASSERT_ERR(hr_child_wait(NULL, NULL), -EINVAL);
}
