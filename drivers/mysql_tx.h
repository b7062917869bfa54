/* SPDX-License-Identifier: MIT */
/*
 * A transaction is a scope: leaving it without a commit rolls back.
 */
#pragma once

#include "drivers/mysql.h"

/* A connection inside a transaction: every call on connections takes one. */
typedef hr_mysql_conn hr_mysql_tx;

/* Borrows a connection and sends BEGIN; the answer is read together with the first statement's,
 * which saves a round trip where that statement goes as text. A BEGIN that is refused fails the
 * first statement, and nothing of it is committed. Codes as hr_mysql_exec(). */
HR_PUBLIC hr_async int hr_mysql_begin(hr_mysql_pool *pool, hr_mysql_tx **ret);

/* 0: durable as the server is configured. HR_ELOST, -ETIMEDOUT, -ECANCELED with sent: unknown.
 * -EINVAL: the transaction was over before (hr_mysql_in_transaction()), so this would not commit
 * what the caller thinks. The loan ends with tx_end in any case. */
HR_PUBLIC hr_async int hr_mysql_commit(hr_mysql_tx *tx);

/* Takes everything back. */
HR_PUBLIC hr_async int hr_mysql_rollback(hr_mysql_tx *tx);

/* The next BEGIN on the same loan, after commit or rollback (else -EINVAL); as hr_mysql_begin(). */
HR_PUBLIC hr_async int hr_mysql_restart(hr_mysql_tx *tx);

/* Gives the connection back; one that was not committed goes back dirty, and the pool rolls it back
 * before anyone else sees it. Never waits. For hr_auto(). */
HR_PUBLIC void hr_mysql_tx_end(hr_mysql_tx **tx);
