/* SPDX-License-Identifier: MIT */
#include "daemon/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/engine.h"
#include "daemon/errors.h"
#include "daemon/outcome.h"
#include "drivers/mysql/row.h"

const char ledger_ddl[] = "CREATE TABLE IF NOT EXISTS headrace_ledger (\n"
                          "  id BINARY(16) NOT NULL PRIMARY KEY,\n"
                          "  n INT NOT NULL,\n"
                          "  digest BINARY(8) NOT NULL,\n"
                          "  outcome MEDIUMBLOB NULL,\n"
                          "  queue BINARY(8) NOT NULL,\n"
                          "  touched TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,\n"
                          "  KEY (queue, touched)\n"
                          ") ENGINE=InnoDB";

int ledger_prepare(struct ledger *ledger)
{
    hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = NULL;
    int r = hr_mysql_acquire(ledger->pool, &conn);
    if (r < 0)
        return r;
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    r = hr_mysql_query(conn, &result,
                       "SELECT id, n, digest, outcome, queue, touched FROM headrace_ledger LIMIT 0",
                       HR_NO_ARGS);
    if (r == HR_EREPLY && hr_last_error()->native == ER_NO_SUCH_TABLE) {
        r = hr_mysql_exec(conn, ledger_ddl, HR_NO_ARGS);
        if (r == HR_EREPLY)
            return hr_fail_native(HR_EREPLY, hr_last_error()->native, hr_last_error()->state, NULL,
                                  true,
                                  "table headrace_ledger is missing and could not be made; give "
                                  "the statement that `headracectl ledger` prints to an "
                                  "administrator");
    }
    return r < 0 ? r : engine_check(conn, "headrace_ledger");
}

void ledger_sql(const struct ledger *ledger, const struct batch *batch, char ret[LEDGER_SQL_MAX])
{
    snprintf(ret, LEDGER_SQL_MAX,
             "INSERT INTO headrace_ledger (id, n, digest, queue) VALUES "
             "(0x%s, %zu, 0x%016" PRIx64 ", 0x%s)",
             batch->id, batch->n, batch->digest, ledger->queue);
}

int ledger_insert(struct ledger *ledger, hr_mysql_tx *tx, const struct batch *batch, bool ahead)
{
    char sql[LEDGER_SQL_MAX];
    ledger_sql(ledger, batch, sql);
    /* As text it goes out together with BEGIN, in one round trip. */
    return ahead ? hr_mysql_exec_ahead(tx, sql) : hr_mysql_exec(tx, sql, HR_NO_ARGS);
}

int ledger_decide(hr_mysql_tx *tx, const struct batch *batch, enum verdict verdict)
{
    hr_auto(outcome_done) struct outcome outcome = {0};
    int r = outcome_encode(&outcome, batch, verdict == VERDICT_SPLIT);
    if (r < 0 || outcome.len == 0)
        return r;
    return hr_mysql_exec(tx, "UPDATE headrace_ledger SET outcome = ? WHERE id = UNHEX(?)",
                         HR_ARGS(hr_b(outcome.data, outcome.len), hr_s(batch->id)));
}

/* Compares the row with the batch and takes the outcome over. */
static int read_row(const hr_mysql_result *row, struct batch *batch, enum ledger_answer *ret)
{
    char digest[17];
    snprintf(digest, sizeof(digest), "%016" PRIX64, batch->digest);
    const char *known = hr_mysql_text(row, 0, 1, NULL);
    if ((uint64_t)hr_mysql_int(row, 0, 0) != batch->n || !known || strcmp(known, digest) != 0) {
        *ret = LEDGER_COLLISION;
        return 0;
    }
    size_t len;
    const char *text = hr_mysql_text(row, 0, 2, &len);
    bool split = false;
    int r = outcome_decode(text, text ? len : 0, batch, &split);
    if (r < 0)
        return r;
    batch->split = split;
    *ret = split ? LEDGER_SPLIT : LEDGER_ITEMS;
    return 0;
}

int ledger_ask(struct ledger *ledger, struct batch *batch, enum ledger_answer *ret)
{
    hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = NULL;
    int r = hr_mysql_acquire(ledger->pool, &conn);
    if (r < 0)
        return r;
    hr_auto(hr_mysql_result_freep) hr_mysql_result *row = NULL;
    r = hr_mysql_query(conn, &row,
                       "SELECT n, HEX(digest), outcome FROM headrace_ledger WHERE id = UNHEX(?)",
                       HR_ARGS(hr_s(batch->id)));
    if (r < 0)
        return r;
    if (r == 0) {
        *ret = LEDGER_UNKNOWN;
        return 0;
    }
    r = hr_mysql_exec(conn, "UPDATE headrace_ledger SET touched = NOW() WHERE id = UNHEX(?)",
                      HR_ARGS(hr_s(batch->id)));
    return r < 0 ? r : read_row(row, batch, ret);
}
