/* SPDX-License-Identifier: MIT */
/*
 * How it works: the descriptor that tells of the end (child_end.c) is watched from the start, so a
 * child is reaped when it ends, whether or not somebody waits; what is left of its group is killed
 * just before, while the zombie still keeps the group's number. A child that is freed alive is
 * killed and stays with its loop until its end has come.
 */
#include "core/child.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/child_impl.h"
#include "core/fork.h"
#include "core/park.h"
#include "core/timeout.h"

struct hr_child {
    unsigned refs;       /* its owner's, which goes with its end, and those of calls that stop it */
    hr_loop *loop;       /* that watches it; NULL: none */
    struct hr_list link; /* in the loop's list */
    struct event *event;
    struct hr_list waiters;
    struct hr__child_end end;
    int pipes[3];
    enum hr_child_group group;
    bool end_group;
    bool over;
    unsigned forks; /* hr__forks where it was made */
    bool freed;     /* by its owner: it goes with its end */
    int code;       /* once over: 0, or -ECHILD */
    struct hr_child_exit exit;
};

/* A task that waits. It may run only after the child was freed. */
struct waiting {
    struct hr__waiter waiter;
    struct hr_child_exit exit;
};

static void unwatch(hr_child *child)
{
    if (!child->loop)
        return;
    hr_loop_event_free(child->loop, child->event);
    hr_list_remove(&child->link);
    child->loop->watches--;
    child->loop = NULL;
}

static void unref(hr_child *child)
{
    if (--child->refs == 0)
        free(child);
}

static void destroy(hr_child *child)
{
    unwatch(child);
    hr__child_end_close(&child->end);
    for (int i = 0; i < 3; i++) {
        if (child->pipes[i] >= 0)
            close(child->pipes[i]);
    }
    unref(child);
}

static void wake_waiters(hr_child *child, int result);

/* In a forked child it is over: it is its parent's, and nobody's here. */
static bool is_over(hr_child *child)
{
    if (child->over || hr__is_here(child->forks))
        return child->over;
    child->over = true;
    child->code = -ECHILD;
    unwatch(child);
    hr__child_end_leave(&child->end);
    wake_waiters(child, child->code);
    return true;
}

static int kill_group(const hr_child *child, int signal)
{
    if (child->group == HR_CHILD_SAME_GROUP)
        return hr__child_end_signal(&child->end, signal);
    return kill(-child->end.pid, signal) < 0 ? -errno : 0;
}

/* With those of its group, also when it has left that. */
static void kill_all(const hr_child *child)
{
    kill_group(child, SIGKILL);
    hr__child_end_signal(&child->end, SIGKILL);
}

/* Takes the end that has come, if it has. */
static bool reap(hr_child *child)
{
    if (child->end_group && child->group != HR_CHILD_SAME_GROUP)
        kill_group(child, SIGKILL);
    child->code = hr__child_end_reap(&child->end, &child->exit);
    if (child->code == -EAGAIN)
        return false;
    child->over = true;
    unwatch(child);
    hr__child_end_close(&child->end);
    return true;
}

static void wake_waiters(hr_child *child, int result)
{
    while (!hr_list_empty(&child->waiters)) {
        struct waiting *waiting = hr_list_entry(child->waiters.next, struct waiting, waiter.link);
        waiting->exit = child->exit;
        hr__wake(&waiting->waiter, result);
    }
}

static void ended(evutil_socket_t fd, short events, void *arg)
{
    hr_child *child = arg;
    if (!reap(child))
        return;
    wake_waiters(child, child->code);
    if (child->freed)
        destroy(child);
}

/* The loop is closing: its tasks are over, and who was freed is as good as dead. */
static void close_all(hr_loop *loop)
{
    while (!hr_list_empty(&loop->children)) {
        hr_child *child = hr_list_entry(loop->children.next, hr_child, link);
        unwatch(child);
        if (!child->freed)
            continue;
        if (!is_over(child)) {
            hr__child_end_poll(&child->end, HR_FOREVER);
            reap(child);
        }
        destroy(child);
    }
}

void hr__children_forked(hr_loop *loop)
{
    hr_list_foreach_safe (node, &loop->children) {
        hr_child *child = hr_list_entry(node, hr_child, link);
        if (is_over(child) && child->freed)
            destroy(child);
    }
}

static int watch(hr_child *child, hr_loop *loop)
{
    int r = hr__poll_own(loop);
    if (r < 0)
        return r;
    child->event = event_new(loop->base, child->end.fd, EV_READ | EV_PERSIST, ended, child);
    if (!child->event)
        return hr_fail(-ENOMEM, "no memory to watch a child");
    r = hr_loop_event_add(loop, child->event);
    if (r < 0) {
        event_free(child->event);
        return r;
    }
    child->loop = loop;
    hr_list_append(&loop->children, &child->link);
    loop->close_children = close_all;
    loop->watches++;
    return 0;
}

/* A process whose end cannot be watched must not stay. */
static void put_down(pid_t pid)
{
    siginfo_t info;
    kill(pid, SIGKILL);
    while (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 && errno == EINTR)
        ;
}

static int begin(hr_child *child, const struct hr_child_options *options)
{
    pid_t pid;
    int r = hr__child_start(options, child->pipes, &pid);
    if (r < 0)
        return r;
    r = hr__child_end_open(&child->end, pid);
    if (r == -ECHILD) {
        child->over = true;
        child->code = r;
        return 0;
    }
    if (r < 0) {
        put_down(pid);
        return hr_fail(r, "the end of a child cannot be watched: %s", hr_error_text(r));
    }
    return hr__loop_running ? watch(child, hr__loop_running) : 0;
}

hr_child *hr_child_spawn(const struct hr_child_options *options)
{
    static const struct hr_child_options defaults;
    options = options ? options : &defaults; /* they have no argv, and that is said */
    hr_child *child = malloc(sizeof(*child));
    if (!child) {
        hr_fail(-ENOMEM, "no memory for a child");
        return NULL;
    }
    *child = (hr_child){
        .refs = 1,
        .end.fd = -1,
        .pipes = {-1, -1, -1},
        .forks = hr__forks,
        .group = options->group,
        .end_group = options->end_group,
    };
    hr_list_init(&child->link);
    hr_list_init(&child->waiters);
    if (begin(child, options) == 0)
        return child;
    if (child->end.fd >= 0) {
        kill_all(child);
        hr__child_end_poll(&child->end, HR_FOREVER);
        reap(child);
    }
    destroy(child);
    return NULL;
}

hr_child *hr_child_free(hr_child *child)
{
    if (!child)
        return NULL;
    child->freed = true;
    wake_waiters(child, HR_ECLOSED);
    if (is_over(child)) {
        destroy(child);
        return NULL;
    }
    kill_all(child);
    for (int i = 0; i < 3; i++) {
        if (child->pipes[i] >= 0)
            close(hr_child_take_pipe(child, i));
    }
    if (child->loop)
        return NULL;
    hr__child_end_poll(&child->end, HR_FOREVER);
    reap(child);
    destroy(child);
    return NULL;
}

void hr_child_freep(hr_child **child)
{
    *child = hr_child_free(*child);
}

int hr__child_end_fd(const hr_child *child)
{
    return child->end.fd;
}

pid_t hr_child_pid(const hr_child *child)
{
    return child->end.pid;
}

int hr_child_get_pipe(const hr_child *child, int stream)
{
    return stream >= 0 && stream < 3 ? child->pipes[stream] : -1;
}

int hr_child_take_pipe(hr_child *child, int stream)
{
    int fd = hr_child_get_pipe(child, stream);
    if (fd >= 0)
        child->pipes[stream] = -1;
    return fd;
}

const char *hr_child_exit_text(const struct hr_child_exit *end, char *text, size_t size)
{
    if (end->signal == 0)
        snprintf(text, size, "exited with %d", end->status);
    else
        snprintf(text, size, "died of signal %d (%s)%s", end->signal, strsignal(end->signal),
                 end->core ? ", core dumped" : "");
    return text;
}

static int outcome(int code, const struct hr_child_exit *exit, struct hr_child_exit *ret)
{
    if (code == -ECHILD)
        return hr_fail(code, "a child is over, and its status was taken by somebody else, "
                             "or it is the parent's");
    if (code == HR_ECLOSED)
        return hr_fail(code, "the child was freed meanwhile");
    if (code == 0 && ret)
        *ret = *exit;
    return code;
}

/* Apart, since a compiler that sees both this and the wait, but not who unlinks the record
 * meanwhile, warns that it stays behind. */
static __attribute__((noinline)) void stand_in_line(hr_child *child, struct waiting *waiting)
{
    hr_list_append(&child->waiters, &waiting->waiter.link);
}

int hr_child_wait(hr_child *child, struct hr_child_exit *ret)
{
    struct waiting waiting = {0};
    if (!child)
        return hr_fail(-EINVAL, "no child to wait for");
    int r = hr__waiter_init(&waiting.waiter);
    if (r < 0)
        return r;
    if (is_over(child))
        return outcome(child->code, &child->exit, ret);
    hr_loop *loop = waiting.waiter.task->loop;
    if (!child->loop)
        r = watch(child, loop);
    else if (child->loop != loop)
        r = hr_fail(HR_EWRONGLOOP, "the child belongs to another loop");
    if (r < 0)
        return r;
    stand_in_line(child, &waiting);
    return outcome(hr__park(&waiting.waiter, "the end of a process"), &waiting.exit, ret);
}

int hr_child_wait_blocking(hr_child *child, hr_usec limit, struct hr_child_exit *ret)
{
    if (!is_over(child) && (!hr__child_end_poll(&child->end, limit) || !reap(child)))
        return hr_fail(-ETIMEDOUT, "process %d is not over yet", (int)child->end.pid);
    wake_waiters(child, child->code);
    return outcome(child->code, &child->exit, ret);
}

bool hr_child_over(const hr_child *child)
{
    return child->over || !hr__is_here(child->forks);
}

static int sent(const hr_child *child, int signal, int r)
{
    return r == 0 ? 0
                  : hr_fail(r, "signal %d cannot be sent to process %d: %s", signal,
                            (int)child->end.pid, hr_error_text(r));
}

int hr_child_kill(hr_child *child, int signal)
{
    if (!child)
        return hr_fail(-EINVAL, "no child to signal");
    return sent(child, signal, is_over(child) ? -ESRCH : hr__child_end_signal(&child->end, signal));
}

int hr_child_kill_group(hr_child *child, int signal)
{
    if (!child)
        return hr_fail(-EINVAL, "no child to signal");
    return sent(child, signal, is_over(child) ? -ESRCH : kill_group(child, signal));
}

static int stop(hr_child *child, hr_usec grace, struct hr_child_exit *ret)
{
    struct hr_timeout limit = {0};
    if (!is_over(child))
        kill_group(child, SIGTERM);
    int r = hr_timeout_enter(&limit, grace);
    if (r < 0)
        return r;
    r = hr_timeout_leave(&limit, hr_child_wait(child, ret));
    if ((r != -ETIMEDOUT && r != -ECANCELED) || child->freed)
        return r == -ETIMEDOUT ? outcome(HR_ECLOSED, NULL, NULL) : r;
    if (!is_over(child))
        kill_all(child);
    return r == -ETIMEDOUT ? hr_child_wait(child, ret) : r;
}

int hr_child_stop(hr_child *child, hr_usec grace, struct hr_child_exit *ret)
{
    if (!child)
        return hr_fail(-EINVAL, "no child to end");
    child->refs++; /* it may be freed in the instant in which the wait ends for another reason */
    int r = stop(child, grace, ret);
    unref(child);
    return r;
}
