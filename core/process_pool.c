/* SPDX-License-Identifier: MIT */
/*
 * How it works: the pool is an executor whose jobs borrow a worker from the keeper
 * (process_keeper.c), ask it one question and wait for the answer. So queueing, order, cancelling,
 * loops and shutting down are the executor's; there is a thread a worker, which mostly sleeps.
 */
#include "core/process_pool.h"

#include <errno.h>
#include <string.h>

#include "core/error_impl.h"
#include "core/process_impl.h"

#define MAX_BYTES ((size_t)64 << 20)

struct hr_process_pool {
    hr_executor *executor;
    hr__keeper *keeper;
    unsigned worker_jobs;
    size_t max_bytes;
};

/* What is asked; goes with the job. */
struct question {
    hr_process_pool *pool;
    uint32_t function;
    size_t size;
    char bytes[];
};

hr_process_pool *hr_process_pool_new(const struct hr_process_pool_options *options)
{
    if (!hr__process_functions) {
        hr_fail(HR_EINVALIDSTATE, "process pool: main() did not call hr_process_pool_main()");
        return NULL;
    }
    if (!options || options->workers == 0) {
        hr_fail(-EINVAL, "process pool: needs at least one worker");
        return NULL;
    }
    hr_process_pool *pool = calloc(1, sizeof(*pool));
    if (!pool) {
        hr_fail(-ENOMEM, "no memory for a process pool");
        return NULL;
    }
    pool->worker_jobs = options->worker_jobs;
    pool->max_bytes = options->max_bytes ? options->max_bytes : MAX_BYTES;
    if (pool->max_bytes > SIZE_MAX / 2) /* a worker's word for it is taken */
        pool->max_bytes = SIZE_MAX / 2;
    pool->executor = hr_executor_new(options->name ? options->name : "pool", options->workers);
    pool->keeper = pool->executor ? hr__keeper_new(options->name) : NULL;
    if (pool->keeper)
        return pool;
    hr_executor_free(pool->executor, true);
    free(pool);
    return NULL;
}

void hr_process_pool_shutdown(hr_process_pool *pool, int flags)
{
    hr_executor_shutdown(pool->executor, flags);
}

void hr_process_pool_free(hr_process_pool *pool, bool cancel)
{
    if (!pool)
        return;
    hr_executor_free(pool->executor, cancel);
    hr__keeper_free(pool->keeper);
    free(pool);
}

void hr_process_pool_freep(hr_process_pool **pool)
{
    hr_process_pool_free(*pool, false);
    *pool = NULL;
}

void hr_process_pool_kill(hr_process_pool *pool)
{
    hr__keeper_kill(pool->keeper);
}

/* --- one job, in a thread of the executor --- */

static int greet(struct hr__worker *worker)
{
    struct hr__hello hello;
    if (worker->greeted)
        return 0;
    int r = hr__frame_receive(worker->socket, &hello, sizeof(hello));
    if (r < 0)
        return r;
    if (hello.magic != HR__FRAME_MAGIC || hello.functions != hr__process_functions_mark())
        return -EPROTO;
    worker->greeted = true;
    return 0;
}

static int receive_bytes(int fd, size_t size, struct hr_process_bytes **ret)
{
    struct hr_process_bytes *bytes = malloc(sizeof(*bytes) + size + 1);
    int r = bytes ? hr__frame_receive(fd, bytes->bytes, size) : hr__frame_skip(fd, size);
    if (r < 0 || !bytes) {
        free(bytes);
        *ret = NULL;
        return r;
    }
    bytes->size = size;
    bytes->bytes[size] = '\0';
    *ret = bytes;
    return 0;
}

/* One question, one answer. A code < 0 means that the worker can no longer be talked to. */
static int exchange(const struct question *question, struct hr__worker *worker,
                    struct hr__answer *answer, struct hr_process_bytes **ret_bytes)
{
    struct hr__question head = {
        .magic = HR__FRAME_MAGIC,
        .function = question->function,
        .size = question->size,
        .max_answer = question->pool->max_bytes,
    };
    int r = greet(worker);
    if (r == 0)
        r = hr__frame_send(worker->socket, &head, sizeof(head), question->bytes, question->size);
    if (r == 0)
        r = hr__frame_receive(worker->socket, answer, sizeof(*answer));
    if (r < 0)
        return r;
    if (answer->magic != HR__FRAME_MAGIC || answer->size > question->pool->max_bytes)
        return -EPROTO;
    return answer->status < 0 ? 0 : receive_bytes(worker->socket, answer->size, ret_bytes);
}

/* What the function said, as if it had been said here. */
static int failed(struct hr__answer *answer)
{
    answer->state[sizeof(answer->state) - 1] = '\0';
    answer->kind[sizeof(answer->kind) - 1] = '\0';
    answer->message[sizeof(answer->message) - 1] = '\0';
    return hr_fail_native(answer->status, answer->native, answer->state, answer->kind, answer->sent,
                          "%s", answer->message);
}

static int ask_worker(void *arg, void **ret_value)
{
    hr_auto(hr_freep) struct question *question = arg;
    hr_process_pool *pool = question->pool;
    struct hr__worker *worker;
    struct hr__answer answer = {0};
    struct hr_process_bytes *bytes = NULL;

    int r = hr__keeper_lend(pool->keeper, &worker);
    if (r < 0)
        return r;
    r = exchange(question, worker, &answer, &bytes);
    if (r < 0)
        return hr__keeper_return_dead(pool->keeper, worker, r);
    hr__keeper_return(pool->keeper, worker, ++worker->jobs == pool->worker_jobs);
    if (answer.status < 0)
        return failed(&answer);
    if (!bytes)
        return hr_fail(-ENOMEM, "no memory for an answer of %zu bytes", (size_t)answer.size);
    *ret_value = bytes;
    return answer.status;
}

/* --- submitting --- */

static int find_function(const char *name, uint32_t *ret)
{
    if (!name)
        return hr_fail(-EINVAL, "process pool: a job without a function");
    for (uint32_t i = 0; hr__process_functions[i].name; i++) {
        if (strcmp(hr__process_functions[i].name, name) == 0) {
            *ret = i;
            return 0;
        }
    }
    return hr_fail(-ENOENT, "process pool: there is no function %s", name);
}

static struct question *make_question(hr_process_pool *pool, const char *function,
                                      const void *bytes, size_t size)
{
    uint32_t number = 0;
    if (!pool) {
        hr__missing("a process pool");
        return NULL;
    }
    if (hr__keeper_check(pool->keeper) < 0 || find_function(function, &number) < 0)
        return NULL;
    if (size > pool->max_bytes) {
        hr_fail(-EMSGSIZE, "process pool: %zu bytes are more than the %zu allowed", size,
                pool->max_bytes);
        return NULL;
    }
    struct question *question = malloc(sizeof(*question) + size);
    if (!question) {
        hr_fail(-ENOMEM, "no memory for a job of %zu bytes", size);
        return NULL;
    }
    *question = (struct question){.pool = pool, .function = number, .size = size};
    if (size > 0)
        memcpy(question->bytes, bytes, size);
    return question;
}

hr_future *hr_run_in_process(hr_process_pool *pool, const char *function, const void *bytes,
                             size_t size)
{
    struct question *question = make_question(pool, function, bytes, size);
    if (!question)
        return NULL;
    struct hr_job_options options = {
        .executor = pool->executor, .free_value = free, .free_arg = free};
    hr_future *future = hr_run_in_executor_with(&options, ask_worker, question);
    if (!future)
        free(question);
    return future;
}

hr_thread_future *hr_process_pool_submit(hr_process_pool *pool, const char *function,
                                         const void *bytes, size_t size)
{
    struct question *question = make_question(pool, function, bytes, size);
    if (!question)
        return NULL;
    struct hr_job_options options = {
        .executor = pool->executor, .free_value = free, .free_arg = free};
    hr_thread_future *future = hr_executor_submit_with(&options, ask_worker, question);
    if (!future)
        free(question);
    return future;
}

void hr_process_pool_map(hr_process_pool *pool, const char *function,
                         const struct hr_process_input *inputs, size_t count,
                         struct hr_futures *futures)
{
    for (size_t i = 0; i < count; i++)
        hr_futures_add(futures, hr_run_in_process(pool, function, inputs[i].bytes, inputs[i].size));
}
