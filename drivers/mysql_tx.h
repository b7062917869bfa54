/* SPDX-License-Identifier: MIT */
/*
 * A transaction is a scope: leaving it without a commit rolls back.
 */
#pragma once

#include "drivers/mysql.h"

/* A connection inside a transaction: every call on connections takes one. */
typedef hr_mysql_conn hr_mysql_tx;

/* Borrows a connection and sends BEGIN; the answer is read together with the first statement's,
 * which saves a round trip. Codes as hr_mysql_exec(). */
HR_PUBLIC hr_async int hr_mysql_begin(hr_mysql_pool *pool, hr_mysql_tx **ret);

/* 0: durable as the server is configured. HR_ELOST, -ETIMEDOUT, -ECANCELED: unknown. The loan ends
 * with tx_end in any case. */
HR_PUBLIC hr_async int hr_mysql_commit(hr_mysql_tx *tx);

/* Takes everything back and stays usable for a new BEGIN by hr_mysql_restart(). */
HR_PUBLIC hr_async int hr_mysql_rollback(hr_mysql_tx *tx);
HR_PUBLIC hr_async int hr_mysql_restart(hr_mysql_tx *tx);

/* Gives the connection back; one that was not committed goes back dirty, and the pool rolls it back
 * before anyone else sees it. Never waits. For hr_auto(). */
HR_PUBLIC void hr_mysql_tx_end(hr_mysql_tx **tx);
