/* SPDX-License-Identifier: MIT */
/*
 * Rows of the runtime with threads beside the loop, and the echo server.
 */
#include "tests/bench/runtime_outside.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- executors */

static int no_job(void *arg, void **ret_value)
{
    return 0;
}

void row_executor(void)
{
    hr_executor *one = hr_executor_new("bench", 1);
    for (uint64_t i = 0; i < bench_count; i++)
        must(hr_join(hr_run_in_executor(one, no_job, NULL, NULL)));
    hr_executor_free(one, false);
}

void row_executor_batch(void)
{
    hr_executor *four = hr_executor_new("bench", 4);
    void **args = calloc(bench_count, sizeof(*args));
    hr_future *all = args ? hr_executor_map_chunks(four, no_job, args, bench_count, 0, NULL) : NULL;
    must(hr_join(all));
    free(args);
    hr_executor_free(four, false);
}

void row_executor_futures(void)
{
    hr_executor *four = hr_executor_new("bench", 4);
    hr_auto(hr_futures_done) struct hr_futures all = {0};
    for (uint64_t i = 0; i < bench_count; i++)
        hr_futures_add(&all, hr_run_in_executor(four, no_job, NULL, NULL));
    if (hr_gather(&all, 0) < 0)
        bench_die("a job failed");
    hr_executor_free(four, false);
}

/* --- tasks that another thread hands over */

struct submitter {
    hr_loop *loop;
    hr_future *over;
    bool batch;
};

static int no_task(void *arg)
{
    return 0;
}

static void tell(void *arg)
{
    hr_future_set_status(arg, 0);
}

static void wait_for_it(hr_thread_future *future)
{
    if (hr_thread_future_wait(future, HR_FOREVER) < 0)
        bench_die("a submitted task failed");
    hr_thread_future_unref(future);
}

static void *submit_all(void *arg)
{
    struct submitter *s = arg;
    hr_thread_future **all = s->batch ? malloc(bench_count * sizeof(*all)) : NULL;
    for (uint64_t i = 0; i < bench_count; i++) {
        hr_thread_future *future = hr_submit(s->loop, NULL, no_task, NULL);
        if (all)
            all[i] = future;
        else
            wait_for_it(future);
    }
    for (uint64_t i = 0; all && i < bench_count; i++)
        wait_for_it(all[i]);
    free(all);
    hr_call_soon_threadsafe(s->loop, tell, s->over);
    return NULL;
}

static void submit(bool batch)
{
    struct submitter s = {hr_running_loop(), hr_future_new(NULL), batch};
    pthread_t thread;
    if (!s.over || pthread_create(&thread, NULL, submit_all, &s) != 0)
        bench_die("no thread");
    must(hr_join(s.over));
    pthread_join(thread, NULL);
}

void row_submit(void)
{
    submit(false);
}

void row_submit_batch(void)
{
    submit(true);
}

/* --- echo */

/* What is read in one go is sent in one go, mostly; so one buffer serves all connections. */
static char shared[256 * 1024];

static int send_rest(hr_io *io, int fd, const char *data, size_t len)
{
    char *rest = malloc(len);
    if (!rest)
        return -ENOMEM;
    memcpy(rest, data, len);
    int r = 0;
    for (size_t at = 0; at < len && r >= 0;) {
        ssize_t sent = send(fd, rest + at, len - at, MSG_NOSIGNAL);
        if (sent >= 0)
            at += (size_t)sent;
        else
            r = errno == EAGAIN ? hr_io_wait(io, HR_WRITE) : -errno;
    }
    free(rest);
    return r;
}

static int serve_one(void *arg)
{
    int fd = (int)(intptr_t)arg, r = 0, yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    hr_io *io = hr_io_new(fd);
    while (r >= 0) {
        r = hr_io_wait(io, HR_READ);
        ssize_t got = r < 0 ? 0 : recv(fd, shared, sizeof(shared), 0);
        if (got < 0 && errno == EAGAIN)
            continue;
        if (got <= 0)
            break;
        ssize_t sent = send(fd, shared, (size_t)got, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            break;
        size_t gone = sent < 0 ? 0 : (size_t)sent;
        if (gone < (size_t)got)
            r = send_rest(io, fd, shared + gone, (size_t)got - gone);
    }
    hr_io_free(io);
    close(fd);
    return 0;
}

int serve_echo(void *port)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in here = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)(uintptr_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(listener, (struct sockaddr *)&here, sizeof(here)) < 0 || listen(listener, 128) < 0)
        bench_die("cannot listen");
    hr_io *io = hr_io_new(listener);
    int r;
    while ((r = hr_io_wait(io, HR_READ)) >= 0) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            hr_spawn(NULL, serve_one, (void *)(intptr_t)fd);
    }
    hr_io_free(io);
    close(listener);
    return r;
}
