/* SPDX-License-Identifier: MIT */
/*
 * How a pool keeps its promises: tasks of its own open and reset connections, so that a borrower
 * who is cancelled wastes none, and whoever waits longest gets the next one.
 *
 * Waiting borrowers, loans and tasks each hold a reference, so the pool may be freed at any moment.
 */
#include "drivers/pool.h"

#include <stdio.h>

#include "core/timeout.h"
#include "drivers/pool_impl.h"

static const struct hr_backoff default_backoff = {
    .first = 100000, .max = 10000000, .factor = 2, .jitter = true};

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
    hr__pool_serve(pool);
    return pool;
}

void hr__pool_unref(hr_pool *pool)
{
    if (--pool->refs > 0)
        return;
    hr_event_done(&pool->quiet);
    hr_error_done(&pool->error);
    free(pool);
}

unsigned hr__pool_count(const hr_pool *pool)
{
    return pool->n_idle + pool->n_lent + pool->n_opening + pool->n_resetting + pool->n_asked;
}

void hr__pool_check_quiet(hr_pool *pool)
{
    if (pool->closed && hr__pool_count(pool) == 0 && pool->n_waiting == 0)
        hr_event_set(&pool->quiet);
}

void hr__pool_destroy(hr_pool *pool, struct hr__pool_entry *entry, bool polite)
{
    pool->counts.closed++;
    pool->ops->close(entry->conn, polite);
    free(entry);
}

struct hr__pool_entry *hr__pool_take_idle(hr_pool *pool, struct hr_list *node)
{
    hr_list_remove(node);
    pool->n_idle--;
    return hr_list_entry(node, struct hr__pool_entry, link);
}

void hr__pool_close_idle(hr_pool *pool)
{
    while (!hr_list_empty(&pool->idle))
        hr__pool_destroy(pool, hr__pool_take_idle(pool, pool->idle.next), true);
}

static void stop_timer(hr_handle **timer)
{
    hr_handle_cancel(*timer); /* the loop may have dropped it */
    *timer = hr_handle_unref(*timer);
}

bool hr__pool_at_home(hr_pool *pool)
{
    uint64_t here = hr_running_loop_number();
    if (pool->home == 0)
        pool->home = here;
    return here != 0 && here == pool->home;
}

int hr_pool_check_loop(hr_pool *pool)
{
    if (!hr_running_loop() || hr__pool_at_home(pool))
        return 0;
    return hr_fail(HR_EWRONGLOOP, "%s: the pool belongs to another loop", pool->ops->name);
}

bool hr__pool_outdated(hr_pool *pool, const struct hr__pool_entry *entry)
{
    return pool->closed || !hr__pool_at_home(pool) || entry->generation != pool->generation ||
           hr_now() >= entry->retire;
}

static void lend(hr_pool *pool, struct hr__pool_entry *entry)
{
    hr_list_prepend(&pool->lent, &entry->link);
    pool->n_lent++;
    pool->refs++;
}

void hr__pool_offer(hr_pool *pool, struct hr__pool_entry *entry)
{
    if (hr__pool_outdated(pool, entry)) {
        hr__pool_destroy(pool, entry, true);
        return;
    }
    struct hr_list *first = hr_list_pop(&pool->borrowers);
    if (first) {
        struct hr__pool_borrower *borrower = hr_list_entry(first, struct hr__pool_borrower, link);
        borrower->entry = entry;
        lend(pool, entry);
        hr_event_set(&borrower->served);
        return;
    }
    entry->used = hr_now();
    hr_list_prepend(&pool->idle, &entry->link);
    pool->n_idle++;
    hr__pool_arm_idle_timer(pool);
}

void hr__pool_refuse_all(hr_pool *pool, int code)
{
    struct hr_list *node;
    while ((node = hr_list_pop(&pool->borrowers))) {
        struct hr__pool_borrower *borrower = hr_list_entry(node, struct hr__pool_borrower, link);
        borrower->code = code;
        hr_event_set(&borrower->served);
    }
}

/* How long somebody has been without a connection, and may be. */
struct wish {
    hr_usec since, deadline;
};

static struct wish wish_now(const hr_pool *pool)
{
    hr_usec now = hr_now(), patience = pool->options.patience;
    return (struct wish){now, patience > 0 ? hr_later(now, patience) : HR_FOREVER};
}

static int lose_patience(hr_pool *pool)
{
    const struct hr_error *why = &pool->error;
    pool->counts.timeouts++;
    if (pool->n_lent == 0 && hr__pool_endures(pool)) /* says more than how long that was */
        return hr_fail_native(-ETIMEDOUT, why->native, why->state, why->kind, false, "%s",
                              why->message);
    return hr_fail(-ETIMEDOUT, "%s: no connection came free within %.3g s (%u lent, %u waiting)",
                   pool->ops->name, (double)pool->options.patience / 1e6, pool->n_lent,
                   pool->n_waiting);
}

static void note_wait(hr_pool *pool, const struct wish *wish)
{
    hr_usec waited = hr_now() - wish->since;
    pool->counts.waits++;
    pool->counts.waited += waited;
    if (waited > pool->counts.longest_wait)
        pool->counts.longest_wait = waited;
}

/* Has one that idled long say that it is well, on the time of who wants it. False: it is of no use;
 * *ret is why he gets no other one either, or 0. */
static bool ask(hr_pool *pool, const struct hr__pool_entry *entry, const struct wish *wish,
                int *ret)
{
    struct hr_timeout limit = {0};
    *ret = hr_timeout_enter_at(&limit, wish->deadline);
    if (*ret < 0)
        return false;
    pool->n_asked++;
    pool->counts.pinged++;
    int r = hr_timeout_leave(&limit, pool->ops->ping(entry->conn));
    pool->n_asked--;
    if (r == -ECANCELED) {
        *ret = r;
    } else if (r < 0 && hr_timeout_expired(&limit)) {
        note_wait(pool, wish);
        *ret = lose_patience(pool);
    }
    return r >= 0;
}

/* A connection that idled is looked at before it is lent again. 0, or -ECANCELED, -ETIMEDOUT; *ret
 * is NULL when it was of no use. */
static int check_idle(hr_pool *pool, struct hr__pool_entry *entry, const struct wish *wish,
                      struct hr__pool_entry **ret)
{
    *ret = NULL;
    if (hr__pool_outdated(pool, entry)) {
        hr__pool_destroy(pool, entry, true);
        return 0;
    }
    if (pool->ops->alive && !pool->ops->alive(entry->conn)) {
        hr__pool_destroy(pool, entry, false);
        return 0;
    }
    if (pool->ops->ping && hr_later(entry->used, pool->options.ping_after) <= wish->since) {
        int r;
        bool well = ask(pool, entry, wish, &r);
        if (!well || hr__pool_outdated(pool, entry)) {
            hr__pool_destroy(pool, entry, well);
            hr__pool_serve(pool);
            hr__pool_check_quiet(pool);
            return r;
        }
    }
    *ret = entry;
    return 0;
}

static int wait_served(hr_pool *pool, struct hr__pool_borrower *borrower, const struct wish *wish)
{
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter_at(&limit, wish->deadline);
    if (r < 0)
        return r;
    r = hr_timeout_leave(&limit, hr_event_wait_as(&borrower->served, "a free connection"));
    note_wait(pool, wish);
    return r == -ETIMEDOUT ? lose_patience(pool) : r;
}

static int wait_turn(hr_pool *pool, const struct wish *wish, void **ret)
{
    if (pool->closed)
        return hr_fail(HR_ECLOSED, "%s: the pool is closed", pool->ops->name);
    struct hr__pool_borrower borrower = {0};
    hr_event_init(&borrower.served);
    hr_list_append(&pool->borrowers, &borrower.link);
    pool->n_waiting++;
    hr__pool_serve(pool);

    int r = wait_served(pool, &borrower, wish);
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
    hr__pool_check_quiet(pool);
    return r;
}

static int acquire(hr_pool *pool, void **ret)
{
    const struct wish wish = wish_now(pool);
    while (!pool->closed && hr_list_empty(&pool->borrowers) && !hr_list_empty(&pool->idle)) {
        struct hr__pool_entry *entry;
        int r = check_idle(pool, hr__pool_take_idle(pool, pool->idle.next), &wish, &entry);
        if (r < 0)
            return r;
        if (entry) {
            lend(pool, entry);
            *ret = entry->conn;
            return 0;
        }
    }
    return wait_turn(pool, &wish, ret);
}

int hr_pool_acquire(hr_pool *pool, void **ret)
{
    if (!hr_current_task())
        return hr_fail(HR_ENOTASK, "%s: only a task can borrow from a pool", pool->ops->name);
    int r = hr_pool_check_loop(pool);
    if (r < 0)
        return r;
    pool->refs++; /* its owner may free it while we wait */
    r = acquire(pool, ret);
    hr__pool_unref(pool);
    return r;
}

static struct hr__pool_entry *find_lent(hr_pool *pool, const void *conn)
{
    hr_list_foreach (node, &pool->lent) {
        struct hr__pool_entry *entry = hr_list_entry(node, struct hr__pool_entry, link);
        if (entry->conn == conn)
            return entry;
    }
    return NULL;
}

void hr_pool_not_lent(const char *call)
{
    fprintf(stderr, "headrace: %s: this connection was given back before\n", call);
    abort();
}

void hr_pool_release(hr_pool *pool, void *conn, enum hr_pool_return state)
{
    struct hr__pool_entry *entry = find_lent(pool, conn);
    if (!entry)
        hr_pool_not_lent("hr_pool_release()");
    hr_list_remove(&entry->link);
    pool->n_lent--;

    if (state == HR_POOL_BROKEN) {
        hr__pool_destroy(pool, entry, false);
    } else if (state == HR_POOL_CLEAN) {
        hr__pool_offer(pool, entry);
    } else if (!pool->ops->reset || hr__pool_outdated(pool, entry) ||
               hr__pool_start_reset(pool, entry) < 0) {
        hr__pool_destroy(pool, entry, true);
    } else {
        pool->n_resetting++;
    }
    hr__pool_serve(pool);
    hr__pool_check_quiet(pool);
    hr__pool_unref(pool);
}

void hr_pool_flush(hr_pool *pool)
{
    pool->generation++;
    hr__pool_close_idle(pool);
    hr__pool_serve(pool);
}

/* From here on nothing is lent. What is out comes back to be closed. */
static void shut(hr_pool *pool)
{
    pool->closed = true;
    stop_timer(&pool->retry_timer);
    stop_timer(&pool->idle_timer);
    hr__pool_refuse_all(pool, HR_ECLOSED);
    hr__pool_close_idle(pool);
    hr_list_foreach_safe (node, &pool->workers)
        hr_task_cancel(hr_list_entry(node, struct hr__pool_worker, link)->task,
                       "the pool is closed");
    hr__pool_check_quiet(pool);
}

int hr_pool_close(hr_pool *pool)
{
    int r = hr_pool_check_loop(pool);
    if (r < 0)
        return r;
    if (!pool->closed)
        shut(pool);
    pool->refs++;
    r = hr_event_wait_as(&pool->quiet, "what is lent to come back");
    hr__pool_unref(pool);
    return r;
}

void hr_pool_terminate(hr_pool *pool)
{
    if (!pool->closed)
        shut(pool);
    hr_list_foreach (node, &pool->lent) {
        if (pool->ops->cut)
            pool->ops->cut(hr_list_entry(node, struct hr__pool_entry, link)->conn);
    }
}

void hr_pool_free(hr_pool *pool)
{
    if (!pool)
        return;
    if (!pool->closed)
        shut(pool);
    hr__pool_unref(pool);
}

void hr_pool_get_stats(const hr_pool *pool, struct hr_pool_stats *ret)
{
    *ret = (struct hr_pool_stats){0};
    if (!pool)
        return;
    *ret = pool->counts;
    ret->open = pool->n_idle + pool->n_lent + pool->n_resetting + pool->n_asked;
    ret->lent = pool->n_lent;
    ret->idle = pool->n_idle;
    ret->waiting = pool->n_waiting;
    ret->up = pool->up;
}
