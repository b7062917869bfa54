/* SPDX-License-Identifier: MIT */
/*
 * run_in_executor: a future of the loop for a job of an executor.
 *
 * Threads know the job, the loop's thread knows the job's future; what connects them is the loop's
 * port. A finished job is put down there without a lock, and the first one since the port was last
 * emptied calls the loop, so that a batch of completions costs one wake-up. Whoever submits a lot
 * empties the port himself now and then: the jobs that are over make room for those to come. The
 * port outlives the loop as long as there are jobs: a thread that finds it closed destroys what it
 * brings.
 */
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "core/error_impl.h"
#include "core/executor_impl.h"
#include "core/fork.h"
#include "core/local_impl.h"
#include "core/park.h"

#define POOL_PATIENCE hr_seconds(10)
#define POOL_MAX      32
#define EMPTY_EVERY   64   /* submissions */
#define SPARES_MAX    1024 /* beside as many as are out */
#define CACHE_LINE    64

struct hr__port {
    /* The loop's thread only. */
    unsigned forks;            /* hr__forks where it was made */
    hr_executor *pool;         /* the default one; NULL before its first use */
    struct hr_list waited_for; /* jobs whose future may be completed */
    unsigned submitted;
    struct job *spare; /* for jobs to come, each with its reference to the port */
    size_t spares;

    atomic_uint refs;   /* the loop's, one a job, one a call on its way */
    atomic_bool called; /* the loop will come and look */
    struct hr__ready call;
    pthread_mutex_t lock; /* between that call and the end of the loop */
    hr_loop *loop;        /* NULL: closed */

    alignas(CACHE_LINE) _Atomic(struct job *) done; /* newest first; closed_mark at the end */
};

/* In the order of who touches it: what both threads do not need stands at the end. */
struct job {
    struct hr__job base;
    hr_job_fn *fn;
    void *arg;
    struct hr__locals *locals; /* a reference */

    struct hr__port *port;
    struct job *next;  /* at the port */
    atomic_bool begun; /* by a thread, which may be at it still */
    int status;
    void *value;
    struct hr_error *error; /* on the heap; NULL with a code < 0: memory was out */
    hr_executor *executor;  /* a reference */
    hr_free_fn *free_arg, *free_value;

    /* The loop's thread only. */
    hr_future *future; /* a reference; NULL once nobody waits */
    struct hr__watch watch;
    struct hr_list link; /* in waited_for */
};

static struct job closed_mark;

static void port_unref(struct hr__port *port)
{
    if (--port->refs > 0)
        return;
    pthread_mutex_destroy(&port->lock);
    free(port);
}

/* What belongs to a job, its memory and the port excepted. */
static void job_release(struct job *job)
{
    if (!job->begun && job->free_arg)
        job->free_arg(job->arg);
    if (job->value && job->free_value)
        job->free_value(job->value);
    hr__error_free(job->error);
    hr__locals_unref(job->locals);
    hr__executor_unref(job->executor);
}

static void job_destroy(struct job *job)
{
    port_unref(job->port);
    free(job);
}

static void job_free(struct job *job)
{
    job_release(job);
    job_destroy(job);
}

/* As job_free(), in the loop's thread. Who submits a lot may need as many as he ever had out, so
 * what is too much goes later. */
static void job_spare(struct hr__port *port, struct job *job)
{
    job_release(job);
    job->next = port->spare;
    port->spare = job;
    port->spares++;
}

static struct job *spare_take(struct hr__port *port)
{
    struct job *job = port->spare;
    if (job) {
        port->spare = job->next;
        port->spares--;
    }
    return job;
}

static void spares_trim(struct hr__port *port, size_t most)
{
    while (port->spares > most)
        job_destroy(spare_take(port));
}

static struct job *job_new(struct hr__port *port)
{
    struct job *job = spare_take(port);
    if (job)
        return job;
    job = malloc(sizeof *job);
    if (job) {
        job->port = port;
        port->refs++;
    }
    return job;
}

/* Nobody waits for the job's outcome any more. */
static void job_forget(struct job *job)
{
    hr_list_remove(&job->watch.link);
    hr_list_remove(&job->link);
    job->port->loop->jobs--;
    job->future = hr_future_unref(job->future);
}

static void job_complete(struct job *job)
{
    hr_future *future = hr_future_ref(job->future);

    job_forget(job);
    if (job->status == -ECANCELED) {
        hr__future_finish_cancelled(future);
    } else {
        future->error = hr_take(job->error);
        future->value = hr_take(job->value);
        future->free_value = job->free_value;
        hr__future_finish(future, job->status);
    }
    hr_future_unref(future);
}

/* What is done, the oldest first; leave takes its place. */
static struct job *port_take(struct hr__port *port, struct job *leave)
{
    struct job *ordered = NULL, *newest = atomic_exchange(&port->done, leave);
    while (newest) {
        struct job *next = newest->next;
        newest->next = ordered;
        ordered = newest;
        newest = next;
    }
    return ordered;
}

static void port_empty(struct hr__port *port)
{
    struct job *next;
    for (struct job *job = port_take(port, NULL); job; job = next) {
        next = job->next;
        if (job->future)
            job_complete(job);
        job_spare(port, job);
    }
}

/* The loop has come. Who brings something after this mark is taken back calls it anew. */
static void port_called(struct hr__ready *entry, bool drop)
{
    struct hr__port *port = hr_container_of(entry, struct hr__port, call);
    atomic_store(&port->called, false);
    if (!drop) {
        port_empty(port);
        spares_trim(port, SPARES_MAX + port->loop->jobs);
    }
    port_unref(port);
}

static void port_call(struct hr__port *port)
{
    if (atomic_exchange(&port->called, true))
        return;
    port->refs++;
    pthread_mutex_lock(&port->lock);
    bool posted = port->loop && hr__inbox_post(port->loop, &port->call) == 0;
    pthread_mutex_unlock(&port->lock);
    if (!posted)
        port_unref(port);
}

/* Puts a job down at its loop's port; in any thread. Who finds nothing there calls the loop, and
 * keeps the port until he has: by then his job may be gone. */
static void job_deliver(struct job *job)
{
    struct hr__port *port = job->port;
    struct job *newest = atomic_load(&port->done);
    bool kept = false;

    do {
        if (newest == &closed_mark)
            break;
        if (!newest && !kept) {
            port->refs++;
            kept = true;
        }
        job->next = newest;
    } while (!atomic_compare_exchange_weak(&port->done, &newest, job));
    if (newest == &closed_mark)
        job_free(job);
    else if (!newest)
        port_call(port);
    if (kept)
        port_unref(port);
}

static void job_run(struct hr__job *base)
{
    struct job *job = hr_container_of(base, struct job, base);

    if (hr_last_error()->code != 0) /* of the job before */
        hr_error_raise(&(struct hr_error){0});
    atomic_store_explicit(&job->begun, true, memory_order_release);
    hr__locals_of_job = job->locals;
    job->status = job->fn(job->arg, &job->value);
    hr__locals_of_job = NULL;
    if (job->status < 0) {
        if (hr_last_error()->code != job->status)
            hr_fail_at(NULL, job->status, "%s", hr_error_text(job->status));
        job->error = hr__error_dup(hr_last_error());
    }
    job_deliver(job);
}

static void job_dropped(struct hr__job *base)
{
    struct job *job = hr_container_of(base, struct job, base);

    job->status = HR_ESHUTDOWN;
    job->error = hr__error_dup(&(struct hr_error){
        .code = HR_ESHUTDOWN,
        .message = "the executor was shut down before the job started",
    });
    job_deliver(job);
}

/* The future was cancelled, or completed by somebody else. */
static void future_over(struct hr__watch *watch)
{
    struct job *job = hr_container_of(watch, struct job, watch);

    job_forget(job);
    if (hr__executor_remove(job->executor, &job->base))
        job_free(job);
}

bool hr__job_begun(const hr_future *future)
{
    hr_list_foreach (node, &future->watches) {
        struct hr__watch *watch = hr_list_entry(node, struct hr__watch, link);
        if (watch->done == future_over)
            return hr_container_of(watch, struct job, watch)->begun;
    }
    return false;
}

/* Threads of the parent may have been at the lock and at the jobs, so these stay as they are. Who
 * waits for one is told. */
void hr__port_forked(hr_loop *loop)
{
    struct hr__port *port = loop->port;
    if (!port || hr__is_here(port->forks))
        return;
    hr_list_foreach_safe (at, &port->waited_for) {
        struct job *job = hr_list_entry(at, struct job, link);
        hr_future *future = hr_future_ref(job->future);
        job_forget(job);
        hr_future_set_error(future, HR_ESHUTDOWN, "the executor's threads are in another process");
        future->error_seen = true; /* who does not wait for it need not hear of it */
        hr_future_unref(future);
    }
}

/* The loop is closing: no task is left, so nobody can wait for what still comes. */
static void port_close(struct hr__port *port)
{
    bool here = hr__is_here(port->forks);
    hr_usec limit = port->loop->shutdown_limit ? port->loop->shutdown_limit : POOL_PATIENCE;
    if (here && port->pool && !hr__executor_close(port->pool, limit))
        hr__report(port->loop, "default executor: a job still runs; leaving it behind", NULL, "");

    hr_list_foreach_safe (at, &port->waited_for) {
        struct job *job = hr_list_entry(at, struct job, link);
        job_forget(job);
        if (hr__executor_remove(job->executor, &job->base))
            job_free(job);
    }
    if (!here)
        return;
    pthread_mutex_lock(&port->lock);
    port->loop = NULL;
    pthread_mutex_unlock(&port->lock);

    struct job *next;
    for (struct job *job = port_take(port, &closed_mark); job; job = next) {
        next = job->next;
        job_free(job);
    }
    spares_trim(port, 0);
    port_unref(port);
}

bool hr__loop_has_jobs(const hr_loop *loop)
{
    return loop->port && !hr_list_empty(&loop->port->waited_for);
}

static struct hr__port *port_of(hr_loop *loop)
{
    if (loop->port && hr__is_here(loop->port->forks))
        return loop->port;
    struct hr__port *port = NULL;
    if (posix_memalign((void **)&port, CACHE_LINE, sizeof *port) != 0) {
        hr_fail(-ENOMEM, "executor: out of memory");
        return NULL;
    }
    memset(port, 0, sizeof *port);
    port->refs = 1;
    port->forks = hr__forks;
    port->loop = loop;
    pthread_mutex_init(&port->lock, NULL);
    hr_list_init(&port->waited_for);
    port->call.run = port_called;
    hr__port_forked(loop);
    loop->close_port = port_close;
    return loop->port = port;
}

static hr_executor *default_pool(struct hr__port *port)
{
    if (!port->pool) {
        cpu_set_t cores;
        int n = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
        port->pool = hr_executor_new("pool", n + 4 < POOL_MAX ? (unsigned)n + 4 : POOL_MAX);
    }
    return port->pool;
}

static hr_future *offload(struct hr__port *port, const struct hr_job_options *options,
                          hr_job_fn *fn, void *arg)
{
    hr_executor *executor = options->executor ? options->executor : default_pool(port);
    if (!executor)
        return NULL;
    if (++port->submitted % EMPTY_EVERY == 0 && atomic_load(&port->done))
        port_empty(port);
    struct job *job = job_new(port);
    if (!job) {
        hr_fail(-ENOMEM, "executor: no memory for a job");
        return NULL;
    }
    hr_future *future = hr_future_new(port->loop);
    if (!future) {
        job_destroy(job);
        return NULL;
    }
    *job = (struct job){
        .base = {.run = job_run, .drop = job_dropped},
        .executor = hr__executor_ref(executor),
        .fn = fn,
        .arg = arg,
        .free_arg = options->free_arg,
        .free_value = options->free_value,
        .port = port,
        .future = future,
        .watch.done = future_over,
    };
    if (options->with_locals && port->loop->current)
        job->locals = hr__locals_ref(port->loop->current->locals);
    port->loop->jobs++;
    hr_list_append(&port->waited_for, &job->link);
    hr__future_watch(future, &job->watch);

    hr_future_ref(future);
    if (hr__executor_submit(executor, &job->base) < 0) {
        job_forget(job);
        job->free_arg = NULL; /* it stays the caller's */
        job_free(job);
        return hr_future_unref(future);
    }
    return future;
}

hr_future *hr_run_in_executor_with(const struct hr_job_options *options, hr_job_fn *fn, void *arg)
{
    hr_loop *loop = hr__loop_for(NULL);
    struct hr__port *port = loop ? port_of(loop) : NULL;
    return port ? offload(port, options, fn, arg) : NULL;
}

hr_future *hr_run_in_executor(hr_executor *executor, hr_job_fn *fn, void *arg,
                              hr_free_fn *free_value)
{
    struct hr_job_options options = {.executor = executor, .free_value = free_value};
    return hr_run_in_executor_with(&options, fn, arg);
}

hr_future *hr_to_thread(hr_job_fn *fn, void *arg, hr_free_fn *free_value)
{
    struct hr_job_options options = {.free_value = free_value, .with_locals = true};
    return hr_run_in_executor_with(&options, fn, arg);
}

void hr_executor_map(hr_executor *executor, hr_job_fn *fn, void *const *args, size_t count,
                     hr_free_fn *free_value, struct hr_futures *futures)
{
    for (size_t i = 0; i < count; i++)
        hr_futures_add(futures, hr_run_in_executor(executor, fn, args[i], free_value));
}
