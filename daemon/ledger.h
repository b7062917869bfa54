/* SPDX-License-Identifier: MIT */
/*
 * The ledger: one row a batch, in the same transaction as its rows. Its commit is the commit point.
 *
 * A second owner of a batch runs into the row's primary key and learns the outcome instead of
 * inserting twice (protocol.md 3, 4.4). The column queue tells which list a batch came from, so
 * that a daemon sweeps only rows of lists whose Redis it can ask.
 */
#pragma once

#include "daemon/batch.h"
#include "drivers/mysql/tx.h"

/* What is decided about a batch. */
enum verdict {
    VERDICT_ITEMS, /* each item for itself */
    VERDICT_SPLIT, /* into smaller batches */
};

struct ledger {
    hr_mysql_pool *pool;
    char queue[17]; /* hash of the list and its Redis, in hexadecimal */
};

/* The statement that makes the table. */
extern const char ledger_ddl[];

/* Looks whether the table is there and transactional, and makes it if it may. 0, or a code; the
 * record says what to do. */
hr_async int ledger_prepare(struct ledger *ledger);

/* The first statement of a batch's transaction, written into ret. Refused with 1062: it is decided,
 * ask. */
#define LEDGER_SQL_MAX 256
void ledger_sql(const struct ledger *ledger, const struct batch *batch, char ret[LEDGER_SQL_MAX]);

/* Sends it. ahead: the next call tells (hr_mysql_exec_ahead()). */
hr_async int ledger_insert(struct ledger *ledger, hr_mysql_tx *tx, const struct batch *batch,
                           bool ahead);

/* Writes what was decided into the batch's row, where there is more to say than "all went in". */
hr_async int ledger_decide(hr_mysql_tx *tx, const struct batch *batch, enum verdict verdict);

enum ledger_answer {
    LEDGER_UNKNOWN,   /* not decided yet */
    LEDGER_ITEMS,     /* decided: the items' fates are now in the batch */
    LEDGER_SPLIT,     /* decided: it is to be split */
    LEDGER_COLLISION, /* the id was used for another content: the batch needs a new one (R6) */
};

/* Asks what became of a batch, and keeps the row from being swept for as long again. */
hr_async int ledger_ask(struct ledger *ledger, struct batch *batch, enum ledger_answer *ret);
