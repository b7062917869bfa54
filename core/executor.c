/* SPDX-License-Identifier: MIT */
/*
 * One queue, one lock, threads that are started on demand.
 *
 * A small job costs less than a lock that others want, and far less than waking a thread. So
 * whoever submits adds to the queue without the lock (core/job_queue.h), and takes it only when a
 * thread has to be called. One call is on its way at a time; a thread that was called calls the
 * next one if it leaves jobs behind when it takes its own, so that no job waits while a thread
 * sleeps. A thread without work looks around for a moment before it sleeps, one of them at a time.
 */
#include "core/executor.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/executor_impl.h"
#include "core/loop_impl.h"
#include "core/spin.h"
#include "core/thread.h"

#define THREAD_NAME_MAX 16 /* the kernel's limit, NUL included */

struct hr_executor {
    atomic_uint refs; /* the owner's, one a thread, one a job */
    char name[THREAD_NAME_MAX];
    unsigned forks;     /* hr__forks where it was made */
    atomic_bool wanted; /* who puts a job in has to call a thread */

    struct hr__jobs jobs;
    pthread_mutex_t lock;
    pthread_cond_t work; /* a job was queued, or the end has come */
    pthread_cond_t gone; /* the last thread has ended */
    unsigned alive, started, maximum;
    unsigned fresh;  /* started, and not at their first job yet */
    unsigned asleep; /* and not called */
    unsigned called; /* and not awake yet: 1 at most, but when the end has come */
    bool looking;    /* one of them is about to see what comes in */
    bool stopping;
    struct hr__spin spin; /* of the one that looks */
    hr_usec span;         /* for the next one */
    pthread_t threads[];  /* those started */
};

/* It is held for an instant only: whoever meets a holder looks again before he sleeps. */
static void init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t adaptive;
    pthread_mutexattr_init(&adaptive);
    pthread_mutexattr_settype(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(lock, &adaptive);
    pthread_mutexattr_destroy(&adaptive);
}

hr_executor *hr_executor_new(const char *name, unsigned threads)
{
    if (threads == 0) {
        hr_fail(-EINVAL, "executor: needs at least one thread");
        return NULL;
    }
    hr_executor *executor = NULL;
    size_t size = sizeof *executor + threads * sizeof executor->threads[0];
    if (posix_memalign((void **)&executor, alignof(hr_executor), size) != 0) {
        hr_fail(-ENOMEM, "executor: out of memory");
        return NULL;
    }
    memset(executor, 0, size);
    executor->refs = 1;
    executor->forks = hr__forks;
    executor->maximum = threads;
    executor->wanted = true;
    executor->span = hr__spin_span(0);
    snprintf(executor->name, sizeof executor->name, "%s", name ? name : "executor");
    init_lock(&executor->lock);
    pthread_cond_init(&executor->work, NULL);
    pthread_cond_init(&executor->gone, NULL);
    hr__jobs_init(&executor->jobs);
    return executor;
}

void hr_executor_set_spin(hr_executor *executor, hr_usec span)
{
    if (!hr__executor_here(executor))
        return;
    pthread_mutex_lock(&executor->lock);
    executor->span = hr__spin_span(span);
    pthread_mutex_unlock(&executor->lock);
}

bool hr__executor_here(const hr_executor *executor)
{
    return hr__is_here(executor->forks);
}

unsigned hr__executor_threads(const hr_executor *executor)
{
    return executor->maximum;
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

static void *thread_main(void *arg);

/* Starts one more thread. Called with the lock held. */
static int start_thread(hr_executor *executor)
{
    int r = hr__thread_start(&executor->threads[executor->started], thread_main, executor);
    if (r < 0)
        return r;

    hr__executor_ref(executor);
    executor->started++;
    executor->alive++;
    executor->fresh++;
    return 0;
}

/* The functions from here to next_job() are called with the lock held. */

static void say_what_is_wanted(hr_executor *executor)
{
    bool wanted = !executor->looking && executor->called == 0 &&
                  (executor->asleep > 0 || executor->started < executor->maximum);
    if (wanted != executor->wanted)
        executor->wanted = wanted;
}

/* Sees to it that a thread comes for what is queued. 1 when one has to be signalled, once the lock
 * is free; 0; or why none could be started. */
static int call_thread(hr_executor *executor)
{
    int r = 0;
    do {
        if (hr__jobs_incoming(&executor->jobs))
            hr__jobs_move(&executor->jobs, false);
        if (executor->jobs.count > executor->fresh && executor->called == 0 && !executor->looking) {
            if (executor->asleep > 0) {
                executor->asleep--;
                executor->called++;
                r = 1;
            } else if (executor->started < executor->maximum) {
                r = start_thread(executor);
            }
        }
        say_what_is_wanted(executor);
        /* Who came before that was said has called nobody. */
    } while (executor->wanted && hr__jobs_incoming(&executor->jobs));
    return r;
}

static bool something_came(void *arg)
{
    hr_executor *executor = arg;
    return hr__jobs_changed(&executor->jobs);
}

/* Looks whether a job comes at once; the lock is let go meanwhile. */
static bool look_around(hr_executor *executor)
{
    if (executor->looking)
        return false;
    executor->looking = true;
    executor->spin.span = executor->span;
    say_what_is_wanted(executor);
    pthread_mutex_unlock(&executor->lock);
    hr__spin(&executor->spin, something_came, executor);
    pthread_mutex_lock(&executor->lock);
    executor->looking = false;
    return something_came(executor);
}

static void sleep_until_called(hr_executor *executor)
{
    executor->asleep++;
    say_what_is_wanted(executor);
    if (executor->called == 0 && hr__jobs_incoming(&executor->jobs)) { /* before that was said */
        executor->asleep--;
        return;
    }
    while (executor->called == 0)
        pthread_cond_wait(&executor->work, &executor->lock);
    executor->called--;
}

/* The oldest job, waiting for one; NULL when it is time to go. *ret_call tells whether to signal
 * another thread. */
static struct hr__job *next_job(hr_executor *executor, bool *ret_call)
{
    for (;;) {
        if (hr__jobs_incoming(&executor->jobs))
            hr__jobs_move(&executor->jobs, false);
        if (executor->jobs.count > 0)
            break;
        if (executor->stopping)
            return NULL;
        if (!look_around(executor))
            sleep_until_called(executor);
    }
    struct hr__job *job = hr__jobs_take(&executor->jobs);
    *ret_call = call_thread(executor) > 0;
    return job;
}

static void *thread_main(void *arg)
{
    hr_executor *executor = arg;
    struct hr__job *job;
    bool call;

    pthread_setname_np(pthread_self(), executor->name);
    pthread_mutex_lock(&executor->lock);
    executor->fresh--;
    while ((job = next_job(executor, &call))) {
        pthread_mutex_unlock(&executor->lock);
        if (call)
            pthread_cond_signal(&executor->work);
        job->run(job);
        pthread_mutex_lock(&executor->lock);
    }
    if (--executor->alive == 0)
        pthread_cond_broadcast(&executor->gone);
    pthread_mutex_unlock(&executor->lock);
    hr__executor_unref(executor);
    return NULL;
}

int hr__executor_submit(hr_executor *executor, struct hr__job *job)
{
    if (!hr__executor_here(executor))
        return hr_fail(HR_ESHUTDOWN, "executor %s: its threads are in another process",
                       executor->name);
    if (!hr__jobs_add(&executor->jobs, job))
        return hr_fail(HR_ESHUTDOWN, "executor %s: shut down", executor->name);
    if (!executor->wanted)
        return 0;

    pthread_mutex_lock(&executor->lock);
    int r = call_thread(executor);
    if (r < 0 && executor->alive == 0 && job->queued)
        hr__jobs_remove(&executor->jobs, job);
    else if (r < 0)
        r = 0; /* a thread that is there will come to it */
    pthread_mutex_unlock(&executor->lock);
    if (r > 0)
        pthread_cond_signal(&executor->work);
    return r < 0 ? hr_fail(r, "executor %s: no thread could be started", executor->name) : 0;
}

bool hr__executor_remove(hr_executor *executor, struct hr__job *job)
{
    if (!hr__executor_here(executor))
        return false;
    pthread_mutex_lock(&executor->lock);
    if (hr__jobs_incoming(&executor->jobs))
        hr__jobs_move(&executor->jobs, false);
    bool queued = job->queued;
    if (queued)
        hr__jobs_remove(&executor->jobs, job);
    pthread_mutex_unlock(&executor->lock);
    return queued;
}

/* Refuses new jobs; with drop, no job starts any more. */
static void stop(hr_executor *executor, bool drop)
{
    struct hr_list dropped;
    hr_list_init(&dropped);

    pthread_mutex_lock(&executor->lock);
    if (!executor->stopping)
        hr__jobs_move(&executor->jobs, true);
    executor->stopping = true;
    if (drop) {
        hr__jobs_take_all(&executor->jobs, &dropped);
    } else { /* who put a job in just before may not have come to calling a thread */
        (void)call_thread(executor);
    }
    executor->called += executor->asleep;
    executor->asleep = 0;
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
        hr_usec now = until.tv_sec * INT64_C(1000000) + until.tv_nsec / 1000;
        hr_usec moment = hr_later(now, limit);
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
    if (!hr__executor_here(executor))
        return true;
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
    if (!hr__executor_here(executor))
        return;
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
