/* SPDX-License-Identifier: MIT */
/*
 * Savepoints are named by their depth, so that one set anew replaces what an earlier one has left.
 */
#include "drivers/mysql/savepoint.h"

#include <stdio.h>

#include "drivers/missing.h"
#include "drivers/mysql/call.h"

static bool is_open(const struct hr_mysql_savepoint *savepoint)
{
    const hr_mysql_tx *tx = savepoint->tx;
    return tx && tx->scope && !tx->ended && savepoint->transaction == tx->transaction &&
           savepoint->depth <= tx->savepoints;
}

static int check_open(const struct hr_mysql_savepoint *savepoint)
{
    if (is_open(savepoint) || (savepoint->tx && savepoint->tx->broken))
        return 0;
    return hr_fail(-EINVAL, "this savepoint is over");
}

static hr_async int run(hr_mysql_tx *tx, const char *what, unsigned depth)
{
    char sql[64];
    struct hr__mysql_call call;
    snprintf(sql, sizeof(sql), "%s " HR__MYSQL_SAVEPOINT, what, depth);
    int r = hr__mysql_enter(&call, tx, sql, 0);
    return r < 0 ? r : hr__mysql_leave(&call, hr__mysql_run(tx, sql));
}

int(hr_mysql_savepoint)(hr_mysql_tx *tx, struct hr_mysql_savepoint *ret)
{
    if (!tx)
        return hr__missing_object("mysql: a transaction");
    if (!tx->broken && (!tx->scope || tx->ended))
        return hr_fail(-EINVAL, "mysql %s: a savepoint without a transaction", tx->host->name);
    int r = run(tx, "SAVEPOINT", tx->savepoints + 1);
    if (r < 0)
        return r;
    *ret = (struct hr_mysql_savepoint){tx, ++tx->savepoints, tx->transaction};
    return 0;
}

int(hr_mysql_savepoint_release)(struct hr_mysql_savepoint *savepoint)
{
    int r = check_open(savepoint);
    if (r >= 0)
        r = run(savepoint->tx, "RELEASE SAVEPOINT", savepoint->depth);
    if (r < 0)
        return r;
    savepoint->tx->savepoints = savepoint->depth - 1;
    savepoint->tx = NULL;
    return 0;
}

int(hr_mysql_savepoint_rollback)(struct hr_mysql_savepoint *savepoint)
{
    int r = check_open(savepoint);
    if (r >= 0)
        r = run(savepoint->tx, "ROLLBACK TO SAVEPOINT", savepoint->depth);
    if (r >= 0)
        savepoint->tx->savepoints = savepoint->depth;
    return r;
}

void hr_mysql_savepoint_end(struct hr_mysql_savepoint *savepoint)
{
    hr_mysql_tx *tx = savepoint->tx;
    if (is_open(savepoint)) {
        if (tx->undo == 0 || tx->undo > savepoint->depth)
            tx->undo = savepoint->depth;
        tx->savepoints = savepoint->depth - 1;
    }
    savepoint->tx = NULL;
}
