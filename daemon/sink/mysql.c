/* SPDX-License-Identifier: MIT */
/*
 * Rows in MySQL or MariaDB: one statement a batch where it is a plain INSERT, else one a row, in
 * one transaction in either case.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/errors.h"
#include "daemon/retry.h"
#include "daemon/sink/columns.h"
#include "daemon/sink/commit.h"
#include "daemon/sink/isolate.h"
#include "daemon/sink/refusal.h"
#include "daemon/sink/rows.h"
#include "drivers/mysql/once.h"

/* So many rows at most go in one request with all the rest of the transaction: more are cheaper as
 * an array. After a refusal none do for a while, as more refusals are likely. */
#define ONCE_ROWS    16
#define ONCE_BYTES   (16 * 1024)
#define CAREFUL_SPAN hr_seconds(1)

/* So often at most are columns read again because of values that do not fit. */
#define LEARN_EVERY hr_seconds(1)

struct mysql_sink {
    struct sink sink;
    hr_mysql_pool *pool;
    struct ledger ledger;
    struct column *columns; /* of the parameters, in their order; all unknown until probed */
    hr_usec learned;        /* when they were read */
    hr_usec careful_until;  /* transactions go step by step */
};

/* One attempt at a batch's rows. */
struct attempt {
    struct mysql_sink *mysql;
    struct batch *batch;
    struct rows rows;
};

static bool keeps_ledger(const struct mysql_sink *mysql)
{
    return mysql->sink.conf->delivery == EXACTLY_ONCE;
}

static int learn_columns(struct mysql_sink *mysql)
{
    int r = columns_learn(mysql->pool, mysql->sink.conf, mysql->columns);
    if (r >= 0)
        mysql->learned = hr_now();
    return r;
}

static int mysql_probe(struct sink *sink)
{
    struct mysql_sink *mysql = hr_container_of(sink, struct mysql_sink, sink);
    int r = keeps_ledger(mysql) ? ledger_prepare(&mysql->ledger) : 0;
    return r >= 0 ? learn_columns(mysql) : r;
}

/* Might the values that did not fit their columns fit today's? Somebody may have changed the table
 * since its columns were read, and tries the item again, or goes on pushing. */
static bool is_in_doubt(const struct mysql_sink *mysql, const struct batch *batch)
{
    bool old = hr_now() - mysql->learned >= LEARN_EVERY;
    for (size_t i = 0; i < batch->n; i++) {
        const struct item *item = &batch->items[i];
        if (item->fate != FATE_LIVE && !item->settled && (old || item->envelope))
            return true;
    }
    return false;
}

/* Binds the live items to the columns, which are read anew where that may save one. */
static int bind_rows(struct mysql_sink *mysql, struct batch *batch, struct rows *ret)
{
    const struct job_conf *conf = mysql->sink.conf;
    int r = rows_bind(conf, mysql->columns, batch, ret);
    if (r < 0 || !conf->sink.table || !is_in_doubt(mysql, batch))
        return r;
    r = learn_columns(mysql);
    if (r == -ECANCELED)
        return r;
    if (r < 0) /* committing will meet whatever it is, and judge it */
        return 0;
    batch_rewind(batch);
    return rows_bind(conf, mysql->columns, batch, ret);
}

static int send_rows(void *arg, hr_mysql_tx *tx, size_t from, size_t n)
{
    struct attempt *attempt = arg;
    const struct sink_conf *conf = &attempt->mysql->sink.conf->sink;
    if (conf->table)
        return hr_mysql_bulk(tx, conf->sql, attempt->rows.columns, attempt->rows.n_params, from, n);

    struct hr_mysql_arg *args = arena_alloc(attempt->batch->arena, conf->n_params * sizeof(*args));
    if (!args)
        return hr_fail(-ENOMEM, "batch %s: no memory for its rows", attempt->batch->id);
    for (size_t k = 0; k < conf->n_params; k++)
        args[k] = rows_arg(&attempt->rows, from, k);
    return hr_mysql_exec(tx, conf->sql, (struct hr_mysql_args){args, conf->n_params});
}

static int send_once(void *arg, hr_mysql_tx *tx, const char *ledger_row)
{
    const struct attempt *attempt = arg;
    const struct rows *rows = &attempt->rows;
    struct mysql_sink *mysql = attempt->mysql;
    if (rows->n > ONCE_ROWS || attempt->batch->bytes > ONCE_BYTES ||
        hr_now() < mysql->careful_until)
        return -ENOTSUP;
    int r = hr_mysql_once(tx, ledger_row, mysql->sink.conf->sink.sql, rows->columns, rows->n_params,
                          rows->n);
    if (r == HR_EREPLY)
        mysql->careful_until = hr_later(hr_now(), CAREFUL_SPAN);
    return r;
}

/* What a duplicate key means here: the job's word, or, without a ledger, that an earlier attempt of
 * this batch had gone in after all. */
static bool is_done_already(const struct attempt *attempt, const struct hr_error *error)
{
    if (error->native != ER_DUP_ENTRY)
        return false;
    bool again = attempt->batch->inherited || attempt->batch->unknown;
    return attempt->mysql->sink.conf->sink.on_duplicate == DUPLICATE_IGNORE ||
           (!keeps_ledger(attempt->mysql) && again);
}

static bool refused_ahead(void *arg, hr_mysql_tx *tx)
{
    return hr_mysql_ahead_refused(tx);
}

static int find_refused_row(void *arg, hr_mysql_tx *tx)
{
    return hr_mysql_refused_row(tx);
}

static int row_refused(void *arg, size_t row, int code, const struct hr_error *error)
{
    struct attempt *attempt = arg;
    struct batch *batch = attempt->batch;
    size_t i = attempt->rows.items[row];
    if (is_done_already(attempt, error)) {
        batch->items[i].fate = FATE_DUPLICATE;
        return 0;
    }
    struct failure failure;
    refusal_explain(error, code, &attempt->rows, row, &failure);
    if (error_classify(code, error) == CLASS_UNKNOWN)
        retry_or_bury(attempt->mysql->sink.conf, batch, i, &failure);
    else
        batch_fail(batch, i, FATE_DEAD, &failure);
    return 0;
}

/* The rows of a statement that cannot run in bulk go one by one. */
static int write_rows(void *arg, hr_mysql_tx *tx, struct batch *batch)
{
    struct attempt *attempt = arg;
    struct isolate isolate = {
        .tx = tx,
        .arg = attempt,
        .send = send_rows,
        .refused_ahead = refused_ahead,
        .refused_row = find_refused_row,
        .refused = row_refused,
        .rows = attempt->rows.n,
    };
    if (attempt->mysql->sink.conf->sink.table)
        return isolate_send(&isolate, 0, attempt->rows.n);
    int r = 0;
    for (size_t row = 0; row < attempt->rows.n && r >= 0; row++)
        r = isolate_send(&isolate, row, 1);
    return r;
}

static int mysql_ask(struct sink *sink, struct batch *batch, enum ledger_answer *ret)
{
    struct mysql_sink *mysql = hr_container_of(sink, struct mysql_sink, sink);
    if (!keeps_ledger(mysql)) {
        *ret = LEDGER_UNKNOWN;
        return 0;
    }
    return commit_ask(sink, mysql->pool, &mysql->ledger, batch, ret);
}

static int mysql_commit(struct sink *sink, struct batch *batch, enum verdict verdict)
{
    struct mysql_sink *mysql = hr_container_of(sink, struct mysql_sink, sink);
    struct attempt attempt = {.mysql = mysql, .batch = batch};
    if (verdict == VERDICT_ITEMS) {
        int r = bind_rows(mysql, batch, &attempt.rows);
        if (r < 0)
            return r;
        batch_settle(batch);
    }
    struct commit commit = {
        .sink = sink,
        .pool = mysql->pool,
        .ledger = keeps_ledger(mysql) ? &mysql->ledger : NULL,
        .plain = sink->conf->sink.table != NULL,
        .once = sink->conf->sink.table ? send_once : NULL,
        .rows = write_rows,
        .arg = &attempt,
    };
    return commit_batch(&commit, batch, verdict);
}

static void mysql_free(struct sink *sink)
{
    struct mysql_sink *mysql = hr_container_of(sink, struct mysql_sink, sink);
    free(mysql->columns);
    free(mysql);
}

static const struct sink_ops mysql_ops = {
    .kind = "mysql",
    .probe = mysql_probe,
    .ask = mysql_ask,
    .commit = mysql_commit,
    .free = mysql_free,
};

struct sink *sink_mysql_new(const struct job_conf *conf, hr_mysql_pool *pool, const char *queue)
{
    struct mysql_sink *mysql = calloc(1, sizeof(*mysql));
    if (!mysql)
        return NULL;
    mysql->sink = (struct sink){.ops = &mysql_ops, .conf = conf};
    mysql->pool = pool;
    mysql->ledger.pool = pool;
    snprintf(mysql->ledger.queue, sizeof(mysql->ledger.queue), "%s", queue);
    mysql->columns = calloc(conf->sink.n_params + 1, sizeof(*mysql->columns));
    if (!mysql->columns) {
        mysql_free(&mysql->sink);
        return NULL;
    }
    for (size_t k = 0; k < conf->sink.n_params; k++)
        mysql->columns[k].name = conf->sink.params[k].name;
    return &mysql->sink;
}
