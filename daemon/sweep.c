/* SPDX-License-Identifier: MIT */
#include "daemon/sweep.h"

#include <stdio.h>
#include <string.h>

#include "daemon/errors.h"
#include "daemon/log.h"
#include "daemon/lua/scripts.h"
#include "drivers/mysql/row.h"

#define EVERY   hr_seconds(180)
#define AT_ONCE 500

/* How far a sweep has come: rows that Redis holds stay, and are passed by. */
struct place {
    char touched[32], id[33];
};

static const struct place beginning = {"1970-01-02 00:00:00", ""};

/* One daemon at a time sweeps the rows of a list; whoever comes second leaves it alone. */
static int lock(struct sweep *sweep, hr_mysql_conn *conn)
{
    char name[64];
    snprintf(name, sizeof(name), "headrace_sweep_%s", sweep->ledger.queue);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    int r = hr_mysql_query(conn, &result, "SELECT GET_LOCK(?, 0)", HR_ARGS(hr_s(name)));
    return r < 0 ? r : r > 0 && hr_mysql_int(result, 0, 0) == 1;
}

static int unlock(struct sweep *sweep, hr_mysql_conn *conn)
{
    char name[64];
    snprintf(name, sizeof(name), "headrace_sweep_%s", sweep->ledger.queue);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    return hr_mysql_query(conn, &result, "SELECT RELEASE_LOCK(?)", HR_ARGS(hr_s(name)));
}

/* The next old rows behind *after, oldest first. */
static int find_old(struct sweep *sweep, hr_mysql_conn *conn, const struct place *after,
                    hr_mysql_result **ret)
{
    return hr_mysql_query(
        conn, ret,
        "SELECT LOWER(HEX(id)), CAST(touched AS CHAR) FROM headrace_ledger WHERE queue = UNHEX(?) "
        "AND touched >= ? AND (touched > ? OR id > UNHEX(?)) AND "
        "touched < NOW() - INTERVAL ? SECOND ORDER BY touched, id LIMIT ?",
        HR_ARGS(hr_s(sweep->ledger.queue), hr_s(after->touched), hr_s(after->touched),
                hr_s(after->id), hr_i(sweep->keep / 1000000), hr_i(AT_ONCE)));
}

/* Which of the rows' batches does Redis still hold? Not reachable: nothing is swept. */
static int ask_redis(struct sweep *sweep, const hr_mysql_result *rows, size_t n, hr_reply **ret)
{
    struct hr_redis_arg ids[AT_ONCE];
    for (size_t i = 0; i < n; i++)
        ids[i] = hr_redis_str(hr_mysql_text(rows, i, 0, NULL));
    const struct hr_redis_arg own = hr_redis_str(sweep->queue->own);
    return queue_ask(sweep->queue, ret, &(struct queue_call){&script_known, &own, ids, 1, n});
}

/* Deletes the rows that Redis does not hold, in one statement. How many went, or a code. */
static int delete_rows(struct sweep *sweep, hr_mysql_conn *conn, const hr_mysql_result *rows,
                       size_t n, const hr_reply *held)
{
    char sql[128 + AT_ONCE * 36];
    size_t len = (size_t)snprintf(sql, sizeof(sql),
                                  "DELETE FROM headrace_ledger WHERE touched < NOW() - INTERVAL "
                                  "%lld SECOND AND id IN (",
                                  (long long)(sweep->keep / 1000000));
    size_t chosen = 0;
    for (size_t i = 0; i < n; i++) {
        if (hr_reply_int(hr_reply_at(held, i)) == 1)
            continue;
        len += (size_t)snprintf(sql + len, sizeof(sql) - len, "%s0x%s", chosen ? "," : "",
                                hr_mysql_text(rows, i, 0, NULL));
        chosen++;
    }
    if (chosen == 0)
        return 0;
    snprintf(sql + len, sizeof(sql) - len, ")");
    return hr_mysql_exec(conn, sql, HR_NO_ARGS);
}

/* Sweeps up to AT_ONCE rows behind *place and moves it on; *ret_found says how many were old
 * enough. How many went, or a code. */
static int sweep_some(struct sweep *sweep, hr_mysql_conn *conn, struct place *place, int *ret_found)
{
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    hr_auto(hr_reply_freep) hr_reply *held = NULL;
    int n = find_old(sweep, conn, place, &rows);
    if (n <= 0) {
        *ret_found = 0;
        return n;
    }
    int r = ask_redis(sweep, rows, (size_t)n, &held);
    if (r >= 0)
        r = delete_rows(sweep, conn, rows, (size_t)n, held);
    if (r < 0)
        return r;
    size_t last = (size_t)n - 1;
    snprintf(place->id, sizeof(place->id), "%s", hr_mysql_text(rows, last, 0, NULL));
    snprintf(place->touched, sizeof(place->touched), "%s", hr_mysql_text(rows, last, 1, NULL));
    *ret_found = n;
    return r;
}

int sweep_once(struct sweep *sweep)
{
    hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = NULL;
    int r = hr_mysql_acquire(sweep->ledger.pool, &conn);
    if (r >= 0)
        r = lock(sweep, conn);
    if (r <= 0)
        return r;
    struct place place = beginning;
    int deleted = 0, found = 0;
    do {
        r = sweep_some(sweep, conn, &place, &found);
        deleted += r > 0 ? r : 0;
    } while (r >= 0 && found == AT_ONCE);
    int unlocked = unlock(sweep, conn);
    sweep->swept += (uint64_t)deleted;
    if (r >= 0)
        r = unlocked;
    return r < 0 ? r : deleted;
}

int sweep_run(void *arg)
{
    struct sweep *sweep = arg;
    for (;;) {
        int r = hr_event_wait(sweep->able);
        if (r >= 0)
            r = sweep_once(sweep);
        if (r < 0 && r != -ECANCELED)
            log_job(LOG_WARNING, sweep->queue->conf->name, error_classify(r, hr_last_error()),
                    "sweeping the ledger: %s; again in %lld s", hr_error_message(r),
                    (long long)(EVERY / 1000000));
        if (r != -ECANCELED)
            r = hr_sleep(EVERY);
        if (r == -ECANCELED)
            return r;
    }
}
