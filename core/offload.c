/* SPDX-License-Identifier: MIT */
/*
 * run_in_executor: a future of the loop for a job of an executor.
 *
 * Threads know the job, the loop's thread knows the job's future; what connects them is the loop's
 * port (core/port.h). Whoever submits a lot empties it himself now and then: the jobs that are over
 * make room for those to come.
 */
#include <sched.h>
#include <string.h>

#include "core/error_impl.h"
#include "core/executor_impl.h"
#include "core/fork.h"
#include "core/local_impl.h"
#include "core/park.h"
#include "core/port.h"

#define POOL_PATIENCE hr_seconds(10)
#define EMPTY_EVERY   64   /* submissions */
#define SPARES_MAX    1024 /* beside as many as are out */

/* What a loop knows of its jobs; but for the port, its thread's only. */
struct hr__offload {
    struct hr__port port;
    unsigned forks;            /* hr__forks where it was made */
    hr_executor *pool;         /* the default one; NULL before its first use */
    struct hr_list waited_for; /* jobs whose future may be completed */
    unsigned submitted;
    struct hr__parcel *spare; /* of jobs to come, each with its reference to the port */
    size_t spares;
};

/* In the order of who touches it: what both threads do not need stands at the end. */
struct job {
    struct hr__job base;
    hr_job_fn *fn;
    void *arg;
    struct hr__locals *locals; /* a reference */

    struct hr__parcel parcel;
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
    hr__port_unref(job->parcel.port);
    free(job);
}

static void job_free(struct job *job)
{
    job_release(job);
    job_destroy(job);
}

static struct job *job_of(struct hr__parcel *parcel)
{
    return hr_container_of(parcel, struct job, parcel);
}

/* As job_free(), in the loop's thread. Who submits a lot may need as many as he ever had out, so
 * what is too much goes later. */
static void job_spare(struct hr__offload *here, struct job *job)
{
    job_release(job);
    job->parcel.next = here->spare;
    here->spare = &job->parcel;
    here->spares++;
}

static struct job *spare_take(struct hr__offload *here)
{
    struct hr__parcel *parcel = here->spare;
    if (!parcel)
        return NULL;
    here->spare = parcel->next;
    here->spares--;
    return job_of(parcel);
}

static void spares_trim(struct hr__offload *here, size_t most)
{
    while (here->spares > most)
        job_destroy(spare_take(here));
}

static struct job *job_new(struct hr__offload *here)
{
    struct job *job = spare_take(here);
    if (job)
        return job;
    job = malloc(sizeof *job);
    if (job) {
        job->parcel.port = &here->port;
        hr__port_ref(&here->port);
    }
    return job;
}

/* Nobody waits for the job's outcome any more. */
static void job_forget(struct job *job)
{
    hr_list_remove(&job->watch.link);
    hr_list_remove(&job->link);
    job->parcel.port->loop->jobs--;
    job->future = hr_future_unref(job->future);
}

static void job_complete(struct job *job)
{
    hr_future *future = hr_future_ref(job->future);

    job_forget(job);
    if (job->status == -ECANCELED) {
        hr__future_keep_sent(future, job->error);
        hr__future_finish_cancelled(future);
    } else {
        future->error = hr_take(job->error);
        future->value = hr_take(job->value);
        future->free_value = job->free_value;
        hr__future_finish(future, job->status);
    }
    hr_future_unref(future);
}

static void empty(struct hr__offload *here)
{
    struct hr__parcel *next;
    for (struct hr__parcel *parcel = hr__port_take(&here->port); parcel; parcel = next) {
        struct job *job = job_of(parcel);
        next = parcel->next;
        if (job->future)
            job_complete(job);
        job_spare(here, job);
    }
}

static void visit(struct hr__port *port)
{
    struct hr__offload *here = hr_container_of(port, struct hr__offload, port);
    empty(here);
    spares_trim(here, SPARES_MAX + port->loop->jobs);
}

/* Sends a job home that is over; in any thread. */
static void job_deliver(struct job *job)
{
    if (!hr__port_put(&job->parcel))
        job_free(job);
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
void hr__offload_forked(hr_loop *loop)
{
    struct hr__offload *here = loop->offload;
    if (!here || hr__is_here(here->forks))
        return;
    hr_list_foreach_safe (at, &here->waited_for) {
        struct job *job = hr_list_entry(at, struct job, link);
        hr_future *future = hr_future_ref(job->future);
        job_forget(job);
        hr_future_set_error(future, HR_ESHUTDOWN, "the executor's threads are in another process");
        future->error_seen = true; /* who does not wait for it need not hear of it */
        hr_future_unref(future);
    }
}

static void close_pool(struct hr__offload *here)
{
    hr_loop *loop = here->port.loop;
    hr_usec limit = loop->shutdown_limit ? loop->shutdown_limit : POOL_PATIENCE;
    if (here->pool && !hr__executor_close(here->pool, limit))
        hr__report(loop, "default executor: a job still runs; leaving it behind", NULL, "");
}

/* The loop is closing: no task is left, so nobody can wait for what still comes. */
static void offload_close(struct hr__offload *here)
{
    bool mine = hr__is_here(here->forks);
    if (mine)
        close_pool(here);
    hr_list_foreach_safe (at, &here->waited_for) {
        struct job *job = hr_list_entry(at, struct job, link);
        job_forget(job);
        if (hr__executor_remove(job->executor, &job->base))
            job_free(job);
    }
    if (!mine)
        return;

    struct hr__parcel *next;
    for (struct hr__parcel *parcel = hr__port_close(&here->port); parcel; parcel = next) {
        next = parcel->next;
        job_free(job_of(parcel));
    }
    spares_trim(here, 0);
    hr__port_unref(&here->port);
}

bool hr__loop_has_jobs(const hr_loop *loop)
{
    return loop->offload && !hr_list_empty(&loop->offload->waited_for);
}

static struct hr__offload *offload_of(hr_loop *loop)
{
    if (loop->offload && hr__is_here(loop->offload->forks))
        return loop->offload;
    struct hr__offload *here = NULL;
    if (posix_memalign((void **)&here, HR__PORT_LINE, sizeof *here) != 0) {
        hr_fail(-ENOMEM, "executor: out of memory");
        return NULL;
    }
    memset(here, 0, sizeof *here);
    hr__port_init(&here->port, loop, visit);
    here->forks = hr__forks;
    hr_list_init(&here->waited_for);
    hr__offload_forked(loop);
    loop->close_offload = offload_close;
    return loop->offload = here;
}

static hr_executor *default_pool(struct hr__offload *here)
{
    if (!here->pool) {
        cpu_set_t cores;
        int n = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
        here->pool = hr_executor_new("pool", n + 4 < HR__POOL_MAX ? (unsigned)n + 4 : HR__POOL_MAX);
    }
    return here->pool;
}

static hr_future *offload(struct hr__offload *here, const struct hr_job_options *options,
                          hr_job_fn *fn, void *arg)
{
    hr_executor *executor = options->executor ? options->executor : default_pool(here);
    if (!executor)
        return NULL;
    if (++here->submitted % EMPTY_EVERY == 0 && hr__port_has_parcels(&here->port))
        empty(here);
    struct job *job = job_new(here);
    if (!job) {
        hr_fail(-ENOMEM, "executor: no memory for a job");
        return NULL;
    }
    hr_loop *loop = here->port.loop;
    hr_future *future = hr_future_new(loop);
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
        .parcel.port = &here->port,
        .future = future,
        .watch.done = future_over,
    };
    if (options->with_locals && loop->current)
        job->locals = hr__locals_ref(loop->current->locals);
    loop->jobs++;
    hr_list_append(&here->waited_for, &job->link);
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
    static const struct hr_job_options defaults;
    options = options ? options : &defaults;
    hr_loop *loop = hr__loop_for(NULL);
    if (!loop)
        return NULL;
    if (!fn) {
        hr_fail(-EINVAL, "a job without a function");
        return NULL;
    }
    struct hr__offload *here = offload_of(loop);
    return here ? offload(here, options, fn, arg) : NULL;
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
