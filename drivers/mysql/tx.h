/* SPDX-License-Identifier: MIT */
/*
 * A transaction is a scope: leaving it without a commit rolls back.
 */
#pragma once

#include "drivers/mysql.h"

/* A connection inside a transaction: every call on connections takes one. A statement that comes
 * when none is open, after commit or rollback or before the first restart, stands alone, as on a
 * connection of hr_mysql_acquire(). */
typedef hr_mysql_conn hr_mysql_tx;

/* Borrows a connection and sends BEGIN; the answer is read together with the first statement's,
 * which saves a round trip where that statement goes as text. A BEGIN that is refused fails the
 * first statement, and nothing of it is committed. Codes as hr_mysql_exec(). */
HR_PUBLIC hr_async int hr_mysql_begin(hr_mysql_pool *pool, hr_mysql_tx **ret);

enum hr_mysql_isolation {
    HR_MYSQL_READ_COMMITTED, /* the session's */
    HR_MYSQL_READ_UNCOMMITTED,
    HR_MYSQL_REPEATABLE_READ,
    HR_MYSQL_SERIALIZABLE,
};

struct hr_mysql_tx_options {
    enum hr_mysql_isolation isolation; /* another than the session's costs two round trips, one of
                                          them behind the loan */
    bool read_only;                    /* the server refuses to write (1792) */
    unsigned attempts;                 /* of hr_mysql_transaction(); 0: 5 */
};

/* As hr_mysql_begin(), with options or NULL. */
HR_PUBLIC hr_async int hr_mysql_begin_with(hr_mysql_pool *pool,
                                           const struct hr_mysql_tx_options *options,
                                           hr_mysql_tx **ret);

/* Borrows a connection and begins nothing yet: hr_mysql_restart() does, or hr_mysql_once() all at
 * once. Codes as hr_mysql_acquire(). */
HR_PUBLIC hr_async int hr_mysql_tx_acquire(hr_mysql_pool *pool, hr_mysql_tx **ret);

/* Sends a statement that gives no rows; its reply is read together with that of the next call,
 * which saves a round trip where that is a bulk or has arguments. Should it be refused, the next
 * call fails with its code and record, whatever the server made of the call's own statement, which
 * was executed all the same: what the two did can only be rolled back, and hr_mysql_ahead_refused()
 * is true until the loan ends. 0, or codes as hr_mysql_exec(); -EINVAL where none is open. */
HR_PUBLIC hr_async int hr_mysql_exec_ahead(hr_mysql_tx *tx, const char *sql);
HR_PUBLIC bool hr_mysql_ahead_refused(const hr_mysql_tx *tx);

/* 0: durable as the server is configured. HR_ELOST, -ETIMEDOUT, -ECANCELED with sent: unknown.
 * -EINVAL: the transaction was over before (hr_mysql_in_transaction()), so this would not commit
 * what the caller thinks. The loan ends with tx_end in any case. */
HR_PUBLIC hr_async int hr_mysql_commit(hr_mysql_tx *tx);

/* Takes everything back. */
HR_PUBLIC hr_async int hr_mysql_rollback(hr_mysql_tx *tx);

/* BEGIN on a loan in which nothing is open: after tx_acquire, commit or rollback (else -EINVAL); as
 * hr_mysql_begin(), in the isolation that the loan began with. */
HR_PUBLIC hr_async int hr_mysql_restart(hr_mysql_tx *tx);

/* Gives the connection back; one that was not committed goes back dirty, and the pool rolls it back
 * before anyone else sees it. Never waits. For hr_auto(). */
HR_PUBLIC void hr_mysql_tx_end(hr_mysql_tx **tx);

/* A failure names the caller's place in the program. */
#define hr_mysql_begin(...)      hr_from_here(hr_mysql_begin(__VA_ARGS__))
#define hr_mysql_begin_with(...) hr_from_here(hr_mysql_begin_with(__VA_ARGS__))
#define hr_mysql_tx_acquire(...) hr_from_here(hr_mysql_tx_acquire(__VA_ARGS__))
#define hr_mysql_exec_ahead(...) hr_from_here(hr_mysql_exec_ahead(__VA_ARGS__))
#define hr_mysql_commit(...)     hr_from_here(hr_mysql_commit(__VA_ARGS__))
#define hr_mysql_rollback(...)   hr_from_here(hr_mysql_rollback(__VA_ARGS__))
#define hr_mysql_restart(...)    hr_from_here(hr_mysql_restart(__VA_ARGS__))
