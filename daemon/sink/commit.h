/* SPDX-License-Identifier: MIT */
/*
 * The commit point: a batch's rows and its ledger row in one transaction (protocol.md 4.4), again
 * and again until it is known to be in.
 */
#pragma once

#include "daemon/sink/sink.h"

struct commit {
    struct sink *sink;
    hr_mysql_pool *pool;
    struct ledger *ledger; /* NULL: at_least_once and at_most_once, which keep none */
    /* Rows go as a plain INSERT, which may be sent before it is known that the batch is not
     * decided: it goes with the transaction. Of other statements only who writes them knows. */
    bool plain;
    /* Sends ledger_row (SQL), the live items' rows and COMMIT in one request, if these are few.
     * Codes of hr_mysql_once(): -ENOTSUP when they are to go step by step. NULL: always so. */
    int (*once)(void *arg, hr_mysql_tx *tx, const char *ledger_row);
    /* Sends the live items' rows inside the transaction and decides the fate of those that are
     * refused. 0, or the code that ends the attempt. */
    int (*rows)(void *arg, hr_mysql_tx *tx, struct batch *batch);
    void *arg;
};

/* 0: final. SINK_NOT_OURS, SINK_STOPPED, SINK_TOO_SLOW (the record tells; nothing is done),
 * -ECANCELED (the outcome may be unknown), or a code of class config or unknown with nothing done.
 */
hr_async int commit_batch(struct commit *commit, struct batch *batch, enum verdict verdict);

/* Asks the ledger what became of a batch that had an owner before us, waiting out outages. Codes as
 * commit_batch(); a collision is SINK_NOT_OURS. */
hr_async int commit_ask(struct sink *sink, hr_mysql_pool *pool, struct ledger *ledger,
                        struct batch *batch, enum ledger_answer *ret);
