/* SPDX-License-Identifier: MIT */
/*
 * One queue, one lock, threads that are started on demand. A thread that is idle stays counted as
 * idle until it has taken a job, and the job as queued, so comparing the two tells whether another
 * thread is needed.
 */
#include "core/executor.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "core/executor_impl.h"

#define THREAD_NAME_MAX 16 /* the kernel's limit, NUL included */

struct hr_executor {
    atomic_uint refs; /* the owner's, one a thread, one a job */
    char name[THREAD_NAME_MAX];

    pthread_mutex_t lock;
    pthread_cond_t work; /* a job was queued, or the end has come */
    pthread_cond_t gone; /* the last thread has ended */
    struct hr_list jobs;
    size_t queued;
    unsigned idle, alive, started, maximum;
    bool stopping;
    pthread_t threads[]; /* those started */
};

hr_executor *hr_executor_new(const char *name, unsigned threads)
{
    if (threads == 0) {
        hr_fail(-EINVAL, "executor: needs at least one thread");
        return NULL;
    }
    hr_executor *executor = calloc(1, sizeof *executor + threads * sizeof executor->threads[0]);
    if (!executor) {
        hr_fail(-ENOMEM, "executor: out of memory");
        return NULL;
    }
    executor->refs = 1;
    executor->maximum = threads;
    snprintf(executor->name, sizeof executor->name, "%s", name ? name : "executor");
    pthread_mutex_init(&executor->lock, NULL);
    pthread_cond_init(&executor->work, NULL);
    pthread_cond_init(&executor->gone, NULL);
    hr_list_init(&executor->jobs);
    return executor;
}

hr_executor *hr__executor_ref(hr_executor *executor)
{
    executor->refs++;
    return executor;
}

void hr__executor_unref(hr_executor *executor)
{
    if (--executor->refs > 0)
        return;
    pthread_cond_destroy(&executor->gone);
    pthread_cond_destroy(&executor->work);
    pthread_mutex_destroy(&executor->lock);
    free(executor);
}

/* The oldest job, waiting for one; NULL when it is time to go. Called with the lock held. */
static struct hr__job *next_job(hr_executor *executor)
{
    while (executor->queued == 0) {
        if (executor->stopping)
            return NULL;
        executor->idle++;
        pthread_cond_wait(&executor->work, &executor->lock);
        executor->idle--;
    }
    struct hr__job *job = hr_list_entry(hr_list_pop(&executor->jobs), struct hr__job, link);
    job->queued = false;
    executor->queued--;
    return job;
}

static void *thread_main(void *arg)
{
    hr_executor *executor = arg;
    struct hr__job *job;

    pthread_setname_np(pthread_self(), executor->name);
    pthread_mutex_lock(&executor->lock);
    while ((job = next_job(executor))) {
        pthread_mutex_unlock(&executor->lock);
        job->run(job);
        pthread_mutex_lock(&executor->lock);
    }
    if (--executor->alive == 0)
        pthread_cond_broadcast(&executor->gone);
    pthread_mutex_unlock(&executor->lock);
    hr__executor_unref(executor);
    return NULL;
}

/* Starts one more thread; signals are for others to take. Called with the lock held. */
static int start_thread(hr_executor *executor)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&executor->threads[executor->started], NULL, thread_main, executor);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        return -r;

    hr__executor_ref(executor);
    executor->started++;
    executor->alive++;
    return 0;
}

int hr__executor_submit(hr_executor *executor, struct hr__job *job)
{
    int r = 0;

    pthread_mutex_lock(&executor->lock);
    if (executor->stopping)
        r = HR_ESHUTDOWN;
    else if (executor->queued >= executor->idle && executor->started < executor->maximum)
        r = start_thread(executor);
    if (r == 0 || (r != HR_ESHUTDOWN && executor->alive > 0)) {
        hr_list_append(&executor->jobs, &job->link);
        job->queued = true;
        executor->queued++;
        if (executor->idle > 0)
            pthread_cond_signal(&executor->work);
        r = 0;
    }
    pthread_mutex_unlock(&executor->lock);
    if (r == HR_ESHUTDOWN)
        return hr_fail(r, "executor %s: shut down", executor->name);
    return r < 0 ? hr_fail(r, "executor %s: no thread could be started", executor->name) : 0;
}

bool hr__executor_remove(hr_executor *executor, struct hr__job *job)
{
    pthread_mutex_lock(&executor->lock);
    bool queued = job->queued;
    if (queued) {
        hr_list_remove(&job->link);
        job->queued = false;
        executor->queued--;
    }
    pthread_mutex_unlock(&executor->lock);
    return queued;
}

/* Refuses new jobs; with drop, no job starts any more. */
static void stop(hr_executor *executor, bool drop)
{
    struct hr_list dropped;
    hr_list_init(&dropped);

    pthread_mutex_lock(&executor->lock);
    executor->stopping = true;
    if (drop) {
        hr_list_foreach (node, &executor->jobs)
            hr_list_entry(node, struct hr__job, link)->queued = false;
        hr_list_splice(&dropped, &executor->jobs);
        executor->queued = 0;
    }
    pthread_cond_broadcast(&executor->work);
    pthread_mutex_unlock(&executor->lock);

    for (struct hr_list *node; (node = hr_list_pop(&dropped));) {
        struct hr__job *job = hr_list_entry(node, struct hr__job, link);
        job->drop(job);
    }
}

/* Waits until no thread is alive. False when the limit passed. */
static bool wait_until_gone(hr_executor *executor, hr_usec limit)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    if (limit < HR_FOREVER) {
        hr_usec moment = until.tv_sec * INT64_C(1000000) + until.tv_nsec / 1000 + limit;
        until = (struct timespec){moment / 1000000, moment % 1000000 * 1000};
    }
    int r = 0;

    pthread_mutex_lock(&executor->lock);
    while (executor->alive > 0 && r == 0)
        r = limit == HR_FOREVER
                ? pthread_cond_wait(&executor->gone, &executor->lock)
                : pthread_cond_clockwait(&executor->gone, &executor->lock, CLOCK_MONOTONIC, &until);
    bool gone = executor->alive == 0;
    pthread_mutex_unlock(&executor->lock);
    return gone;
}

static bool shut_down(hr_executor *executor, bool drop, hr_usec limit)
{
    stop(executor, drop);
    bool gone = wait_until_gone(executor, limit);
    for (unsigned i = 0; i < executor->started; i++) {
        if (gone)
            pthread_join(executor->threads[i], NULL);
        else
            pthread_detach(executor->threads[i]);
    }
    hr__executor_unref(executor);
    return gone;
}

void hr_executor_shutdown(hr_executor *executor, int flags)
{
    stop(executor, flags & HR_SHUTDOWN_CANCEL);
    if (flags & HR_SHUTDOWN_WAIT)
        wait_until_gone(executor, HR_FOREVER);
}

bool hr__executor_close(hr_executor *executor, hr_usec limit)
{
    return shut_down(executor, true, limit);
}

void hr_executor_free(hr_executor *executor, bool cancel)
{
    if (executor)
        shut_down(executor, cancel, HR_FOREVER);
}

void hr_executor_freep(hr_executor **executor)
{
    hr_executor_free(*executor, false);
    *executor = NULL;
}
