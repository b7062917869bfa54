/* SPDX-License-Identifier: MIT */
/*
 * Children that a program with loops forks: what they do with their copies, and with descriptors
 * that are not to be had. (What a task's child does with its own loop: test_traps.c.)
 */
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/headrace.h"
#include "tests/support/forks.h"

#ifndef FORKS_CONFUSE_THE_SANITIZER

struct ends {
    int mine, peer;
};

static struct ends open_ends(void)
{
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    return (struct ends){fds[0], fds[1]};
}

static void close_ends(struct ends ends)
{
    close(ends.mine);
    close(ends.peer);
}

/* How many descriptors a process may have open. The former figure comes back. */
static unsigned allow_descriptors(unsigned count)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    unsigned before = (unsigned)limit.rlim_cur;
    limit.rlim_cur = count;
    setrlimit(RLIMIT_NOFILE, &limit);
    return before;
}

static bool can_wait(hr_io *io, struct ends ends)
{
    return write(ends.peer, "x", 1) == 1 && hr_io_wait(io, HR_READ) == HR_READ;
}

static void count_up(void *count)
{
    ++*(int *)count;
}

static int watch_ends(void *arg)
{
    static int ignored;
    return hr_watch_add(((struct ends *)arg)->mine, HR_READ, count_up, &ignored);
}

static int wait_for_one(void *arg)
{
    return hr_wait_fd(*(int *)arg, HR_READ);
}

static int run(hr_loop *loop, hr_task_fn *fn, void *arg)
{
    struct hr_task_options options = {.name = "main", .loop = loop};
    return hr_loop_run_until_complete(loop, hr_create_task_with(&options, fn, arg));
}

/* Whether the parent's watch of mine is still there. */
static int hears_of(void *arg)
{
    const struct ends *ends = arg;
    int heard = 0;
    ASSERT_ERR(hr_watch_add(ends->mine, HR_READ, count_up, &heard), 0);
    ASSERT_EQ(write(ends->peer, "x", 1), 1);
    for (int pass = 0; pass < 3 && heard == 0; pass++)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_TRUE(hr_watch_remove(ends->mine, HR_READ));
    return heard > 0;
}

TEST_PLAIN(l3_a_loop_that_nobody_ran_is_run_and_freed_in_the_child_without_its_parents_noticing)
{
    struct ends watched = open_ends(), others = open_ends();
    hr_auto(hr_loop_freep) hr_loop *loop = hr_loop_new(NULL);
    ASSERT_ERR(run(loop, watch_ends, &watched), 0);
    pid_t child = begin_child();
    if (child == 0) {
        OR_DIE(write(others.peer, "x", 1) == 1);
        OR_DIE(run(loop, wait_for_one, &others.mine) == HR_READ);
        hr_loop_free(hr_take(loop));
        _exit(FINE);
    }
    expect_fine(child);
    for (unsigned allowed = 3; allowed <= 64; allowed += 61) {
        child = begin_child();
        if (child == 0) {
            allow_descriptors(allowed);
            hr_loop_free(hr_take(loop));
            _exit(FINE);
        }
        expect_fine(child);
    }
    ASSERT_ERR(run(loop, hears_of, &watched), 1);
    close_ends(watched);
    close_ends(others);
}

TEST_REAL(l3_a_child_that_runs_another_program_needs_no_descriptor)
{
    unsigned before = allow_descriptors(3);
    pid_t child = begin_child();
    if (child == 0) {
        allow_descriptors(before); /* which any program needs to begin */
        execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
        _exit(1);
    }
    allow_descriptors(before);
    expect_fine(child);
}

TEST_REAL(l3_in_a_child_without_descriptors_waits_for_them_fail_and_timers_go_on)
{
    struct ends ends = open_ends();
    hr_auto(hr_io_freep) hr_io *io = hr_io_new(ends.mine);
    int heard = 0;
    char byte;
    ASSERT_TRUE(can_wait(io, ends));
    ASSERT_ERR(hr_add_signal_handler(SIGUSR1, count_up, &heard), 0);
    pid_t child = begin_child();
    if (child == 0) {
        hr_auto(hr_io_freep) hr_io *other = hr_io_new(ends.peer);
        OR_DIE(write(ends.mine, "x", 1) == 1);
        unsigned before = allow_descriptors(3);
        OR_DIE(hr_io_wait(other, HR_READ) == -EMFILE);
        OR_DIE(hr_watch_add(ends.peer, HR_READ, count_up, &heard) == -EMFILE);
        OR_DIE(hr_add_signal_handler(SIGUSR2, count_up, &heard) == -EMFILE);
        OR_DIE(!hr_loop_event_base(hr_running_loop()));
        raise(SIGUSR1);
        OR_DIE(hr_sleep(hr_ms(1)) == 0 && heard == 1);
        allow_descriptors(before);
        struct ends reused = open_ends(); /* of numbers that were the loop's */
        raise(SIGUSR1);
        OR_DIE(read(reused.mine, &byte, 1) < 0 && read(reused.peer, &byte, 1) < 0);
        OR_DIE(hr_io_wait(other, HR_READ) == HR_READ);
        OR_DIE(heard == 2);
        _exit(FINE);
    }
    expect_fine(child);
    child = begin_child();
    if (child == 0) {
        hr_auto(hr_io_freep) hr_io *other = hr_io_new(ends.peer);
        unsigned before = allow_descriptors(3);
        io = hr_io_free(io); /* its event can only stay in the parent's epoll */
        allow_descriptors(before);
        OR_DIE(hr_io_wait(other, HR_READ) == -EMFILE);
        OR_DIE(hr_sleep(hr_ms(1)) == 0);
        _exit(FINE);
    }
    expect_fine(child);
    ASSERT_TRUE(can_wait(io, ends));
    ASSERT_EQ(heard, 0);
    ASSERT_TRUE(hr_remove_signal_handler(SIGUSR1));
    hr_io_freep(&io);
    close_ends(ends);
}

TEST_REAL(l3_a_child_whose_parent_has_used_up_its_descriptors_gets_its_own_all_the_same)
{
    struct ends ends = open_ends();
    hr_auto(hr_io_freep) hr_io *io = hr_io_new(ends.mine);
    int lowest = dup(ends.mine);
    close(lowest);
    unsigned before = allow_descriptors((unsigned)lowest + 6);
    while (dup(ends.mine) >= 0)
        ;
    pid_t child = begin_child();
    if (child == 0) {
        OR_DIE(can_wait(io, ends));
        _exit(FINE);
    }
    for (int fd = lowest; fd < lowest + 6; fd++)
        close(fd);
    allow_descriptors(before);
    expect_fine(child);
    hr_io_freep(&io);
    close_ends(ends);
}

static int forty_two(void *arg, void **ret_value)
{
    return 42;
}

TEST_REAL(l3_a_childs_loop_has_a_default_pool_of_its_own_and_leaves_other_executors_alone)
{
    hr_auto(hr_executor_freep) hr_executor *executor = hr_executor_new("mine", 1);
    ASSERT_ERR(hr_join(hr_run_in_executor(NULL, forty_two, NULL, NULL)), 42);
    ASSERT_ERR(hr_join(hr_run_in_executor(executor, forty_two, NULL, NULL)), 42);
    pid_t child = begin_child();
    if (child == 0) {
        OR_DIE(hr_join(hr_run_in_executor(NULL, forty_two, NULL, NULL)) == 42);
        OR_DIE(hr_join(hr_run_in_executor(executor, forty_two, NULL, NULL)) == HR_ESHUTDOWN);
        hr_executor_shutdown(executor, HR_SHUTDOWN_WAIT);
        hr_executor_freep(&executor);
        _exit(FINE);
    }
    expect_fine(child);
}

static int when_told(void *arg, void **ret_value)
{
    char byte;
    return read(*(int *)arg, &byte, 1) == 1 ? 42 : -EIO;
}

/* A job that waits to be told. */
static int told[2];

static hr_future *begin_job(void)
{
    ASSERT_EQ(pipe2(told, O_CLOEXEC), 0);
    return hr_run_in_executor(NULL, when_told, &told[0], NULL);
}

static void end_job(hr_future *job)
{
    ASSERT_EQ(write(told[1], "x", 1), 1);
    ASSERT_ERR(hr_join(job), 42);
    close(told[0]);
    close(told[1]);
}

TEST_REAL(l3_a_job_that_is_under_way_at_a_fork_ends_in_the_parent_and_is_an_error_in_the_child)
{
    hr_future *job = begin_job();
    pid_t child = begin_child();
    if (child == 0) {
        OR_DIE(hr_join(hr_run_in_executor(NULL, forty_two, NULL, NULL)) == 42);
        OR_DIE(hr_join(job) == HR_ESHUTDOWN);
        _exit(FINE);
    }
    expect_fine(child);
    end_job(job);
}

TEST_REAL(l3_a_job_that_a_child_lost_and_does_not_wait_for_is_nothing_to_report)
{
    hr_future *job = begin_job();
    pid_t child = begin_child();
    if (child == 0) {
        OR_DIE(hr_sleep(1) == 0);
        OR_DIE(hr_future_done(job));
        hr_future_unref(job);
        OR_DIE(!test_report());
        _exit(FINE);
    }
    expect_fine(child);
    end_job(job);
}

static void say_hello(void *arg)
{
    (void)!write(((struct ends *)arg)->peer, "x", 1);
}

TEST_PLAIN(l3_a_loop_that_another_thread_ran_is_lost_in_the_child)
{
    hr_loop_thread *thread = hr_loop_thread_new("other", NULL);
    hr_loop *loop = hr_loop_thread_loop(thread);
    struct ends ends = open_ends();
    char byte;
    fcntl(ends.mine, F_SETFL, 0);
    ASSERT_ERR(hr_call_soon_threadsafe(loop, say_hello, &ends), 0);
    ASSERT_EQ(read(ends.mine, &byte, 1), 1); /* so it runs */
    pid_t child = begin_child();
    if (child == 0) {
        OR_DIE(hr_call_soon_threadsafe(loop, say_hello, &ends) == HR_ECLOSED);
        OR_DIE(hr_loop_close(loop) == -EBUSY);
        OR_DIE(hr_loop_run_forever(loop) == -EBUSY);
        OR_DIE(!hr_loop_free(loop));
        OR_DIE(!hr_loop_thread_free(thread));
        OR_DIE(hr_run(wait_for_one, &(int){-1}) == -EBADF); /* a new one is fine */
        _exit(FINE);
    }
    expect_fine(child);
    hr_loop_thread_free(thread);
    close_ends(ends);
}

TEST_REAL(l3_a_signal_that_comes_to_the_child_before_it_uses_the_loop_is_heard_there_alone)
{
    int heard = 0;
    ASSERT_ERR(hr_add_signal_handler(SIGUSR1, count_up, &heard), 0);
    pid_t child = begin_child();
    if (child == 0) {
        raise(SIGUSR1);
        while (heard == 0)
            OR_DIE(hr_sleep(hr_ms(1)) == 0);
        raise(SIGUSR1);
        while (heard == 1)
            OR_DIE(hr_sleep(hr_ms(1)) == 0);
        _exit(FINE);
    }
    expect_fine(child);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_EQ(heard, 0);
    raise(SIGUSR1);
    ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_EQ(heard, 1);
    ASSERT_TRUE(hr_remove_signal_handler(SIGUSR1));
}

/* Two events of a foreign library, ready in one look: the callback of the first one forks, and the
 * second one is armed again by the parent before the child gets to it. */
struct foreign {
    struct ends first, second, go;
    struct event *second_event;
    pid_t child;
    int seconds;
};

static void fork_there(evutil_socket_t fd, short events, void *arg)
{
    struct foreign *foreign = arg;
    char byte;
    foreign->child = begin_child();
    if (foreign->child == 0)
        OR_DIE(read(foreign->go.mine, &byte, 1) == 1);
}

static void again(evutil_socket_t fd, short events, void *arg)
{
    struct foreign *foreign = arg;
    char byte;
    (void)!read(fd, &byte, 1);
    foreign->seconds++;
    if (foreign->child == 0)
        return;
    event_add(foreign->second_event, NULL);
    (void)!write(foreign->go.peer, "x", 1);
}

TEST_REAL(l3_a_child_forked_in_a_foreign_librarys_callback_leaves_its_other_events_alone)
{
    struct foreign foreign = {open_ends(), open_ends(), open_ends(), NULL, -1, 0};
    struct event_base *base = hr_loop_event_base(hr_running_loop());
    fcntl(foreign.go.mine, F_SETFL, 0); /* the child waits there, loop and all */
    struct event *first = event_new(base, foreign.first.mine, EV_READ, fork_there, &foreign);
    foreign.second_event = event_new(base, foreign.second.mine, EV_READ, again, &foreign);
    event_add(first, NULL);
    ASSERT_EQ(write(foreign.first.peer, "x", 1), 1);
    event_add(foreign.second_event, NULL);
    ASSERT_EQ(write(foreign.second.peer, "x", 1), 1);
    while (foreign.child < 0 || foreign.seconds == 0)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    if (foreign.child == 0)
        _exit(FINE);
    expect_fine(foreign.child);
    ASSERT_EQ(foreign.seconds, 1);
    ASSERT_EQ(write(foreign.second.peer, "x", 1), 1);
    for (int pass = 0; pass < 3 && foreign.seconds == 1; pass++)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_EQ(foreign.seconds, 2);
    event_free(first);
    event_free(foreign.second_event);
    close_ends(foreign.first);
    close_ends(foreign.second);
    close_ends(foreign.go);
}

TEST_PLAIN(l6_a_loop_that_gets_only_some_of_its_descriptors_is_an_error_and_not_the_end)
{
    int lowest = dup(STDERR_FILENO);
    close(lowest);
    pid_t child = begin_child();
    if (child == 0) {
        int count = 0;
        hr_loop *loop = NULL;
        for (; count < 16 && !loop; count++) {
            allow_descriptors((unsigned)(lowest + count));
            loop = hr_loop_new(NULL);
            OR_DIE(loop || hr_last_error()->code == -EMFILE);
        }
        OR_DIE(loop && count > 4);
        hr_loop_free(loop);
        _exit(FINE);
    }
    expect_fine(child);
}

#endif
