/* SPDX-License-Identifier: MIT */
/*
 * How a pool keeps its promises: tasks of its own open and reset connections, so that a borrower
 * who is cancelled wastes none, and whoever waits longest gets the next one.
 *
 * Waiting borrowers, loans and tasks each hold a reference, so the pool may be freed at any moment.
 */
#include "drivers/pool.h"

#include "core/event.h"
#include "core/list.h"
#include "core/timeout.h"

#include <stdio.h>

/* A connection and its history. It is in the idle list, in the lent list, or with a worker. */
struct entry {
    struct hr_list link;
    void *conn;
    uint64_t generation; /* of the pool when its opening began */
    hr_usec retire;      /* not reused from this moment on */
    hr_usec used;        /* when it came back the last time */
};

/* A task of the pool's that opens a connection (entry is NULL), resets or pings one. */
struct worker {
    struct hr_list link;
    hr_pool *pool;
    hr_task *task;
    struct entry *entry;
    uint64_t generation;
};

/* A borrower who waits; on its task's stack. */
struct borrower {
    struct hr_list link;
    hr_event served;
    struct entry *entry; /* or NULL with a code */
    int code;
};

struct hr_pool {
    const struct hr_conn_ops *ops;
    void *driver;
    struct hr_pool_options options;
    unsigned refs;

    struct hr_list idle; /* most recently used first */
    struct hr_list lent;
    struct hr_list workers;
    struct hr_list borrowers;
    unsigned n_idle, n_lent, n_opening, n_resetting, n_waiting;
    unsigned n_asked; /* connections that are pinged for a borrower of their own */

    uint64_t generation;
    struct hr_error error; /* why the latest opening failed */
    hr_usec retry_at;      /* no opening before */
    hr_handle *retry_timer;
    hr_handle *idle_timer;

    hr_event quiet; /* set whenever nothing is out; who closes waits for it */
    bool closed;
    bool up;
    struct hr_pool_stats counts; /* those that only grow */
};

static const struct hr_backoff default_backoff = {
    .first = 100000, .max = 10000000, .factor = 2, .jitter = true};

static void serve(hr_pool *pool);

hr_pool *hr_pool_new(const struct hr_conn_ops *ops, void *driver,
                     const struct hr_pool_options *options)
{
    hr_pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        return NULL;
    pool->ops = ops;
    pool->driver = driver;
    pool->options = *options;
    if (pool->options.opening == 0)
        pool->options.opening = 2;
    if (pool->options.backoff.first <= 0)
        pool->options.backoff = default_backoff;
    pool->refs = 1;
    hr_list_init(&pool->idle);
    hr_list_init(&pool->lent);
    hr_list_init(&pool->workers);
    hr_list_init(&pool->borrowers);
    hr_event_init(&pool->quiet);
    serve(pool);
    return pool;
}

static void unref(hr_pool *pool)
{
    if (--pool->refs > 0)
        return;
    hr_event_done(&pool->quiet);
    hr_error_done(&pool->error);
    free(pool);
}

static unsigned count_all(const hr_pool *pool)
{
    return pool->n_idle + pool->n_lent + pool->n_opening + pool->n_resetting + pool->n_asked;
}

/* Wakes who waits in hr_pool_close() once nothing is out. */
static void check_quiet(hr_pool *pool)
{
    if (pool->closed && count_all(pool) == 0 && pool->n_waiting == 0)
        hr_event_set(&pool->quiet);
}

static void destroy_entry(hr_pool *pool, struct entry *entry, bool polite)
{
    pool->counts.closed++;
    pool->ops->close(entry->conn, polite);
    free(entry);
}

static struct entry *take_idle(hr_pool *pool, struct hr_list *node)
{
    hr_list_remove(node);
    pool->n_idle--;
    return hr_list_entry(node, struct entry, link);
}

static void close_idle(hr_pool *pool)
{
    while (!hr_list_empty(&pool->idle))
        destroy_entry(pool, take_idle(pool, pool->idle.next), true);
}

static void stop_timer(hr_handle **timer)
{
    if (*timer)
        hr_handle_cancel(*timer);
    *timer = NULL;
}

static void idle_due(void *arg);

/* The tail has been idle longest, so one timer serves all. */
static void arm_idle_timer(hr_pool *pool)
{
    if (pool->idle_timer || pool->options.idle == HR_FOREVER || hr_list_empty(&pool->idle))
        return;
    struct entry *oldest = hr_list_entry(pool->idle.prev, struct entry, link);
    pool->idle_timer = hr_call_at(hr_later(oldest->used, pool->options.idle), idle_due, pool);
}

static bool is_outdated(const hr_pool *pool, const struct entry *entry)
{
    return pool->closed || entry->generation != pool->generation || hr_now() >= entry->retire;
}

static void lend(hr_pool *pool, struct entry *entry)
{
    hr_list_prepend(&pool->lent, &entry->link);
    pool->n_lent++;
    pool->refs++;
}

/* A connection in good order came free: the first borrower gets it, else it idles. */
static void offer(hr_pool *pool, struct entry *entry)
{
    if (is_outdated(pool, entry)) {
        destroy_entry(pool, entry, true);
        return;
    }
    struct hr_list *first = hr_list_pop(&pool->borrowers);
    if (first) {
        struct borrower *borrower = hr_list_entry(first, struct borrower, link);
        borrower->entry = entry;
        lend(pool, entry);
        hr_event_set(&borrower->served);
        return;
    }
    entry->used = hr_now();
    hr_list_prepend(&pool->idle, &entry->link);
    pool->n_idle++;
    arm_idle_timer(pool);
}

static void refuse_all(hr_pool *pool, int code)
{
    struct hr_list *node;
    while ((node = hr_list_pop(&pool->borrowers))) {
        struct borrower *borrower = hr_list_entry(node, struct borrower, link);
        borrower->code = code;
        hr_event_set(&borrower->served);
    }
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

static void opening_worked(hr_pool *pool, struct worker *worker, void *conn, bool moved)
{
    if (moved) {
        worker->generation = ++pool->generation;
        close_idle(pool);
    }
    struct entry *entry = calloc(1, sizeof(*entry));
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
    offer(pool, entry);
}

static void worker_end(struct worker *worker)
{
    hr_pool *pool = worker->pool;
    hr_list_remove(&worker->link);
    worker->task = hr_future_unref(worker->task);
    free(worker);
    serve(pool);
    check_quiet(pool);
    unref(pool);
}

static int open_connection(void *arg)
{
    struct worker *worker = arg;
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
static int run_hook(struct worker *worker, int (*hook)(void *conn))
{
    hr_pool *pool = worker->pool;
    struct entry *entry = worker->entry;
    int r = hook(entry->conn);
    pool->n_resetting--;
    if (r < 0)
        destroy_entry(pool, entry, false);
    else
        offer(pool, entry);
    worker_end(worker);
    return 0;
}

static int reset_connection(void *arg)
{
    struct worker *worker = arg;
    worker->pool->counts.reset++;
    return run_hook(worker, worker->pool->ops->reset);
}

static int ping_connection(void *arg)
{
    struct worker *worker = arg;
    worker->pool->counts.pinged++;
    return run_hook(worker, worker->pool->ops->ping);
}

/* The loop ends before the worker ran. */
static void drop_worker(void *arg)
{
    struct worker *worker = arg;
    hr_pool *pool = worker->pool;
    if (worker->entry) {
        pool->n_resetting--;
        destroy_entry(pool, worker->entry, false);
    } else {
        pool->n_opening--;
    }
    worker_end(worker);
}

static int start_worker(hr_pool *pool, hr_task_fn *fn, struct entry *entry)
{
    struct worker *worker = calloc(1, sizeof(*worker));
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
    pool->retry_timer = NULL;
    serve(pool);
}

static unsigned count_missing(const hr_pool *pool)
{
    unsigned all = count_all(pool);
    return all < pool->options.keep ? pool->options.keep - all : 0;
}

/* Borrowers wait on for what is lent, being reset or opened; with none of that left the reason why
 * nothing opens is theirs. */
static void serve_during_backoff(hr_pool *pool)
{
    if (count_all(pool) == 0)
        refuse_all(pool, pool->error.code);
    bool wanted = !hr_list_empty(&pool->borrowers) || count_missing(pool) > 0;
    if (wanted && !pool->retry_timer)
        pool->retry_timer = hr_call_at(pool->retry_at, retry_due, pool); /* or the next return */
}

static bool wants_more(const hr_pool *pool, unsigned borrowers)
{
    if (pool->n_opening >= pool->options.opening || count_all(pool) >= pool->options.limit)
        return false;
    return borrowers > pool->n_opening + pool->n_resetting || count_missing(pool) > 0;
}

/* Opens as many connections as borrowers wait for and as are to be kept, within the limits. */
static void serve(hr_pool *pool)
{
    unsigned borrowers = 0;
    hr_list_foreach (node, &pool->borrowers)
        borrowers++;
    if (pool->closed || !hr_running_loop() || (borrowers == 0 && count_missing(pool) == 0))
        return;
    if (hr_now() < pool->retry_at) {
        serve_during_backoff(pool);
        return;
    }
    while (wants_more(pool, borrowers)) {
        int r = start_worker(pool, open_connection, NULL);
        if (r < 0) {
            if (count_all(pool) == 0) {
                note_failure(pool, r);
                serve_during_backoff(pool);
            }
            return;
        }
        pool->n_opening++;
    }
}

/* One that has idled long goes, unless it is one of those to keep: then it is asked. */
static void tend_idle(hr_pool *pool, struct entry *entry)
{
    bool kept = !is_outdated(pool, entry) && count_all(pool) < pool->options.keep;
    if (kept && !pool->ops->ping) {
        offer(pool, entry);
    } else if (kept && start_worker(pool, ping_connection, entry) >= 0) {
        pool->n_resetting++;
    } else {
        destroy_entry(pool, entry, true);
        serve(pool);
    }
}

static void idle_due(void *arg)
{
    hr_pool *pool = arg;
    pool->idle_timer = NULL;
    while (!hr_list_empty(&pool->idle)) {
        struct entry *oldest = hr_list_entry(pool->idle.prev, struct entry, link);
        if (hr_later(oldest->used, pool->options.idle) > hr_now())
            break;
        tend_idle(pool, take_idle(pool, &oldest->link));
    }
    arm_idle_timer(pool);
}

/* A connection that idled is looked at before it is lent again. 0, or -ECANCELED; *ret is NULL when
 * it was of no use. */
static int check_idle(hr_pool *pool, struct entry *entry, struct entry **ret)
{
    *ret = NULL;
    if (is_outdated(pool, entry)) {
        destroy_entry(pool, entry, true);
        return 0;
    }
    if (pool->ops->alive && !pool->ops->alive(entry->conn)) {
        destroy_entry(pool, entry, false);
        return 0;
    }
    if (pool->ops->ping && hr_later(entry->used, pool->options.ping_after) <= hr_now()) {
        pool->n_asked++;
        pool->counts.pinged++;
        int r = pool->ops->ping(entry->conn);
        pool->n_asked--;
        if (r < 0 || is_outdated(pool, entry)) {
            destroy_entry(pool, entry, r >= 0);
            serve(pool);
            check_quiet(pool);
            return r == -ECANCELED ? r : 0;
        }
    }
    *ret = entry;
    return 0;
}

static int wait_served(hr_pool *pool, struct borrower *borrower)
{
    hr_usec since = hr_now(), patience = pool->options.patience;
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, patience > 0 ? patience : HR_FOREVER);
    if (r < 0)
        return r;
    r = hr_timeout_leave(&limit, hr_event_wait(&borrower->served));
    hr_usec waited = hr_now() - since;
    pool->counts.waits++;
    pool->counts.waited += waited;
    if (waited > pool->counts.longest_wait)
        pool->counts.longest_wait = waited;
    if (r != -ETIMEDOUT || patience <= 0)
        return r;
    pool->counts.timeouts++;
    return hr_fail(r, "%s: no connection came free within %.3g s (%u are lent, %u wait)",
                   pool->ops->name, (double)patience / 1e6, pool->n_lent, pool->n_waiting);
}

static int wait_turn(hr_pool *pool, void **ret)
{
    if (pool->closed)
        return hr_fail(HR_ECLOSED, "%s: the pool is closed", pool->ops->name);
    struct borrower borrower = {0};
    hr_event_init(&borrower.served);
    hr_list_append(&pool->borrowers, &borrower.link);
    pool->n_waiting++;
    serve(pool);

    int r = wait_served(pool, &borrower);
    hr_list_remove(&borrower.link);
    pool->n_waiting--;
    if (r < 0 && borrower.entry) {
        hr_pool_release(pool, borrower.entry->conn, HR_POOL_CLEAN);
    } else if (r >= 0 && borrower.entry) {
        *ret = borrower.entry->conn;
    } else if (r >= 0) {
        r = borrower.code;
        if (r == HR_ECLOSED)
            (void)hr_fail(r, "%s: the pool was closed", pool->ops->name);
        else if (pool->error.code == r)
            (void)hr_error_raise(&pool->error);
    }
    hr_event_done(&borrower.served);
    check_quiet(pool);
    return r;
}

static int acquire(hr_pool *pool, void **ret)
{
    while (!pool->closed && hr_list_empty(&pool->borrowers) && !hr_list_empty(&pool->idle)) {
        struct entry *entry;
        int r = check_idle(pool, take_idle(pool, pool->idle.next), &entry);
        if (r < 0)
            return r;
        if (entry) {
            lend(pool, entry);
            *ret = entry->conn;
            return 0;
        }
    }
    return wait_turn(pool, ret);
}

int hr_pool_acquire(hr_pool *pool, void **ret)
{
    if (!hr_current_task())
        return hr_fail(HR_ENOTASK, "%s: only a task can borrow a connection", pool->ops->name);
    pool->refs++; /* its owner may free it while we wait */
    int r = acquire(pool, ret);
    unref(pool);
    return r;
}

static struct entry *find_lent(hr_pool *pool, const void *conn)
{
    hr_list_foreach (node, &pool->lent) {
        struct entry *entry = hr_list_entry(node, struct entry, link);
        if (entry->conn == conn)
            return entry;
    }
    return NULL;
}

void hr_pool_release(hr_pool *pool, void *conn, enum hr_pool_return state)
{
    struct entry *entry = find_lent(pool, conn);
    hr_assert(entry);
    hr_list_remove(&entry->link);
    pool->n_lent--;

    if (state == HR_POOL_BROKEN) {
        destroy_entry(pool, entry, false);
    } else if (state == HR_POOL_CLEAN) {
        offer(pool, entry);
    } else if (!pool->ops->reset || is_outdated(pool, entry) || !hr_running_loop() ||
               start_worker(pool, reset_connection, entry) < 0) {
        destroy_entry(pool, entry, true);
    } else {
        pool->n_resetting++;
    }
    serve(pool);
    check_quiet(pool);
    unref(pool);
}

void hr_pool_flush(hr_pool *pool)
{
    pool->generation++;
    close_idle(pool);
    serve(pool);
}

/* From here on nothing is lent. What is out comes back to be closed. */
static void shut(hr_pool *pool)
{
    pool->closed = true;
    stop_timer(&pool->retry_timer);
    stop_timer(&pool->idle_timer);
    refuse_all(pool, HR_ECLOSED);
    close_idle(pool);
    hr_list_foreach_safe (node, &pool->workers)
        hr_task_cancel(hr_list_entry(node, struct worker, link)->task, "the pool is closed");
    check_quiet(pool);
}

int hr_pool_close(hr_pool *pool)
{
    if (!pool->closed)
        shut(pool);
    pool->refs++;
    int r = hr_event_wait(&pool->quiet);
    unref(pool);
    return r;
}

void hr_pool_terminate(hr_pool *pool)
{
    if (!pool->closed)
        shut(pool);
    hr_list_foreach (node, &pool->lent) {
        if (pool->ops->cut)
            pool->ops->cut(hr_list_entry(node, struct entry, link)->conn);
    }
}

void hr_pool_free(hr_pool *pool)
{
    if (!pool)
        return;
    if (!pool->closed)
        shut(pool);
    unref(pool);
}

void hr_pool_get_stats(const hr_pool *pool, struct hr_pool_stats *ret)
{
    *ret = pool->counts;
    ret->open = pool->n_idle + pool->n_lent + pool->n_resetting + pool->n_asked;
    ret->lent = pool->n_lent;
    ret->idle = pool->n_idle;
    ret->waiting = pool->n_waiting;
    ret->up = pool->up;
}
