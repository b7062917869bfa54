/* SPDX-License-Identifier: MIT */
/*
 * One attempt is a transaction. However it fails, the next one starts from its beginning, and the
 * ledger's primary key tells whether an attempt of unknown outcome had gone in.
 */
#include "daemon/sink/commit.h"

#include "drivers/backoff.h"

#define ER_DUP_ENTRY 1062

/* Codes of one attempt besides those of the drivers. */
enum {
    ALREADY_DECIDED = -2101, /* the ledger has a row of this id */
    LEASE_UNSURE = -2102,    /* renew first */
};

static int finish(struct hr_mysql_conn *tx)
{
    /* A statement that commits by itself (DDL, a procedure) has torn the transaction apart. */
    if (!hr_mysql_in_transaction(tx))
        return hr_fail_native(HR_EREPLY, 1064, "42000", NULL, true,
                              "the statement ended the transaction it ran in; it must not commit");
    return hr_mysql_commit(tx);
}

/* Protocol 4.4, steps 1 to 6. *ret_unknown: the COMMIT was sent and its outcome is not known. */
static int attempt(struct commit *commit, struct batch *batch, enum verdict verdict,
                   bool *ret_unknown)
{
    hr_auto(hr_mysql_tx_end) hr_mysql_tx *tx = NULL;
    int r = hr_mysql_begin(commit->pool, &tx);
    if (r < 0)
        return r;
    batch->begun = true;
    if (batch_expired(batch))
        return LEASE_UNSURE;

    if (commit->ledger) {
        r = ledger_insert(commit->ledger, tx, batch);
        if (r == HR_EREPLY && hr_last_error()->native == ER_DUP_ENTRY)
            return ALREADY_DECIDED;
        if (r < 0)
            return r;
    }
    if (verdict == VERDICT_ITEMS && batch_count(batch, FATE_LIVE) > 0)
        r = commit->rows(commit->arg, tx, batch);
    if (r >= 0 && commit->ledger)
        r = ledger_decide(tx, batch, verdict);
    if (r < 0)
        return r;
    r = finish(tx);
    *ret_unknown = r < 0 && r != -ENOTCONN && r != HR_EREPLY;
    return r;
}

/* Learns from the ledger what another owner, or an attempt of ours, had decided. 0: final. */
static int learn(struct commit *commit, struct batch *batch)
{
    enum ledger_answer answer;
    int r = ledger_ask(commit->ledger, batch, &answer);
    if (r < 0)
        return r;
    switch (answer) {
    case LEDGER_UNKNOWN: /* its row went in this instant: begin again */
        return LEASE_UNSURE;
    case LEDGER_COLLISION:
        batch->collided = true;
        return SINK_NOT_OURS;
    case LEDGER_SPLIT:
    case LEDGER_ITEMS:
    default:
        return 0;
    }
}

/* Waits before the next attempt: outages longer and longer, a conflict only for a moment. */
static int pause_for(struct commit *commit, enum error_class class, struct hr_backoff *outage)
{
    if (commit->sink->stopping)
        return SINK_STOPPED;
    if (class == CLASS_FAILOVER)
        hr_mysql_pool_flush(commit->pool);
    struct hr_backoff soon = {hr_ms(5), hr_ms(50), 1, true, 0};
    return hr_sleep(hr_backoff_next(class == CLASS_TRANSIENT ? &soon : outage));
}

/* May the attempt that failed like this be made again? */
static bool try_again(struct commit *commit, int code, enum error_class class, bool unknown)
{
    if (code == LEASE_UNSURE)
        return true;
    if (unknown) /* R5: only another attempt can tell, and without a ledger it may double */
        return commit->sink->conf->delivery != AT_MOST_ONCE;
    return error_is_outage(class);
}

int commit_ask(struct sink *sink, hr_mysql_pool *pool, struct ledger *ledger, struct batch *batch,
               enum ledger_answer *ret)
{
    struct commit commit = {.sink = sink, .pool = pool, .ledger = ledger};
    struct hr_backoff outage = {hr_ms(50), hr_seconds(3), 2, true, 0};
    bool told = false;
    for (;;) {
        if (batch->stale)
            return SINK_NOT_OURS;
        int r = ledger_ask(ledger, batch, ret);
        if (r >= 0 && told)
            sink->changed(sink->cookie, CLASS_CONNECTION, NULL);
        if (r >= 0 && *ret == LEDGER_COLLISION) {
            batch->collided = true;
            return SINK_NOT_OURS;
        }
        if (r >= 0 || r == -ECANCELED)
            return r;
        enum error_class class = error_classify(r, hr_last_error());
        if (!error_is_outage(class))
            return r;
        told = true;
        sink->changed(sink->cookie, class, hr_error_message(r));
        r = pause_for(&commit, class, &outage);
        if (r < 0)
            return r;
    }
}

int commit_batch(struct commit *commit, struct batch *batch, enum verdict verdict)
{
    struct hr_backoff outage = {hr_ms(50), hr_seconds(3), 2, true, 0};
    struct sink *sink = commit->sink;
    bool told = false;
    for (;;) {
        if (batch->stale)
            return SINK_NOT_OURS;
        bool unknown = false;
        int r = attempt(commit, batch, verdict, &unknown);
        batch->unknown |= unknown;
        if (r == ALREADY_DECIDED)
            r = learn(commit, batch);
        else if (r >= 0)
            batch->split = verdict == VERDICT_SPLIT;
        if (r >= 0 && told)
            sink->changed(sink->cookie, CLASS_CONNECTION, NULL);
        if (r >= 0 || r == -ECANCELED || r == SINK_NOT_OURS)
            return r;

        enum error_class class = CLASS_CONNECTION;
        if (r != LEASE_UNSURE)
            class = error_classify(r, hr_last_error());
        if (!try_again(commit, r, class, unknown))
            return r;
        told = true;
        sink->changed(sink->cookie, class,
                      r == LEASE_UNSURE ? "waiting for the lease to be renewed"
                                        : hr_error_message(r));
        batch_rewind(batch);
        r = pause_for(commit, class, &outage);
        if (r < 0)
            return r;
    }
}
