/* SPDX-License-Identifier: MIT */
/*
 * How it works: the pool of connections (drivers/pool.h) keeps workers as it keeps connections;
 * here one is opened, asked and closed. A minder, a task of its own, listens to what a worker says
 * on standard error and waits for its end; worker and program go when loan and minder are both
 * over.
 */
#include "drivers/process/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/timeout.h"
#include "drivers/process/impl.h"

#define PIECE       4096
#define BARREN_MOST 3
#define QUOTED      80 /* bytes of a line in a message */

/* --- its life */

static void destroy(struct hr__worker *worker)
{
    hr_worker_pool *pool = worker->pool;
    if (worker->patience)
        hr_handle_cancel(worker->patience);
    hr_process_free(worker->process);
    hr_buf_done(&worker->request);
    hr_list_remove(&worker->link);
    free(worker);
    if (hr_list_empty(&pool->workers))
        hr_event_set(&pool->alone);
    hr__worker_pool_unref(pool);
}

/* A line that is too long is told in pieces. */
static int tell_piece(struct hr__worker *worker)
{
    char piece[PIECE + 1];
    ssize_t n = hr_process_read(worker->process, 2, piece, PIECE);
    if (n <= 0)
        return (int)n;
    piece[n] = '\0';
    worker->pool->options.said(hr_process_pid(worker->process), piece, (size_t)n,
                               worker->pool->options.cookie);
    return 1;
}

static int tell_line(struct hr__worker *worker)
{
    const char *line;
    size_t size;
    int r = hr_process_read_line(worker->process, 2, &line, &size);
    if (r == -EMSGSIZE)
        return tell_piece(worker);
    if (r > 0)
        worker->pool->options.said(hr_process_pid(worker->process), line, size,
                                   worker->pool->options.cookie);
    return r;
}

static int mind(void *arg)
{
    struct hr__worker *worker = arg;
    int r = worker->pool->options.said ? 1 : 0;
    while (r > 0)
        r = tell_line(worker);
    if (r != -ECANCELED)
        r = hr_process_wait(worker->process, NULL);
    (void)r; /* whoever asked it learns how it ended */
    worker->minder = NULL;
    if (worker->closed)
        destroy(worker);
    return 0;
}

static void never_minded(void *arg)
{
    struct hr__worker *worker = arg;
    worker->minder = NULL;
    if (worker->closed)
        destroy(worker);
}

static int begin(struct hr__worker *worker)
{
    hr_worker_pool *pool = worker->pool;
    struct hr_process_options options = {
        .argv = (const char *const *)pool->argv,
        .env = (const char *const *)pool->env,
        .directory = pool->directory,
        .streams = {{HR_CHILD_PIPE},
                    {HR_CHILD_PIPE},
                    {pool->options.said ? HR_CHILD_PIPE : HR_CHILD_INHERIT}},
        .max_line = pool->options.max_line,
    };
    struct hr_task_options minder = {.name = "worker", .free_arg = never_minded};
    worker->process = hr_process_start(&options);
    if (!worker->process)
        return hr_last_error()->code;
    worker->minder = hr_create_task_with(&minder, mind, worker);
    if (!worker->minder)
        return hr_last_error()->code;
    hr_future_unref(worker->minder); /* the loop holds it, and it tells when it is over */
    return 0;
}

static int start(hr_worker_pool *pool, struct hr__worker **ret)
{
    struct hr__worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return hr_fail(-ENOMEM, "no memory for a worker");
    worker->pool = pool;
    worker->fresh = true;
    hr_buf_init(&worker->request, SIZE_MAX);
    hr_list_append(&pool->workers, &worker->link);
    hr_event_clear(&pool->alone);
    pool->refs++;
    int r = begin(worker);
    if (r < 0) {
        destroy(worker);
        return r;
    }
    pool->started++;
    *ret = worker;
    return 0;
}

/* One that ends over a request may have met its own mistake; after several in a row who asks learns
 * of the program's instead of waiting for one more. */
static int wait_to_start(hr_worker_pool *pool)
{
    if (pool->start_at <= hr_now())
        return 0;
    if (pool->barren < BARREN_MOST)
        return hr_sleep_until(pool->start_at);
    return hr_fail(
        -ENOTCONN,
        "%s: %u workers in a row gave no answer, the latest %s; their standard error may tell why",
        pool->name, pool->barren, pool->last_end);
}

/* Starts one, but not at once while they end without an answer. */
static int worker_open(void *driver, void **ret)
{
    hr_worker_pool *pool = driver;
    struct hr__worker *worker = NULL;
    pool->refs++; /* it may be freed meanwhile */
    int r = wait_to_start(pool);
    if (r == 0)
        r = start(pool, &worker);
    if (r == 0)
        *ret = worker;
    hr__worker_pool_unref(pool);
    return r;
}

static void lose_patience(void *arg)
{
    struct hr__worker *worker = arg;
    worker->patience = NULL;
    hr__process_kill_all(worker->process);
}

static void worker_close(void *conn, bool polite)
{
    struct hr__worker *worker = conn;
    hr_worker_pool *pool = worker->pool;
    worker->closed = true;
    if (!polite && !worker->retired && worker->answered == 0)
        pool->start_at = hr_later(hr_now(), hr_backoff_next(&pool->backoff));
    if (!worker->minder) {
        destroy(worker);
        return;
    }
    hr_process_close_input(worker->process);
    if (polite || worker->retired)
        worker->patience = hr_call_later(pool->options.grace, lose_patience, worker);
    if (!worker->patience)
        hr__process_kill_all(worker->process);
}

static bool worker_alive(void *conn)
{
    return hr__process_is_quiet(((struct hr__worker *)conn)->process);
}

const struct hr_conn_ops hr__worker_ops = {
    .name = "workers",
    .open = worker_open,
    .close = worker_close,
    .alive = worker_alive,
};

/* --- a request */

static int feed(void *arg)
{
    struct hr__worker *worker = arg;
    return hr_process_write(worker->process, hr_buf_data(&worker->request),
                            hr_buf_size(&worker->request));
}

/* One that never answered counts as the program's failure. */
static void note_barren(struct hr__worker *worker, const char *what)
{
    hr_worker_pool *pool = worker->pool;
    if (worker->answered > 0)
        return;
    pool->barren++;
    snprintf(pool->last_end, sizeof(pool->last_end), "%s", what);
}

/* It has ended, or at least its output has. */
static int lost(struct hr__worker *worker)
{
    struct hr_timeout limit = {0};
    struct hr_child_exit end;
    char text[96] = "has ended its output";
    int r = hr_timeout_enter(&limit, hr_ms(200));
    if (r == 0)
        r = hr_timeout_leave(&limit, hr_process_wait(worker->process, &end));
    if (r == -ECANCELED)
        return r;
    if (r == 0)
        hr_child_exit_text(&end, text, sizeof(text));
    note_barren(worker, text);
    return hr_fail_native(HR_ELOST, 0, NULL, NULL, true, "%s, process %d, %s without an answer",
                          worker->pool->name, (int)hr_process_pid(worker->process), text);
}

void hr__worker_spoke_early(struct hr__worker *worker)
{
    hr_worker_pool *pool = worker->pool;
    pool->barren++;
    snprintf(pool->last_end, sizeof(pool->last_end),
             "wrote to its standard output before it was asked");
}

/* Bytes of the character there, if it is one that a message can show; 0: it is none. */
static size_t length_of_shown(const unsigned char *at, size_t left)
{
    size_t n = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (n == 1)
        return at[0] >= ' ' && at[0] != 0x7f;
    if (at[0] < 0xc2 || at[0] > 0xf4 || n > left || (at[0] == 0xc2 && at[1] < 0xa0))
        return 0; /* the last of these would be control characters */
    for (size_t i = 1; i < n; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

/* The beginning of a line for a message: one of the program's own must not move a cursor. */
static void quote(const char *line, size_t size, char ret[QUOTED + 1])
{
    size_t at = 0, to = 0;
    while (at < size) {
        size_t n = length_of_shown((const unsigned char *)line + at, size - at);
        if (to + (n > 0 ? n : strlen("\\x1b")) > QUOTED)
            break;
        if (n > 0)
            memcpy(ret + to, line + at, n);
        else
            snprintf(ret + to, QUOTED + 1 - to, "\\x%02x", (unsigned char)line[at]);
        to += n > 0 ? n : strlen("\\x1b");
        at += n > 0 ? n : 1;
    }
    ret[to] = '\0';
}

/* What it says is not of their protocol: a banner, or what a library prints. */
static int refuse_answer(struct hr__worker *worker, const char *line, size_t size)
{
    char said[QUOTED + 1];
    note_barren(worker, "said what is no answer");
    quote(line, size, said);
    return hr_fail_native(-EPROTO, 0, NULL, NULL, true,
                          "%s, process %d, said what is no answer: %s", worker->pool->name,
                          (int)hr_process_pid(worker->process), said);
}

static int take_answer(struct hr__worker *worker, char **ret, size_t *ret_size)
{
    const struct hr_worker_pool_options *options = &worker->pool->options;
    const char *line;
    size_t size;
    int r = hr_process_read_line(worker->process, 1, &line, &size);
    if (r == -EMSGSIZE)
        return hr_fail_native(r, 0, NULL, NULL, true, "%s answers with more than %zu bytes",
                              worker->pool->name, options->max_line);
    if (r < 0)
        return r;
    if (r == 0 || hr__process_has_ended_output(worker->process))
        return lost(worker); /* half a line may be half an answer */
    if (options->is_answer && !options->is_answer(line, size, options->cookie))
        return refuse_answer(worker, line, size);
    char *answer = malloc(size + 1);
    if (!answer)
        return hr_fail(-ENOMEM, "no memory for an answer");
    memcpy(answer, line, size + 1);
    *ret = answer;
    if (ret_size)
        *ret_size = size;
    return 0;
}

static int converse(struct hr__worker *worker, char **ret, size_t *ret_size)
{
    hr_task *feeder = hr_start_task("feed", feed, worker);
    if (!feeder)
        return hr_last_error()->code;
    int r = take_answer(worker, ret, ret_size);
    if (hr_future_done(feeder)) {
        hr_future_error(feeder); /* it reads no more: the answer, or its end, says why */
        hr_future_unref(feeder);
        return r;
    }
    /* It has answered before it had read all: the rest would be taken for the next request. */
    struct hr_error error = {0};
    if (r < 0)
        hr_error_copy(&error, hr_last_error());
    hr_task_cancel(feeder, NULL);
    hr_shield_enter();
    int fed = hr_join(feeder);
    hr_shield_leave();
    if (r < 0)
        r = hr_error_raise(&error);
    hr_error_done(&error);
    if (r == 0 && fed < 0) {
        free(hr_take(*ret));
        r = hr_fail_native(HR_ELOST, 0, NULL, NULL, true,
                           "%s answered before it had read its request", worker->pool->name);
    }
    return r;
}

int hr__worker_exchange(struct hr__worker *worker, const char *line, size_t size, char **ret,
                        size_t *ret_size)
{
    struct hr_timeout limit = {0};
    hr_buf_consume(&worker->request, SIZE_MAX);
    if (hr_buf_append(&worker->request, line, size) < 0 ||
        hr_buf_append(&worker->request, "\n", 1) < 0)
        return hr_fail(-ENOMEM, "no memory for a request");
    worker->fresh = false;
    int r = hr_timeout_enter(&limit, worker->pool->options.limit);
    if (r < 0)
        return r;
    r = hr_timeout_leave(&limit, converse(worker, ret, ret_size));
    if (r == -ETIMEDOUT)
        hr_fail_native(r, 0, NULL, NULL, true, "%s did not answer within %.1f s",
                       worker->pool->name, hr_in_seconds(worker->pool->options.limit));
    if (r == 0)
        worker->answered++;
    return r;
}
