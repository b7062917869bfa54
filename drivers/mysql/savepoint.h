/* SPDX-License-Identifier: MIT */
/*
 * A transaction inside a transaction is a savepoint, and a scope as well: leaving it without a
 * release takes back what was done in it, and the outer transaction goes on.
 *
 *     hr_auto(hr_mysql_savepoint_end) struct hr_mysql_savepoint inner = {0};
 *     int r = hr_mysql_savepoint(tx, &inner);
 *     if (r >= 0)
 *         r = hr_mysql_exec(tx, …);
 *     if (r >= 0)
 *         r = hr_mysql_savepoint_release(&inner);
 */
#pragma once

#include "drivers/mysql/tx.h"

struct hr_mysql_savepoint {
    hr_mysql_tx *tx; /* NULL: not set, or over */
    unsigned depth;  /* 1 for the outermost */
    uint64_t transaction;
};

/* Codes of all three as hr_mysql_exec(); -EINVAL: there is no transaction, or it has ended, and the
 * savepoint with it. */
HR_PUBLIC hr_async int hr_mysql_savepoint(hr_mysql_tx *tx, struct hr_mysql_savepoint *ret);

/* Keeps what was done since as a part of the outer transaction. Savepoints set within end alike. */
HR_PUBLIC hr_async int hr_mysql_savepoint_release(struct hr_mysql_savepoint *savepoint);

/* Takes back what was done since; the savepoint stays, for another attempt. */
HR_PUBLIC hr_async int hr_mysql_savepoint_rollback(struct hr_mysql_savepoint *savepoint);

/* Leaves the scope; one that was not released is rolled back in front of the transaction's next
 * statement or COMMIT. A cursor's rows that are left can still be fetched. Never waits. */
HR_PUBLIC void hr_mysql_savepoint_end(struct hr_mysql_savepoint *savepoint);

/* A failure names the caller's place in the program. */
#define hr_mysql_savepoint(...)          hr_from_here(hr_mysql_savepoint(__VA_ARGS__))
#define hr_mysql_savepoint_release(...)  hr_from_here(hr_mysql_savepoint_release(__VA_ARGS__))
#define hr_mysql_savepoint_rollback(...) hr_from_here(hr_mysql_savepoint_rollback(__VA_ARGS__))
