/* SPDX-License-Identifier: MIT */
/*
 * Who keeps the workers of a process pool: a thread that is their parent for as long as they live.
 *
 * It starts them when the pool's threads ask, and waits for their ends, so that a worker that dies
 * is reaped at once, whether it had a job or not. Workers ask the kernel to end with the thread
 * that started them, which is why no other thread does. A job's thread reads its worker's socket by
 * itself; when the worker has died the keeper hangs up for it, in case a process that the job had
 * started holds the other end.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/child_impl.h"
#include "core/clock.h"
#include "core/list.h"
#include "core/loop_impl.h"
#include "core/process_impl.h"
#include "core/thread.h"

#define PATIENCE hr_seconds(5) /* with workers that were asked to end */

struct kept {
    struct hr__worker worker;
    struct hr_list link; /* in the keeper's workers */
    struct hr_list idle; /* in its idle ones */
    hr_child *child;     /* NULL once it is over */
    bool lent;
    bool retired; /* its end is expected */
    struct hr_child_exit exit;
};

/* A thread that asks for a worker. */
struct request {
    struct hr_list link;
    struct kept *worker;
    bool over;
    int code;
    struct hr_error error;
};

struct hr__keeper {
    unsigned forks; /* hr__forks where it was made */
    char name[16];
    char title[32]; /* for messages: "process pool NAME" */
    pthread_t thread;
    int wake_fd;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a request is over, or a worker */
    struct hr_list workers, idle, requests;
    size_t count;        /* workers */
    struct pollfd *fds;  /* the thread's own; grown when a worker is started */
    struct kept **at_fd; /* whose end each of them tells */
    size_t room;
    bool stopping;
    bool patient;     /* with those that were asked to end */
    hr_usec patience; /* until then: who is left is killed */
    bool broken;
    char why[HR_ERROR_MESSAGE_MAX];
};

static void wake(hr__keeper *keeper)
{
    eventfd_write(keeper->wake_fd, 1);
}

/* --- starting --- */

static struct kept *start_worker(hr__keeper *keeper)
{
    struct kept *kept = calloc(1, sizeof(*kept));
    if (!kept) {
        hr_fail(-ENOMEM, "no memory for a worker");
        return NULL;
    }
    kept->child = hr__process_start(keeper->name, &kept->worker.socket);
    if (!kept->child) {
        free(kept);
        return NULL;
    }
    kept->worker.pid = hr_child_pid(kept->child);
    hr_list_init(&kept->idle);
    return kept;
}

/* Room to poll for one worker more. */
static int make_room(hr__keeper *keeper)
{
    size_t room = keeper->count + 2; /* that one, and the wake-up */
    if (room <= keeper->room)
        return 0;
    struct pollfd *fds = reallocarray(keeper->fds, room, sizeof(*fds));
    if (fds)
        keeper->fds = fds;
    struct kept **at_fd = reallocarray(keeper->at_fd, room, sizeof(*at_fd));
    if (at_fd)
        keeper->at_fd = at_fd;
    if (!fds || !at_fd)
        return hr_fail(-ENOMEM, "no memory for a worker");
    keeper->room = room;
    return 0;
}

/* Called with the lock held, which is let go while the program is loaded. */
static void answer_request(hr__keeper *keeper, struct request *request)
{
    pthread_mutex_unlock(&keeper->lock);
    struct kept *kept = make_room(keeper) == 0 ? start_worker(keeper) : NULL;
    pthread_mutex_lock(&keeper->lock);
    request->worker = kept;
    request->over = true;
    if (kept) {
        kept->lent = true;
        hr_list_append(&keeper->workers, &kept->link);
        keeper->count++;
        if (keeper->broken) /* by hr__keeper_kill(), which has not seen this one */
            hr_child_kill_group(kept->child, SIGKILL);
    } else {
        request->code = hr_last_error()->code;
        hr_error_copy(&request->error, hr_last_error());
    }
    pthread_cond_broadcast(&keeper->changed);
}

/* --- ends --- */

/* The first reason stays. Called with the lock held. */
static void break_pool(hr__keeper *keeper, const char *fmt, ...) hr_printf_like(2, 3);
static void break_pool(hr__keeper *keeper, const char *fmt, ...)
{
    va_list args;
    if (keeper->broken)
        return;
    keeper->broken = true;
    va_start(args, fmt);
    vsnprintf(keeper->why, sizeof(keeper->why), fmt, args);
    va_end(args);
}

/* Called with the lock held; nobody uses it any more. */
static void forget(hr__keeper *keeper, struct kept *kept)
{
    hr_list_remove(&kept->idle);
    close(kept->worker.socket);
    free(kept);
}

/* Called with the lock held. */
static void see_end(hr__keeper *keeper, struct kept *kept)
{
    char text[64];
    int r = hr_child_wait_blocking(kept->child, 0, &kept->exit);
    if (r == -ETIMEDOUT)
        return;
    kept->child = hr_child_free(kept->child);
    hr_list_remove(&kept->link);
    keeper->count--;
    if (!kept->retired)
        break_pool(keeper, "%s: worker %d %s%s", keeper->title, (int)kept->worker.pid,
                   r < 0 ? "is gone" : hr_child_exit_text(&kept->exit, text, sizeof(text)),
                   kept->worker.greeted ? "" : " before it was ready");
    if (kept->lent)
        shutdown(kept->worker.socket, SHUT_RDWR); /* its job's thread will see */
    else
        forget(keeper, kept);
    pthread_cond_broadcast(&keeper->changed);
}

static void kill_all(hr__keeper *keeper)
{
    hr_list_foreach (node, &keeper->workers)
        hr_child_kill_group(hr_list_entry(node, struct kept, link)->child, SIGKILL);
}

/* --- the thread --- */

/* Called with the lock held, which is let go while nothing happens. */
static void wait_for_something(hr__keeper *keeper)
{
    struct hr_clock *clock = hr_clock_monotonic();
    size_t n = 0;
    keeper->fds[n++] = (struct pollfd){.fd = keeper->wake_fd, .events = POLLIN};
    hr_list_foreach (node, &keeper->workers) {
        struct kept *kept = hr_list_entry(node, struct kept, link);
        keeper->at_fd[n] = kept;
        keeper->fds[n++] = (struct pollfd){.fd = hr__child_end_fd(kept->child), .events = POLLIN};
    }
    hr_usec left = keeper->patience - clock->now(clock);
    int ms = !keeper->patient ? -1 : left > 0 ? (int)(left / 1000) + 1 : 0;
    pthread_mutex_unlock(&keeper->lock);
    poll(keeper->fds, n, ms);
    pthread_mutex_lock(&keeper->lock);
    eventfd_t count;
    if (keeper->fds[0].revents)
        eventfd_read(keeper->wake_fd, &count);
    for (size_t i = 1; i < n; i++) {
        if (keeper->fds[i].revents)
            see_end(keeper, keeper->at_fd[i]);
    }
    if (keeper->patient && clock->now(clock) >= keeper->patience) {
        keeper->patient = false;
        kill_all(keeper);
    }
}

static void *keep(void *arg)
{
    hr__keeper *keeper = arg;
    pthread_setname_np(pthread_self(), keeper->name);
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->stopping || keeper->count > 0) {
        struct hr_list *node;
        while ((node = hr_list_pop(&keeper->requests)))
            answer_request(keeper, hr_list_entry(node, struct request, link));
        wait_for_something(keeper);
    }
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

static int start_thread(hr__keeper *keeper)
{
    int r = hr__thread_start(&keeper->thread, keep, keeper);
    return r < 0 ? hr_fail(r, "no thread to keep workers: %s", hr_error_text(r)) : 0;
}

static void keeper_free(hr__keeper *keeper)
{
    if (keeper->wake_fd >= 0)
        close(keeper->wake_fd);
    pthread_cond_destroy(&keeper->changed);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper->fds);
    free(keeper->at_fd);
    free(keeper);
}

hr__keeper *hr__keeper_new(const char *name)
{
    hr__keeper *keeper = calloc(1, sizeof(*keeper));
    if (!keeper) {
        hr_fail(-ENOMEM, "no memory for a process pool");
        return NULL;
    }
    keeper->forks = hr__forks;
    snprintf(keeper->name, sizeof(keeper->name), "%s", name ? name : "pool");
    snprintf(keeper->title, sizeof(keeper->title), "process pool%s%s", name ? " " : "",
             name ? keeper->name : "");
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_cond_init(&keeper->changed, NULL);
    hr_list_init(&keeper->workers);
    hr_list_init(&keeper->idle);
    hr_list_init(&keeper->requests);
    keeper->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (keeper->wake_fd < 0)
        hr_fail(-errno, "no descriptor for a process pool: %s", hr_error_text(-errno));
    else if (make_room(keeper) == 0 && start_thread(keeper) == 0)
        return keeper;
    keeper_free(keeper);
    return NULL;
}

void hr__keeper_free(hr__keeper *keeper)
{
    struct hr_clock *clock = hr_clock_monotonic();
    if (!hr__is_here(keeper->forks))
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->stopping = keeper->patient = true;
    keeper->patience = clock->now(clock) + PATIENCE;
    hr_list_foreach (node, &keeper->workers) {
        struct kept *kept = hr_list_entry(node, struct kept, link);
        kept->retired = true;
        shutdown(kept->worker.socket, SHUT_WR);
    }
    wake(keeper);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    keeper_free(keeper);
}

/* --- lending --- */

static int broken(hr__keeper *keeper)
{
    return hr_fail(HR_EBROKEN, "%s", keeper->why);
}

int hr__keeper_check(hr__keeper *keeper)
{
    if (!hr__is_here(keeper->forks))
        return hr_fail(HR_ESHUTDOWN, "%s: its workers are another process's", keeper->title);
    pthread_mutex_lock(&keeper->lock);
    int r = keeper->broken ? broken(keeper) : 0;
    pthread_mutex_unlock(&keeper->lock);
    return r;
}

/* Called with the lock held. */
static int ask_for_one(hr__keeper *keeper, struct hr__worker **ret)
{
    struct request request = {0};
    hr_list_append(&keeper->requests, &request.link);
    wake(keeper);
    while (!request.over)
        pthread_cond_wait(&keeper->changed, &keeper->lock);
    if (request.worker) {
        *ret = &request.worker->worker;
        return 0;
    }
    int r = hr_error_raise(&request.error);
    hr_error_done(&request.error);
    return r;
}

int hr__keeper_lend(hr__keeper *keeper, struct hr__worker **ret)
{
    int r = 0;
    pthread_mutex_lock(&keeper->lock);
    if (keeper->broken) {
        r = broken(keeper);
    } else if (!hr_list_empty(&keeper->idle)) {
        struct kept *kept = hr_list_entry(hr_list_pop(&keeper->idle), struct kept, idle);
        kept->lent = true;
        *ret = &kept->worker;
    } else {
        r = ask_for_one(keeper, ret);
    }
    pthread_mutex_unlock(&keeper->lock);
    return r;
}

void hr__keeper_return(hr__keeper *keeper, struct hr__worker *worker, bool retire)
{
    struct kept *kept = hr_container_of(worker, struct kept, worker);
    pthread_mutex_lock(&keeper->lock);
    kept->lent = false;
    if (retire) {
        kept->retired = true;
        shutdown(worker->socket, SHUT_WR);
    }
    if (!kept->child)
        forget(keeper, kept);
    else if (!retire)
        hr_list_prepend(&keeper->idle, &kept->idle);
    pthread_mutex_unlock(&keeper->lock);
}

int hr__keeper_return_dead(hr__keeper *keeper, struct hr__worker *worker, int code)
{
    struct kept *kept = hr_container_of(worker, struct kept, worker);
    char text[64];
    pthread_mutex_lock(&keeper->lock);
    if (code != -EPIPE)
        break_pool(keeper, "%s: worker %d does not talk as this program does: %s", keeper->title,
                   (int)worker->pid, hr_error_text(code));
    if (kept->child)
        hr_child_kill_group(kept->child, SIGKILL);
    while (kept->child)
        pthread_cond_wait(&keeper->changed, &keeper->lock);
    bool sent = worker->greeted; /* its job may have been done; those that waited have not */
    int r = code != -EPIPE ? hr_fail_native(HR_EBROKEN, 0, NULL, NULL, sent, "%s", keeper->why)
                           : hr_fail_native(HR_EBROKEN, 0, NULL, NULL, sent, "%s: worker %d %s%s",
                                            keeper->title, (int)worker->pid,
                                            hr_child_exit_text(&kept->exit, text, sizeof(text)),
                                            sent ? " at its job" : " before it was ready");
    forget(keeper, kept);
    pthread_mutex_unlock(&keeper->lock);
    return r;
}

void hr__keeper_kill(hr__keeper *keeper)
{
    if (!hr__is_here(keeper->forks))
        return;
    pthread_mutex_lock(&keeper->lock);
    break_pool(keeper, "%s: killed", keeper->title);
    kill_all(keeper);
    pthread_mutex_unlock(&keeper->lock);
}
