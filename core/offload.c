/* SPDX-License-Identifier: MIT */
/*
 * run_in_executor: a future of the loop for a job of an executor.
 *
 * Threads know the job, the loop's thread knows the job's future; what connects them is the loop's
 * port. A finished job is put down there, and the first one since the port was last emptied calls
 * the loop, so that a batch of completions costs one wake-up. The port outlives the loop as long as
 * there are jobs: a thread that finds it closed destroys what it brings.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "core/executor_impl.h"
#include "core/local_impl.h"
#include "core/park.h"

#define POOL_PATIENCE hr_seconds(10)
#define POOL_MAX      32

struct hr__port {
    atomic_uint refs;  /* the loop's and one a job */
    hr_executor *pool; /* the default one; NULL before its first use. The loop's thread only. */
    struct hr_list waited_for; /* jobs whose future may be completed. The loop's thread only. */

    pthread_mutex_t lock;
    hr_loop *loop; /* NULL: closed */
    struct hr_list done;
    bool called; /* the loop will come and look */
};

struct job {
    struct hr__job base;
    struct hr_job_options options; /* the executor as a reference */
    hr_job_fn *fn;
    void *arg;
    struct hr__port *port;
    struct hr__locals *locals; /* a reference */

    /* The loop's thread only. */
    hr_future *future; /* a reference; NULL once nobody waits */
    struct hr__watch watch;
    struct hr_list link; /* in waited_for */

    atomic_bool begun; /* by a thread, which may be at it still */

    /* The outcome. */
    int status;
    void *value;
    struct hr_error error;
};

static void port_unref(struct hr__port *port)
{
    if (--port->refs > 0)
        return;
    pthread_mutex_destroy(&port->lock);
    free(port);
}

static void job_free(struct job *job)
{
    if (!job->begun && job->options.free_arg)
        job->options.free_arg(job->arg);
    if (job->value && job->options.free_value)
        job->options.free_value(job->value);
    hr_error_done(&job->error);
    hr__locals_unref(job->locals);
    hr__executor_unref(job->options.executor);
    port_unref(job->port);
    free(job);
}

/* Nobody waits for the job's outcome any more. */
static void job_forget(struct job *job)
{
    hr_list_remove(&job->watch.link);
    hr_list_remove(&job->link);
    job->future = hr_future_unref(job->future);
}

static void job_complete(struct job *job)
{
    hr_future *future = hr_future_ref(job->future);

    job_forget(job);
    if (job->status < 0) {
        hr_future_set_error_record(future, &job->error);
    } else {
        future->value = hr_take(job->value);
        future->free_value = job->options.free_value;
        hr__future_finish(future, job->status);
    }
    hr_future_unref(future);
}

static void port_take(struct hr__port *port, struct hr_list *ret)
{
    pthread_mutex_lock(&port->lock);
    hr_list_init(ret);
    hr_list_splice(ret, &port->done);
    port->called = false;
    pthread_mutex_unlock(&port->lock);
}

static void port_empty(void *arg)
{
    struct hr_list done;

    port_take(arg, &done);
    for (struct hr_list *node; (node = hr_list_pop(&done));) {
        struct job *job = hr_list_entry(node, struct job, base.link);
        if (job->future)
            job_complete(job);
        job_free(job);
    }
}

/* Puts a job down at its loop's port; in any thread. */
static void job_deliver(struct job *job)
{
    static const struct timespec moment = {.tv_nsec = 1000000};
    struct hr__port *port = job->port;

    pthread_mutex_lock(&port->lock);
    bool open = port->loop;
    if (open) {
        hr_list_append(&port->done, &job->base.link);
        /* Giving up for want of memory would leave a task waiting for ever. */
        while (!port->called && hr_call_soon_threadsafe(port->loop, port_empty, port) == -ENOMEM)
            nanosleep(&moment, NULL);
        port->called = true;
    }
    pthread_mutex_unlock(&port->lock);
    if (!open)
        job_free(job);
}

static void job_run(struct hr__job *base)
{
    struct job *job = hr_container_of(base, struct job, base);

    hr_error_raise(&(struct hr_error){0});
    job->begun = true;
    hr__locals_of_job = job->locals;
    job->status = job->fn(job->arg, &job->value);
    hr__locals_of_job = NULL;
    if (job->status < 0) {
        if (hr_last_error()->code != job->status)
            hr_fail_at(NULL, job->status, "%s", hr_error_text(job->status));
        hr_error_copy(&job->error, hr_last_error());
    }
    job_deliver(job);
}

static void job_dropped(struct hr__job *base)
{
    struct job *job = hr_container_of(base, struct job, base);

    job->status = HR_ESHUTDOWN;
    job->error = (struct hr_error){
        .code = HR_ESHUTDOWN,
        .message = "the executor was shut down before the job started",
    };
    job_deliver(job);
}

/* The future was cancelled, or completed by somebody else. */
static void future_over(struct hr__watch *watch)
{
    struct job *job = hr_container_of(watch, struct job, watch);

    job_forget(job);
    if (hr__executor_remove(job->options.executor, &job->base))
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

/* The loop is closing: no task is left, so nobody can wait for what still comes. */
static void port_close(struct hr__port *port)
{
    hr_usec limit = port->loop->shutdown_limit ? port->loop->shutdown_limit : POOL_PATIENCE;
    if (port->pool && !hr__executor_close(port->pool, limit))
        hr__report(port->loop, "default executor: a job still runs; leaving it behind", NULL, "");

    struct hr_list *node;
    hr_list_foreach_safe (at, &port->waited_for) {
        struct job *job = hr_list_entry(at, struct job, link);
        job_forget(job);
        if (hr__executor_remove(job->options.executor, &job->base))
            job_free(job);
    }
    pthread_mutex_lock(&port->lock);
    port->loop = NULL;
    pthread_mutex_unlock(&port->lock);

    struct hr_list done;
    port_take(port, &done);
    while ((node = hr_list_pop(&done)))
        job_free(hr_list_entry(node, struct job, base.link));
    port_unref(port);
}

static struct hr__port *port_of(hr_loop *loop)
{
    if (loop->port)
        return loop->port;
    struct hr__port *port = calloc(1, sizeof *port);
    if (!port) {
        hr_fail(-ENOMEM, "executor: out of memory");
        return NULL;
    }
    port->refs = 1;
    port->loop = loop;
    pthread_mutex_init(&port->lock, NULL);
    hr_list_init(&port->waited_for);
    hr_list_init(&port->done);
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
    struct job *job = malloc(sizeof *job);
    if (!job) {
        hr_fail(-ENOMEM, "executor: no memory for a job");
        return NULL;
    }
    hr_future *future = hr_future_new(port->loop);
    if (!future) {
        free(job);
        return NULL;
    }
    *job = (struct job){
        .base = {.run = job_run, .drop = job_dropped},
        .options = *options,
        .fn = fn,
        .arg = arg,
        .port = port,
        .future = future,
        .watch.done = future_over,
    };
    job->options.executor = hr__executor_ref(executor);
    if (options->with_locals && port->loop->current)
        job->locals = hr__locals_ref(port->loop->current->locals);
    port->refs++;
    hr_list_append(&port->waited_for, &job->link);
    hr__future_watch(future, &job->watch);

    hr_future_ref(future);
    if (hr__executor_submit(executor, &job->base) < 0) {
        job_forget(job);
        job->options.free_arg = NULL; /* it stays the caller's */
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
