/* SPDX-License-Identifier: MIT */
/*
 * How it works: workers are lent as connections are (drivers/pool.h): in order, started when
 * wanted, thrown away when a request left them in a state that nobody can know.
 */
#include "drivers/worker_pool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/timeout.h"
#include "drivers/missing.h"
#include "drivers/process/impl.h"
#include "drivers/process/worker.h"

/* --- settings */

static void put_defaults(struct hr_worker_pool_options *o)
{
    o->workers = o->workers ? o->workers : 1;
    o->limit = o->limit > 0 ? o->limit : hr_seconds(30);
    o->max_line = o->max_line ? o->max_line : (size_t)1 << 20;
    o->grace = o->grace > 0 ? o->grace : hr_seconds(2);
    if (o->backoff.first <= 0)
        o->backoff = (struct hr_backoff){
            .first = hr_ms(100), .max = hr_seconds(10), .factor = 2, .jitter = true};
}

static char **free_texts(char **texts)
{
    for (size_t i = 0; texts && texts[i]; i++)
        free(texts[i]);
    free(texts);
    return NULL;
}

/* A copy of texts up to their NULL; NULL also where there are none. */
static int copy_texts(const char *const *texts, char ***ret)
{
    size_t n = 0;
    if (!texts)
        return 0;
    while (texts[n])
        n++;
    *ret = calloc(n + 1, sizeof(char *));
    for (size_t i = 0; *ret && i < n; i++) {
        (*ret)[i] = strdup(texts[i]);
        if (!(*ret)[i])
            return -ENOMEM;
    }
    return *ret ? 0 : -ENOMEM;
}

/* The program, and its first argument unless that is an option: the script mostly. */
static void name_program(char *name, size_t size, const char *const *argv)
{
    bool script = argv[1] && argv[1][0] && argv[1][0] != '-';
    snprintf(name, size, "%s%s%s", argv[0], script ? " " : "", script ? argv[1] : "");
}

/* --- its life */

void hr__worker_pool_unref(hr_worker_pool *pool)
{
    if (--pool->refs > 0)
        return;
    hr_event_done(&pool->alone);
    free_texts(pool->argv);
    free_texts(pool->env);
    free(pool->directory);
    free(pool);
}

static int begin(hr_worker_pool *pool)
{
    const struct hr_worker_pool_options *o = &pool->options;
    struct hr_pool_options lending = {
        .limit = o->workers,
        .idle = HR_FOREVER,
        .max_age = HR_FOREVER,
        .ping_after = HR_FOREVER,
        .opening = o->workers,
        .backoff = o->backoff,
    };
    int r = copy_texts(o->argv, &pool->argv);
    if (r == 0)
        r = copy_texts(o->env, &pool->env);
    if (r == 0 && o->directory)
        r = (pool->directory = strdup(o->directory)) ? 0 : -ENOMEM;
    if (r == 0)
        r = (pool->pool = hr_pool_new(&hr__worker_ops, pool, &lending)) ? 0 : -ENOMEM;
    return r;
}

hr_worker_pool *hr_worker_pool_new(const struct hr_worker_pool_options *options)
{
    if (!options || !options->argv || !options->argv[0]) {
        hr_fail(-EINVAL, "workers of no program");
        return NULL;
    }
    hr_worker_pool *pool = calloc(1, sizeof(*pool));
    if (pool) {
        pool->options = *options;
        put_defaults(&pool->options);
        pool->backoff = pool->options.backoff;
        name_program(pool->name, sizeof(pool->name), options->argv);
        pool->refs = 1;
        hr_list_init(&pool->workers);
        hr_event_init(&pool->alone);
        hr_event_set(&pool->alone);
        if (begin(pool) == 0)
            return pool;
        hr__worker_pool_unref(pool);
    }
    hr_fail(-ENOMEM, "no memory for a pool of workers");
    return NULL;
}

int hr_worker_pool_close(hr_worker_pool *pool)
{
    struct hr_timeout limit = {0};
    int r = pool ? hr_pool_close(pool->pool) : hr__missing_object("a pool of workers");
    if (r < 0)
        return r;
    /* Each has grace to end; a second of it is for the signal to arrive. */
    r = hr_timeout_enter(&limit, hr_later(pool->options.grace, hr_seconds(1)));
    if (r < 0)
        return r;
    r = hr_timeout_leave(&limit, hr_event_wait_as(&pool->alone, "the workers to end"));
    if (r != -ETIMEDOUT)
        return r;
    /* Somebody who left the worker's group holds its standard error open. */
    hr_list_foreach (node, &pool->workers) {
        struct hr__worker *worker = hr_list_entry(node, struct hr__worker, link);
        if (worker->minder)
            hr_task_cancel(worker->minder, NULL);
    }
    return hr_event_wait_as(&pool->alone, "the workers to end");
}

hr_worker_pool *hr_worker_pool_free(hr_worker_pool *pool)
{
    if (!pool)
        return NULL;
    hr_pool_free(pool->pool);
    hr_list_foreach (node, &pool->workers) {
        struct hr__worker *worker = hr_list_entry(node, struct hr__worker, link);
        hr__process_kill_all(worker->process);
        if (worker->minder)
            hr_task_cancel(worker->minder, NULL);
    }
    hr__worker_pool_unref(pool);
    return NULL;
}

void hr_worker_pool_freep(hr_worker_pool **pool)
{
    *pool = hr_worker_pool_free(*pool);
}

void hr_worker_pool_get_stats(const hr_worker_pool *pool, struct hr_worker_pool_stats *ret)
{
    struct hr_pool_stats lent;
    *ret = (struct hr_worker_pool_stats){0};
    if (!pool)
        return;
    hr_pool_get_stats(pool->pool, &lent);
    *ret = (struct hr_worker_pool_stats){
        .workers = lent.open,
        .busy = lent.lent,
        .waiting = lent.waiting,
        .started = pool->started,
        .answered = pool->answered,
        .lost = pool->lost,
    };
}

/* --- a request */

/* A worker that can be asked. One that died while it had nothing to do is nobody's error, but one
 * that does not even live until it is asked is. What one has said before is no answer. */
static int acquire(hr_worker_pool *pool, struct hr__worker **ret)
{
    for (;;) {
        struct hr__worker *worker;
        void *conn;
        int r = hr_pool_acquire(pool->pool, &conn);
        if (r < 0)
            return r;
        worker = conn;
        bool spoke = hr__process_has_spoken(worker->process);
        if (hr__process_is_quiet(worker->process) || (worker->fresh && !spoke)) {
            *ret = worker;
            return 0;
        }
        if (worker->fresh)
            hr__worker_spoke_early(worker);
        hr_pool_release(pool->pool, worker, HR_POOL_BROKEN);
    }
}

static void release(hr_worker_pool *pool, struct hr__worker *worker, int r)
{
    unsigned most = pool->options.max_requests;
    bool quiet = r == 0 && hr__process_is_quiet(worker->process);
    if (r == 0) {
        pool->answered++;
        pool->start_at = 0;
        pool->barren = 0;
        hr_backoff_reset(&pool->backoff);
    } else {
        pool->lost++;
    }
    worker->retired = quiet && most > 0 && worker->answered >= most;
    hr_pool_release(pool->pool, worker, quiet && !worker->retired ? HR_POOL_CLEAN : HR_POOL_BROKEN);
}

int(hr_worker_pool_ask)(hr_worker_pool *pool, const char *line, size_t size, char **ret,
                        size_t *ret_size)
{
    struct hr__worker *worker;
    if (!pool)
        return hr__missing_object("a pool of workers");
    if (size > pool->options.max_line)
        return hr_fail(-EMSGSIZE, "a request of %zu bytes; %zu are allowed", size,
                       pool->options.max_line);
    if (size > 0 && memchr(line, '\n', size))
        return hr_fail(-EINVAL, "a request is one line");
    pool->refs++;
    int r = acquire(pool, &worker);
    if (r >= 0) {
        r = hr__worker_exchange(worker, line, size, ret, ret_size);
        release(pool, worker, r);
    }
    hr__worker_pool_unref(pool);
    return r;
}
