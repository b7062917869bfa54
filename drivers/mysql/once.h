/* SPDX-License-Identifier: MIT */
/*
 * A whole transaction in one request, for a few rows: between its statements the server waits for
 * nobody, and reads and answers once.
 *
 * MariaDB runs it as one compound statement and stops at the first of its statements that is
 * refused, so COMMIT is reached only when the others went in.
 */
#pragma once

#include "drivers/mysql/bulk.h"
#include "drivers/mysql/tx.h"

/* On a loan of hr_mysql_tx_acquire(): BEGIN, first (a statement without rows and arguments, that
 * does not commit), the columns' rows as hr_mysql_bulk() would insert them, COMMIT. Values go as
 * text, which is cheaper for one row and dearer for hundreds. 0: durable as the server is
 * configured; or
 *   HR_EREPLY    one of them was refused, by the record; nothing of it is left, and the loan is as
 *                before. Only an interruption (1317, 1969) may have come right behind COMMIT: then
 *                what first has written tells, as a key that is there already
 *   -ENOTSUP     not by this server, or not these columns (BYTES have no literal that means the
 *                same in every place); nothing was sent
 *   HR_ELOST, -ETIMEDOUT, -ECANCELED with sent: unknown
 * and the other codes of hr_mysql_bulk(); -EINVAL also where a transaction is open. */
HR_PUBLIC hr_async int hr_mysql_once(hr_mysql_tx *tx, const char *first, const char *sql,
                                     const struct hr_mysql_column *columns, size_t n_columns,
                                     size_t rows);

/* A failure names the caller's place in the program. */
#define hr_mysql_once(...) hr_from_here(hr_mysql_once(__VA_ARGS__))
