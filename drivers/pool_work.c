/* SPDX-License-Identifier: MIT */
/*
 * The tasks of a pool: they open connections, reset those that came back dirty, and ask those that
 * have idled long.
 */
#include "drivers/pool_impl.h"

#include <stdio.h>

static void idle_due(void *arg);

/* The tail has been idle longest, so one timer serves all. */
void hr__pool_arm_idle_timer(hr_pool *pool)
{
    if (pool->idle_timer || pool->options.idle == HR_FOREVER || hr_list_empty(&pool->idle))
        return;
    struct hr__pool_entry *oldest = hr_list_entry(pool->idle.prev, struct hr__pool_entry, link);
    pool->idle_timer =
        hr_handle_ref(hr_call_at(hr_later(oldest->used, pool->options.idle), idle_due, pool));
}

/* Up to a tenth less than max_age, so that connections of one start do not all end at once. */
static hr_usec retire_at(const hr_pool *pool, hr_usec now)
{
    hr_usec age = pool->options.max_age;
    if (age == HR_FOREVER)
        return HR_FOREVER;
    struct hr_backoff spread = {.first = age / 10, .max = age / 10, .factor = 1, .jitter = true};
    return hr_later(now, age - hr_backoff_next(&spread));
}

static void note_failure(hr_pool *pool, int code)
{
    pool->counts.failed++;
    pool->up = false;
    hr_error_done(&pool->error);
    pool->error = (struct hr_error){0};
    if (hr_last_error()->code != code)
        (void)hr_fail(code, "%s: %s", pool->ops->name, hr_error_text(code));
    hr_error_copy(&pool->error, hr_last_error());
    if (pool->retry_at <= hr_now()) /* two failures at once are one attempt */
        pool->retry_at = hr_later(hr_now(), hr_backoff_next(&pool->options.backoff));
}

static void opening_failed(hr_pool *pool, int code)
{
    if (!pool->closed)
        note_failure(pool, code);
}

static void opening_worked(hr_pool *pool, struct hr__pool_worker *worker, void *conn, bool moved)
{
    if (moved) {
        worker->generation = ++pool->generation;
        hr__pool_close_idle(pool);
    }
    struct hr__pool_entry *entry = calloc(1, sizeof(*entry));
    if (!entry) {
        pool->ops->close(conn, true);
        (void)hr_fail(-ENOMEM, "%s: no memory for a connection", pool->ops->name);
        opening_failed(pool, -ENOMEM);
        return;
    }
    entry->conn = conn;
    entry->generation = worker->generation;
    entry->retire = retire_at(pool, hr_now());
    pool->counts.opened++;
    pool->up = true;
    pool->retry_at = 0;
    hr_backoff_reset(&pool->options.backoff);
    hr__pool_offer(pool, entry);
}

static void worker_end(struct hr__pool_worker *worker)
{
    hr_pool *pool = worker->pool;
    hr_list_remove(&worker->link);
    worker->task = hr_future_unref(worker->task);
    free(worker);
    hr__pool_serve(pool);
    hr__pool_check_quiet(pool);
    hr__pool_unref(pool);
}

static int open_connection(void *arg)
{
    struct hr__pool_worker *worker = arg;
    hr_pool *pool = worker->pool;
    void *conn = NULL;
    int r = pool->closed ? HR_ECLOSED : pool->ops->open(pool->driver, &conn);
    pool->n_opening--;
    if (r < 0)
        opening_failed(pool, r);
    else
        opening_worked(pool, worker, conn, r > 0);
    worker_end(worker);
    return 0;
}

/* A hook that answers whether the connection is good. */
static int run_hook(struct hr__pool_worker *worker, int (*hook)(void *conn))
{
    hr_pool *pool = worker->pool;
    struct hr__pool_entry *entry = worker->entry;
    int r = hook(entry->conn);
    pool->n_resetting--;
    if (r < 0)
        hr__pool_destroy(pool, entry, false);
    else
        hr__pool_offer(pool, entry);
    worker_end(worker);
    return 0;
}

static int reset_connection(void *arg)
{
    struct hr__pool_worker *worker = arg;
    worker->pool->counts.reset++;
    return run_hook(worker, worker->pool->ops->reset);
}

static int ping_connection(void *arg)
{
    struct hr__pool_worker *worker = arg;
    worker->pool->counts.pinged++;
    return run_hook(worker, worker->pool->ops->ping);
}

/* The loop ends before the worker ran. */
static void drop_worker(void *arg)
{
    struct hr__pool_worker *worker = arg;
    hr_pool *pool = worker->pool;
    if (worker->entry) {
        pool->n_resetting--;
        hr__pool_destroy(pool, worker->entry, false);
    } else {
        pool->n_opening--;
    }
    worker_end(worker);
}

static int start_worker(hr_pool *pool, hr_task_fn *fn, struct hr__pool_entry *entry)
{
    struct hr__pool_worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return hr_fail(-ENOMEM, "%s: no memory for a connection", pool->ops->name);
    worker->pool = pool;
    worker->entry = entry;
    worker->generation = pool->generation;
    char name[24];
    snprintf(name, sizeof(name), "%s-%s", pool->ops->name, entry ? "tend" : "open");
    struct hr_task_options options = {.name = name, .free_arg = drop_worker};
    worker->task = hr_create_task_with(&options, fn, worker);
    if (!worker->task) {
        free(worker);
        return hr_last_error()->code < 0 ? hr_last_error()->code : -ENOMEM;
    }
    hr_list_append(&pool->workers, &worker->link);
    pool->refs++;
    return 0;
}

static void retry_due(void *arg)
{
    hr_pool *pool = arg;
    pool->retry_timer = hr_handle_unref(pool->retry_timer);
    hr__pool_serve(pool);
}

static unsigned count_missing(const hr_pool *pool)
{
    unsigned all = hr__pool_count(pool);
    return all < pool->options.keep ? pool->options.keep - all : 0;
}

bool hr__pool_endures(const hr_pool *pool)
{
    const struct hr_error *why = &pool->error;
    return pool->options.patience > 0 && pool->ops->may_pass && !pool->up && why->code < 0 &&
           why->code != -ENOMEM && pool->ops->may_pass(why);
}

/* Borrowers wait on for what is lent, being reset or opened; with none of that left the reason why
 * nothing opens is theirs, unless they wait for it to pass. */
static void serve_during_backoff(hr_pool *pool)
{
    bool nothing = hr__pool_count(pool) == 0;
    if (nothing && !hr__pool_endures(pool))
        hr__pool_refuse_all(pool, pool->error.code);
    bool wanted = !hr_list_empty(&pool->borrowers) || count_missing(pool) > 0;
    if (wanted && !pool->retry_timer)
        pool->retry_timer = /* or the next return */
            hr_handle_ref(hr_call_at(pool->retry_at, retry_due, pool));
    if (nothing && !pool->retry_timer)
        hr__pool_refuse_all(pool, pool->error.code);
}

static bool wants_more(const hr_pool *pool, unsigned borrowers)
{
    if (pool->n_opening >= pool->options.opening || hr__pool_count(pool) >= pool->options.limit)
        return false;
    return borrowers > pool->n_opening + pool->n_resetting || count_missing(pool) > 0;
}

void hr__pool_serve(hr_pool *pool)
{
    unsigned borrowers = 0;
    hr_list_foreach (node, &pool->borrowers)
        borrowers++;
    if (pool->closed || (borrowers == 0 && count_missing(pool) == 0) || !hr__pool_at_home(pool))
        return;
    if (hr_now() < pool->retry_at) {
        serve_during_backoff(pool);
        return;
    }
    while (wants_more(pool, borrowers)) {
        int r = start_worker(pool, open_connection, NULL);
        if (r < 0) {
            if (hr__pool_count(pool) == 0) {
                note_failure(pool, r);
                serve_during_backoff(pool);
            }
            return;
        }
        pool->n_opening++;
    }
}

/* One that has idled long goes, unless it is one of those to keep: then it is asked. */
static void tend_idle(hr_pool *pool, struct hr__pool_entry *entry)
{
    bool kept = !hr__pool_outdated(pool, entry) && hr__pool_count(pool) < pool->options.keep;
    if (kept && !pool->ops->ping) {
        hr__pool_offer(pool, entry);
    } else if (kept && start_worker(pool, ping_connection, entry) >= 0) {
        pool->n_resetting++;
    } else {
        hr__pool_destroy(pool, entry, true);
        hr__pool_serve(pool);
    }
}

static void idle_due(void *arg)
{
    hr_pool *pool = arg;
    pool->idle_timer = hr_handle_unref(pool->idle_timer);
    while (!hr_list_empty(&pool->idle)) {
        struct hr__pool_entry *oldest = hr_list_entry(pool->idle.prev, struct hr__pool_entry, link);
        if (hr_later(oldest->used, pool->options.idle) > hr_now())
            break;
        tend_idle(pool, hr__pool_take_idle(pool, &oldest->link));
    }
    hr__pool_arm_idle_timer(pool);
}

int hr__pool_start_reset(hr_pool *pool, struct hr__pool_entry *entry)
{
    return start_worker(pool, reset_connection, entry);
}
