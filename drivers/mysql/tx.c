/* SPDX-License-Identifier: MIT */
/*
 * How a transaction begins without a round trip of its own, and ends.
 *
 * BEGIN leaves at once, so the server has it before the caller does anything else; its reply is
 * read in front of the first statement's. The session has autocommit off as well: if BEGIN is
 * refused (a Galera node that is not ready, a KILL QUERY that came late), what was sent behind it
 * is part of an implicit transaction, and goes with the connection instead of being committed.
 */
#include "drivers/mysql/tx.h"

#include <string.h>

#include "drivers/missing.h"
#include "drivers/mysql/call.h"

/* For the session, until the loan ends: BEGIN forgets what was said of the next transaction, where
 * autocommit is off. */
static hr_async int set_isolation(hr_mysql_conn *conn, enum hr_mysql_isolation isolation)
{
    static const char *const sql[] = {
        [HR_MYSQL_READ_UNCOMMITTED] = "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
        [HR_MYSQL_REPEATABLE_READ] = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        [HR_MYSQL_SERIALIZABLE] = "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    };
    if (isolation == HR_MYSQL_READ_COMMITTED)
        return 0;
    if ((size_t)isolation >= HR_ARRAY_LEN(sql))
        return hr_fail(-EINVAL, "there is no isolation level %d", (int)isolation);
    conn->altered = true;
    return hr__mysql_run(conn, sql[isolation]);
}

static hr_async int begin(hr_mysql_conn *conn, const struct hr_mysql_tx_options *options)
{
    int r = hr__mysql_settle(conn, false);
    if (r < 0)
        return r;
    if (conn->mysql->server_status & SERVER_STATUS_AUTOCOMMIT) {
        r = hr__mysql_run(conn, "SET autocommit = 0");
        if (r < 0)
            return r;
    }
    r = options ? set_isolation(conn, options->isolation) : 0;
    if (r < 0)
        return r;
    bool read_only = options && options->read_only;
    r = hr__mysql_send_ahead(conn, read_only ? "START TRANSACTION READ ONLY" : "BEGIN");
    if (r < 0)
        return r;
    conn->transaction++;
    conn->savepoints = 0;
    conn->scope = true;
    conn->ended = false;
    conn->closed_well = conn->to_stand_alone = false;
    return 0;
}

static hr_async int begin_call(hr_mysql_conn *conn, const struct hr_mysql_tx_options *options)
{
    struct hr__mysql_call call;
    int r = hr__mysql_enter(&call, conn, "BEGIN", 0);
    return r < 0 ? r : hr__mysql_leave(&call, begin(conn, options));
}

int(hr_mysql_tx_acquire)(hr_mysql_pool *pool, hr_mysql_tx **ret)
{
    int r = hr__mysql_borrow(pool, ret);
    if (r >= 0)
        (*ret)->closed_well = (*ret)->to_stand_alone = true;
    return r;
}

int(hr_mysql_begin)(hr_mysql_pool *pool, hr_mysql_tx **ret)
{
    return hr_mysql_begin_with(pool, NULL, ret);
}

int(hr_mysql_begin_with)(hr_mysql_pool *pool, const struct hr_mysql_tx_options *options,
                         hr_mysql_tx **ret)
{
    hr_auto(hr_mysql_tx_end) hr_mysql_tx *tx = NULL;
    int r = hr__mysql_borrow(pool, &tx);
    if (r < 0)
        return r;
    r = begin_call(tx, options);
    if (r < 0)
        return r;
    *ret = hr_take(tx);
    return 0;
}

static hr_async int exec_ahead(hr_mysql_tx *tx, const char *sql)
{
    size_t len = strlen(sql);
    int r = hr__mysql_check_packet(tx, len);
    if (r >= 0 && tx->ahead_exec)
        r = hr__mysql_settle(tx, false);
    if (r < 0)
        return r;
    if (mysql_send_query(tx->mysql, sql, len))
        return hr__mysql_error(tx);
    tx->ahead_exec = true;
    tx->ahead_doubtful = hr__mysql_may_leave_open(tx, sql);
    return 0;
}

int(hr_mysql_exec_ahead)(hr_mysql_tx *tx, const char *sql)
{
    struct hr__mysql_call call;
    if (!tx)
        return hr__missing_object("mysql: a transaction");
    if (!sql)
        return hr__mysql_missing(tx, "the statement");
    if (!tx->given_back && !tx->broken && (!tx->scope || tx->ended))
        return hr_fail(-EINVAL, "mysql %s: no transaction is open to send a statement ahead in",
                       tx->host->name);
    int r = hr__mysql_enter(&call, tx, sql, 0);
    return r < 0 ? r : hr__mysql_leave(&call, exec_ahead(tx, sql));
}

bool hr_mysql_ahead_refused(const hr_mysql_tx *tx)
{
    return tx && tx->ahead_refused;
}

static hr_async int end(hr_mysql_tx *tx, const char *sql)
{
    struct hr__mysql_call call;
    int r = hr__mysql_enter(&call, tx, sql, 0);
    if (r < 0)
        return r;
    r = hr__mysql_leave(&call, hr__mysql_run(tx, sql));
    if (r >= 0) {
        tx->ended = true;
        tx->closed_well = true;
        tx->to_stand_alone |= tx->scope;
    }
    return r;
}

int(hr_mysql_commit)(hr_mysql_tx *tx)
{
    if (!tx)
        return hr__missing_object("mysql: a transaction");
    if (tx->ended && !tx->broken)
        return hr_fail(-EINVAL, "mysql %s: nothing to commit: the transaction has ended before",
                       tx->host->name);
    return end(tx, "COMMIT");
}

int(hr_mysql_rollback)(hr_mysql_tx *tx)
{
    if (!tx)
        return hr__missing_object("mysql: a transaction");
    unsigned undo = tx->undo;
    tx->undo = 0; /* all of it is rolled back */
    int r = end(tx, "ROLLBACK");
    if (r < 0)
        tx->undo = undo;
    return r;
}

int(hr_mysql_restart)(hr_mysql_tx *tx)
{
    if (!tx)
        return hr__missing_object("mysql: a transaction");
    if (!tx->closed_well)
        return hr_fail(-EINVAL, "mysql %s: a transaction is to be ended before the next one begins",
                       tx->host->name);
    return begin_call(tx, NULL);
}

void hr_mysql_tx_end(hr_mysql_tx **tx)
{
    hr_mysql_releasep(tx);
}
