/* SPDX-License-Identifier: MIT */
/*
 * A job of an executor for callers without a loop: a handle that a thread can block on.
 */
#include "core/error_impl.h"
#include "core/executor_impl.h"
#include "core/local_impl.h"
#include "core/loop_impl.h"
#include "core/thread_future.h"

struct submitted {
    hr_thread_future future; /* references: the handles', and the job's until it is over */
    struct hr__job job;
    struct hr_job_options options; /* the executor as a reference */
    struct hr__locals *locals;     /* a reference */
    hr_job_fn *fn;
    void *arg;
    atomic_bool begun;
};

static struct submitted *submitted(hr_thread_future *future)
{
    return hr_container_of(future, struct submitted, future);
}

static void run(struct hr__job *job)
{
    struct submitted *self = hr_container_of(job, struct submitted, job);
    hr_thread_future *future = &self->future;

    self->begun = true;
    hr_error_raise(&(struct hr_error){0});
    hr__locals_of_job = self->locals;
    future->status = self->fn(self->arg, &future->outcome.value);
    hr__locals_of_job = NULL;
    if (future->status < 0) {
        if (hr_last_error()->code != future->status)
            hr_fail(future->status, "%s", hr_error_text(future->status));
        future->outcome.error = hr__error_dup(hr_last_error());
    }
    hr__thread_future_complete(future);
}

static void drop(struct hr__job *job)
{
    struct submitted *self = hr_container_of(job, struct submitted, job);
    hr__thread_future_fail(&self->future, HR_ESHUTDOWN,
                           "the executor was shut down before the job started");
}

static bool take_back(hr_thread_future *future)
{
    struct submitted *self = submitted(future);
    if (!hr__executor_remove(self->options.executor, &self->job))
        return false;
    hr__thread_future_fail(future, -ECANCELED, "cancelled before it started");
    return true;
}

/* A thread of the executor that blocks is one that does no work; whether that is one too many is
 * not known here. */
static int may_wait(hr_thread_future *future)
{
    if (hr__executor_here(submitted(future)->options.executor))
        return 0;
    return hr_fail(HR_ESHUTDOWN, "the executor's threads are in another process");
}

static const char *state(hr_thread_future *future)
{
    return submitted(future)->begun ? "running" : "pending";
}

static void submitted_free(hr_thread_future *future)
{
    struct submitted *self = submitted(future);
    if (!self->begun && self->options.free_arg)
        self->options.free_arg(self->arg);
    hr__locals_unref(self->locals);
    hr__executor_unref(self->options.executor);
    free(self);
}

static const struct hr__thread_future_ops ops = {may_wait, take_back, state, submitted_free};

hr_thread_future *hr_executor_submit_with(const struct hr_job_options *options, hr_job_fn *fn,
                                          void *arg)
{
    if (!options || !options->executor) {
        hr_fail(-EINVAL, "executor: without a loop there is no default pool");
        return NULL;
    }
    if (!fn) {
        hr_fail(-EINVAL, "a job without a function");
        return NULL;
    }
    struct submitted *self = calloc(1, sizeof(*self));
    if (!self) {
        hr_fail(-ENOMEM, "executor: no memory for a job");
        return NULL;
    }
    hr__thread_future_init(&self->future, &ops);
    self->job = (struct hr__job){.run = run, .drop = drop};
    self->options = *options;
    self->future.outcome.free_value = options->free_value;
    hr__executor_ref(options->executor);
    self->fn = fn;
    self->arg = arg;
    if (options->with_locals && hr__loop_running && hr__loop_running->current)
        self->locals = hr__locals_ref(hr__loop_running->current->locals);
    if (hr__executor_submit(options->executor, &self->job) == 0)
        return &self->future;
    self->options.free_arg = NULL; /* it stays the caller's */
    self->future.refs = 1;
    return hr_thread_future_unref(&self->future);
}

hr_thread_future *hr_executor_submit(hr_executor *executor, hr_job_fn *fn, void *arg,
                                     hr_free_fn *free_value)
{
    struct hr_job_options options = {.executor = executor, .free_value = free_value};
    return hr_executor_submit_with(&options, fn, arg);
}
