/* SPDX-License-Identifier: MIT */
/*
 * One attempt is a transaction. However it fails, the next one starts from its beginning, and the
 * ledger's primary key tells whether an attempt of unknown outcome had gone in.
 */
#include "daemon/sink/commit.h"

#include "daemon/errors.h"
#include "daemon/item/plural.h"
#include "drivers/backoff.h"

/* Codes of one attempt besides those of the drivers. */
enum {
    ALREADY_DECIDED = -2101, /* the ledger has a row of this id */
    LEASE_UNSURE = -2102,    /* renew first */
};

static int finish(struct hr_mysql_conn *tx)
{
    /* A statement that commits by itself (DDL, a procedure) has torn the transaction apart. */
    if (!hr_mysql_in_transaction(tx))
        return hr_fail(MISCONFIGURED,
                       "the statement ends the transaction it runs in; it must not commit");
    return hr_mysql_commit(tx);
}

/* The ledger's insert was refused because its row is there. */
static bool is_decided(int code)
{
    return code == HR_EREPLY && hr_last_error()->native == ER_DUP_ENTRY;
}

static bool is_unknown(int code)
{
    return code == HR_ELOST || code == -ETIMEDOUT || code == -ECANCELED;
}

/* One attempt: how it goes about it, and what is known when it has failed. */
struct trial {
    enum verdict verdict;
    bool careful; /* an earlier one took too long: rows go once the server has answered what is
                     before them, so it is told whether they are what takes the time */
    bool in_rows; /* the rows were under way, and the server there */
    bool unknown; /* the COMMIT was sent and its outcome is not known */
};

/* The batch may be begun with now, as far as its lease tells. */
static int begun(struct batch *batch)
{
    batch->begun = true;
    if (batch_expired(batch))
        return hr_fail(LEASE_UNSURE, "waiting for the lease to be renewed");
    return 0;
}

/* The same steps in one request, where there is nothing to tell of any item but that it is in. The
 * connection was alive before the look at the lease: one that sleeps through a freeze between that
 * and the request is closed by the server, as one that has begun is. */
static int transact_at_once(struct commit *commit, struct batch *batch, hr_mysql_tx *tx,
                            struct trial *trial)
{
    if (!commit->once || !commit->ledger || trial->careful || batch_count(batch, FATE_DEAD) > 0 ||
        batch_count(batch, FATE_RETRY) > 0)
        return -ENOTSUP;
    int r = begun(batch);
    if (r < 0)
        return r;
    char sql[LEDGER_SQL_MAX];
    ledger_sql(commit->ledger, batch, sql);
    r = commit->once(commit->arg, tx, sql);
    trial->unknown = is_unknown(r);
    return r;
}

/* Protocol 4.4, steps 1 to 6. */
static int transact(struct commit *commit, struct batch *batch, struct trial *trial)
{
    hr_auto(hr_mysql_tx_end) hr_mysql_tx *tx = NULL;
    int r = hr_mysql_tx_acquire(commit->pool, &tx);
    if (r < 0)
        return r;
    bool rows = trial->verdict == VERDICT_ITEMS && batch_count(batch, FATE_LIVE) > 0;
    r = rows ? transact_at_once(commit, batch, tx, trial) : -ENOTSUP;
    bool refused = r == HR_EREPLY && error_classify(r, hr_last_error()) != CLASS_TRANSIENT;
    if (!refused && r != -ENOTSUP)
        return r;
    /* Step by step, which shows what it was that was refused. A conflict is no matter of what was
     * sent: after that comes another attempt, with as much time as this one had. */
    r = hr_mysql_restart(tx);
    if (r >= 0)
        r = begun(batch);
    if (r < 0)
        return r;

    bool ahead = rows && commit->plain && !trial->careful;
    if (commit->ledger) {
        r = ledger_insert(commit->ledger, tx, batch, ahead);
        if (r < 0)
            return is_decided(r) ? ALREADY_DECIDED : r;
    } else if (trial->careful) {
        r = hr_mysql_exec(tx, "DO 0", HR_NO_ARGS);
        if (r < 0)
            return r;
    }
    trial->in_rows = rows && trial->careful;
    if (rows)
        r = commit->rows(commit->arg, tx, batch);
    trial->in_rows &= r < 0;
    if (r >= 0 && commit->ledger)
        r = ledger_decide(tx, batch, trial->verdict);
    if (r < 0)
        return hr_mysql_ahead_refused(tx) && is_decided(r) ? ALREADY_DECIDED : r;
    r = finish(tx);
    trial->unknown = is_unknown(r);
    return r;
}

/* A transaction within the job's time limit: running into it closes the connection, which rolls
 * back what was not committed. */
static int attempt(struct commit *commit, struct batch *batch, struct trial *trial)
{
    struct hr_timeout limit = {0};
    int r = hr_timeout_enter(&limit, commit->sink->conf->timeout);
    if (r < 0)
        return r;
    r = hr_timeout_leave(&limit, transact(commit, batch, trial));
    if (r == -ETIMEDOUT && hr_timeout_expired(&limit))
        return hr_fail(r, "no end of a transaction within limits.timeout");
    return r;
}

/* Was it for want of time that the attempt failed? */
static bool out_of_time(int code)
{
    int native = code == HR_EREPLY ? hr_last_error()->native : 0;
    return code == -ETIMEDOUT || native == ER_STATEMENT_TIMEOUT || native == ER_QUERY_TIMEOUT;
}

/* An attempt ran out of time. The first time it may have been the server, or the way there, or an
 * attempt before it that still held its locks; SINK_TOO_SLOW when it was surely the rows. */
static int judge_slowness(struct batch *batch, struct trial *trial, int code)
{
    trial->careful = true;
    if (!trial->in_rows)
        return code;
    batch_rewind(batch);
    return hr_fail(SINK_TOO_SLOW,
                   "a transaction of %zu %s ran out of time: limits.timeout, or what the server "
                   "grants a statement",
                   batch->n, plural(batch->n, "item", "items"));
}

/* Learns from the ledger what another owner, or an attempt of ours, had decided. 0: final. */
static int learn(struct commit *commit, struct batch *batch)
{
    enum ledger_answer answer;
    int r = ledger_ask(commit->ledger, batch, &answer);
    if (r < 0)
        return r;
    if (answer == LEDGER_COLLISION) {
        batch->collided = true;
        return SINK_NOT_OURS;
    }
    /* Its row can be gone again only by the sweep, which spares batches that Redis holds. */
    if (answer == LEDGER_UNKNOWN)
        return hr_fail(LEASE_UNSURE, "its ledger row came and went");
    batch->learned = true;
    return 0;
}

/* May the attempt that failed like this be made again? */
static bool try_again(struct commit *commit, int code, bool unknown)
{
    if (code == LEASE_UNSURE)
        return true;
    if (unknown) /* R5: only another attempt can tell, and without a ledger it may double */
        return commit->sink->conf->delivery != AT_MOST_ONCE;
    return error_is_outage(error_classify(code, hr_last_error()));
}

/* Waits before the next attempt: in an outage longer and longer, after a conflict only for a
 * moment.
 */
static int wait_for_sink(struct sink *sink, hr_mysql_pool *pool, struct batch *batch, int code,
                         struct hr_backoff *outage)
{
    enum error_class class = error_classify(code, hr_last_error());
    struct hr_backoff soon = {hr_ms(5), hr_ms(50), 1, true, 0};
    struct hr_backoff *backoff = class == CLASS_TRANSIENT ? &soon : outage;
    if (class == CLASS_FAILOVER)
        hr_mysql_pool_flush(pool);
    return sink->wait(sink->cookie, batch, code, hr_backoff_next(backoff));
}

static struct hr_backoff longer_and_longer(void)
{
    return (struct hr_backoff){hr_ms(50), hr_seconds(3), 2, true, 0};
}

int commit_ask(struct sink *sink, hr_mysql_pool *pool, struct ledger *ledger, struct batch *batch,
               enum ledger_answer *ret)
{
    struct hr_backoff outage = longer_and_longer();
    while (!batch->stale) {
        int r = ledger_ask(ledger, batch, ret);
        if (r >= 0) {
            batch->collided = *ret == LEDGER_COLLISION;
            batch->learned = *ret == LEDGER_ITEMS || *ret == LEDGER_SPLIT;
            return batch->collided ? SINK_NOT_OURS : 0;
        }
        if (r != -ECANCELED && error_is_outage(error_classify(r, hr_last_error())))
            r = wait_for_sink(sink, pool, batch, r, &outage);
        if (r < 0)
            return r;
    }
    return SINK_NOT_OURS;
}

int commit_batch(struct commit *commit, struct batch *batch, enum verdict verdict)
{
    struct hr_backoff outage = longer_and_longer();
    struct trial trial = {.verdict = verdict};
    while (!batch->stale) {
        trial = (struct trial){.verdict = verdict, .careful = trial.careful};
        int r = attempt(commit, batch, &trial);
        batch->unknown |= trial.unknown;
        if (out_of_time(r))
            r = judge_slowness(batch, &trial, r);
        if (r == ALREADY_DECIDED)
            r = learn(commit, batch);
        else if (r >= 0)
            batch->split = verdict == VERDICT_SPLIT;
        if (r >= 0)
            return 0;
        if (r == -ECANCELED || r == SINK_NOT_OURS || r == SINK_TOO_SLOW ||
            !try_again(commit, r, trial.unknown))
            return r;
        r = wait_for_sink(commit->sink, commit->pool, batch, r, &outage);
        if (r < 0)
            return r;
        batch_rewind(batch);
    }
    return SINK_NOT_OURS;
}
