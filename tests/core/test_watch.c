/* SPDX-License-Identifier: MIT */
/*
 * Callbacks on descriptors, semantics 11.14 to 11.16.
 */
#include "core/watch.h"

#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/io.h"
#include "core/signals.h"
#include "core/task.h"
#include "tests/support/hrtest.h"

static int ends[2];
static int calls, other_calls;

static void count(void *arg)
{
    if (++*(int *)arg == 3)
        hr_watch_remove(ends[0], HR_READ);
}

static void count_write(void *arg)
{
    ++*(int *)arg;
    hr_watch_remove(ends[1], HR_WRITE);
}

static void complete(void *future)
{
    hr_future_set_status(future, 0);
}

static void open_pipe(void)
{
    ASSERT_EQ(pipe(ends), 0);
    calls = other_calls = 0;
}

static void close_pipe(void)
{
    close(ends[0]);
    close(ends[1]);
}

static void wait_for_calls(const int *counter, int n)
{
    for (int i = 0; i < 200 && *counter < n; i++)
        ASSERT_ERR(hr_sleep(hr_ms(1)), 0);
    ASSERT_EQ(*counter, n);
}

TEST_REAL(s11_14_s11_15_a_watch_is_called_as_long_as_the_condition_lasts)
{
    open_pipe();
    ASSERT_ERR(hr_watch_add(ends[0], HR_READ, count, &calls), 0);
    ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    ASSERT_EQ(calls, 0);
    ASSERT_EQ(write(ends[1], "x", 1), 1); /* nobody reads it, so it lasts */
    wait_for_calls(&calls, 3);
    ASSERT_FALSE(hr_watch_remove(ends[0], HR_READ)); /* the third call has removed it */
    ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    ASSERT_EQ(calls, 3);

    ASSERT_ERR(hr_watch_add(ends[1], HR_WRITE, count_write, &other_calls), 0);
    wait_for_calls(&other_calls, 1);
    ASSERT_ERR(hr_watch_add(ends[1], 0, count, &calls), -EINVAL);
    close_pipe();
}

TEST_REAL(s11_14_a_new_watch_replaces_the_old_one_and_removing_tells_of_one)
{
    open_pipe();
    ASSERT_FALSE(hr_watch_remove(ends[0], HR_READ));
    ASSERT_ERR(hr_watch_add(ends[0], HR_READ, count, &calls), 0);
    ASSERT_ERR(hr_watch_add(ends[0], HR_READ, count, &other_calls), 0);
    ASSERT_EQ(write(ends[1], "x", 1), 1);
    wait_for_calls(&other_calls, 3);
    ASSERT_EQ(calls, 0);
    ASSERT_ERR(hr_watch_add(ends[0], HR_READ, count, &calls), 0);
    ASSERT_TRUE(hr_watch_remove(ends[0], HR_READ));
    ASSERT_FALSE(hr_watch_remove(ends[0], HR_READ));
    close_pipe();
}

TEST_REAL(s11_14_reading_and_writing_are_watched_apart)
{
    int both[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
    ends[0] = ends[1] = both[0];
    calls = other_calls = 0;
    ASSERT_ERR(hr_watch_add(both[0], HR_READ, count, &calls), 0);
    ASSERT_ERR(hr_watch_add(both[0], HR_WRITE, count_write, &other_calls), 0);
    wait_for_calls(&other_calls, 1); /* which removes itself, and nothing else */
    ASSERT_EQ(calls, 0);
    ASSERT_EQ(write(both[1], "x", 1), 1);
    wait_for_calls(&calls, 3);
    ASSERT_FALSE(hr_watch_remove(both[0], HR_WRITE));
    close(both[0]);
    close(both[1]);
}

static void count_and_leave(void *fd)
{
    calls++;
    ASSERT_TRUE(hr_watch_remove(*(int *)fd, HR_READ));
}

/* Each finds its own, whichever were removed and added meanwhile. */
TEST_REAL(s11_14_many_descriptors_are_told_apart)
{
    enum { MANY = 200 };
    int fds[MANY];
    open_pipe();
    for (int i = 0; i < MANY; i++) {
        fds[i] = dup(ends[0]);
        ASSERT_TRUE(fds[i] >= 0);
        ASSERT_ERR(hr_watch_add(fds[i], HR_READ, count_and_leave, &fds[i]), 0);
        ASSERT_ERR(hr_watch_add(fds[i], HR_WRITE, count, NULL), 0);
    }
    for (int i = 0; i < MANY; i++) {
        ASSERT_TRUE(hr_watch_remove(fds[i], HR_WRITE));
        ASSERT_FALSE(hr_watch_remove(fds[i], HR_WRITE));
    }
    for (int i = 0; i < MANY; i += 3)
        ASSERT_TRUE(hr_watch_remove(fds[i], HR_READ));
    for (int i = 0; i < MANY; i += 3)
        ASSERT_ERR(hr_watch_add(fds[i], HR_READ, count_and_leave, &fds[i]), 0);
    ASSERT_EQ(write(ends[1], "x", 1), 1);
    wait_for_calls(&calls, MANY); /* each once */
    for (int i = 0; i < MANY; i++) {
        ASSERT_FALSE(hr_watch_remove(fds[i], HR_READ));
        close(fds[i]);
    }
    close_pipe();
}

static int pair[2][2];

static void remove_the_other(void *arg)
{
    ++calls;
    hr_watch_remove(pair[0][0], HR_READ);
    hr_watch_remove(pair[1][0], HR_READ);
}

TEST_REAL(s11_16_removed_in_the_same_pass_it_is_not_called_any_more)
{
    calls = 0;
    for (int i = 0; i < 2; i++) {
        ASSERT_EQ(pipe(pair[i]), 0);
        ASSERT_EQ(write(pair[i][1], "x", 1), 1);
        ASSERT_ERR(hr_watch_add(pair[i][0], HR_READ, remove_the_other, NULL), 0);
    }
    ASSERT_ERR(hr_sleep(hr_ms(5)), 0);
    ASSERT_EQ(calls, 1); /* both were ready, the first removed both */
    for (int i = 0; i < 2; i++) {
        close(pair[i][0]);
        close(pair[i][1]);
    }
}

static int leave_a_watch(void *arg)
{
    return hr_watch_add(ends[0], HR_READ, count, &calls);
}

TEST_PLAIN(a_watch_that_is_left_goes_with_its_loop)
{
    open_pipe();
    ASSERT_EQ(write(ends[1], "x", 1), 1);
    ASSERT_ERR(hr_run(leave_a_watch, NULL), 0);
    ASSERT_ERR(hr_watch_add(ends[0], HR_READ, count, &calls), HR_ENOLOOP);
    close_pipe();
}

static void write_one(void *arg)
{
    ASSERT_EQ(write(ends[1], "x", 1), 1);
}

static void *complete_from_a_thread(void *future)
{
    usleep(2000); /* mostly the loop sleeps by then; it makes no difference */
    return (void *)(intptr_t)hr_call_soon_threadsafe(hr_future_loop(future), complete, future);
}

/* A bit of everything that a loop looks around for. */
static int look_around(void *arg)
{
    open_pipe();
    hr_usec start = hr_now();
    ASSERT_ERR(hr_sleep(hr_ms(2)), 0);
    ASSERT_TRUE(hr_now() - start >= hr_ms(2));

    ASSERT_ERR(hr_wait_fd(ends[1], HR_WRITE), HR_WRITE);
    ASSERT_TRUE(hr_call_later(hr_ms(1), write_one, NULL));
    ASSERT_ERR(hr_wait_fd(ends[0], HR_READ), HR_READ);
    ASSERT_ERR(hr_watch_add(ends[0], HR_READ, count, &calls), 0);
    ASSERT_ERR(hr_watch_add(ends[1], HR_WRITE, count_write, &other_calls), 0);
    wait_for_calls(&calls, 3);
    wait_for_calls(&other_calls, 1);

    pthread_t thread;
    void *r;
    hr_future *future = hr_future_new(NULL);
    ASSERT_EQ(pthread_create(&thread, NULL, complete_from_a_thread, future), 0);
    ASSERT_ERR(hr_join(future), 0);
    pthread_join(thread, &r);
    ASSERT_PTR(r, NULL);

    future = hr_future_new(NULL);
    ASSERT_ERR(hr_add_signal_handler(SIGUSR1, complete, future), 0);
    kill(getpid(), SIGUSR1);
    ASSERT_ERR(hr_join(future), 0);
    close_pipe();
    return 0;
}

TEST_PLAIN(s11_18_whichever_way_the_kernel_is_asked_the_loop_sees_the_same)
{
    static const char *const backends[] = {"epoll", "poll", "select"};
    for (size_t i = 0; i < HR_ARRAY_LEN(backends); i++) {
        hr_loop *loop = hr_loop_new(&(struct hr_loop_options){.backend = backends[i]});
        ASSERT_STR(event_base_get_method(hr_loop_event_base(loop)), backends[i]);
        struct hr_task_options options = {.loop = loop};
        hr_task *task = hr_create_task_with(&options, look_around, NULL);
        ASSERT_ERR(hr_loop_run_until_complete(loop, task), 0);
        hr_loop_free(loop);
    }
}

static int wait_for_high_number(void *arg)
{
    const char *backend = arg;
    open_pipe();
    int fd = fcntl(ends[0], F_DUPFD_CLOEXEC, FD_SETSIZE + 10);
    ASSERT_TRUE(fd > FD_SETSIZE);
    ASSERT_EQ(write(ends[1], "x", 1), 1);
    bool refused = strcmp(backend, "select") == 0;
    ASSERT_ERR(hr_wait_fd(fd, HR_READ), refused ? -EMFILE : HR_READ);
    ASSERT_ERR(hr_watch_add(fd, HR_READ, count, NULL), refused ? -EMFILE : 0);
    if (refused)
        ASSERT_TRUE(strstr(hr_last_error()->message, "below 1024"));
    (void)hr_watch_remove(fd, HR_READ);
    close(fd);
    close_pipe();
    return 0;
}

TEST_PLAIN(s11_18_a_descriptor_that_select_cannot_take_is_an_error_and_not_the_end)
{
    struct rlimit limit;
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit higher = {limit.rlim_max, limit.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &higher), 0);
    static const char *const backends[] = {"epoll", "poll", "select"};
    for (size_t i = 0; i < HR_ARRAY_LEN(backends); i++) {
        struct hr_loop_options options = {.backend = backends[i]};
        ASSERT_ERR(hr_run_with(&options, wait_for_high_number, (void *)backends[i]), 0);
    }
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static int yield_thrice(void *arg)
{
    int *steps = arg;
    for (*steps = 1; *steps < 4; ++*steps) {
        int r = hr_yield();
        if (r < 0)
            return r;
    }
    return 0;
}

static void from_libevent(evutil_socket_t fd, short events, void *arg)
{
    ++*(int *)arg;
}

TEST_PLAIN(s11_19_a_loop_can_be_driven_from_outside_and_lends_its_event_base)
{
    hr_loop *loop = hr_loop_new(NULL);
    int steps = 0, fired = 0;
    struct hr_task_options options = {.loop = loop};
    hr_task *task = hr_create_task_with(&options, yield_thrice, &steps);
    struct timeval at_once = {0, 0};
    ASSERT_EQ(
        event_base_once(hr_loop_event_base(loop), -1, EV_TIMEOUT, from_libevent, &fired, &at_once),
        0);
    for (int pass = 1; pass <= 4; pass++) {
        ASSERT_EQ(hr_future_done(task), false);
        hr_loop_stop(loop); /* before the run: one pass that does not block */
        ASSERT_ERR(hr_loop_run_forever(loop), 0);
        ASSERT_EQ(steps, pass);
    }
    ASSERT_TRUE(hr_future_done(task));
    ASSERT_EQ(fired, 1);
    hr_future_unref(task);
    hr_loop_free(loop);
}
