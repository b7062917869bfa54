/* SPDX-License-Identifier: MIT */
/*
 * One call on a connection: its deadline, what its failure means, and statements sent as text.
 */
#pragma once

#include "core/timeout.h"
#include "drivers/mysql/conn.h"

struct hr__mysql_call {
    hr_mysql_conn *conn;
    const char *sql; /* what is asked, for messages */
    bool unsent;     /* it has not been, whatever was heard: of what was asked before */
    struct hr_timeout limit;
};

/* Begins a call that asks sql (until it is left), of at most so long (0: query_timeout); goes back
 * to a savepoint first where one was left. 0; -ENOTCONN (broken before), -EBUSY (another task's, or
 * a cursor's), -EINVAL (no statement), or HR_ENOTASK, -ENOMEM. Only after 0 the call has to be
 * left. */
hr_async int hr__mysql_enter(struct hr__mysql_call *call, hr_mysql_conn *conn, const char *sql,
                             hr_usec limit);

/* The same for a statement of the caller's. On a transaction's loan in which none is open it stands
 * alone: else it would be in one that nobody commits. */
hr_async int hr__mysql_enter_statement(struct hr__mysql_call *call, hr_mysql_conn *conn,
                                       const char *sql, hr_usec limit);

/* Whether a statement that is refused may have begun a transaction or ended one before: a procedure
 * or a block, and what defines data. Error packets do not say so. */
bool hr__mysql_may_leave_open(const hr_mysql_conn *conn, const char *sql);

/* Goes back to the savepoint whose scope was left, if any. What fails here leaves the transaction
 * as it should not be, so nothing more is done on the connection. */
hr_async int hr__mysql_go_back(hr_mysql_conn *conn);

/* Fails with -EINVAL, as something that a call cannot do without is NULL: "the statement". */
int hr__mysql_missing(const hr_mysql_conn *conn, const char *what);

/* Ends it: tells a deadline from a cancel, finds failures that the library swallowed. */
int hr__mysql_leave(struct hr__mysql_call *call, int code);

/* The code of what libmariadb has just failed with, explained in the task's record; marks the
 * connection as broken where it is. */
int hr__mysql_error(hr_mysql_conn *conn);
int hr__mysql_stmt_error(hr_mysql_conn *conn, MYSQL_STMT *stmt);
#ifdef __clang_analyzer__ /* it does not look into them: what they yield is negative */
#define hr__mysql_error(conn)            (hr__mysql_error(conn), -1)
#define hr__mysql_stmt_error(conn, stmt) (hr__mysql_stmt_error(conn, stmt), -1)
#endif

/* Refuses a request that the server would close the connection for. */
int hr__mysql_check_packet(const hr_mysql_conn *conn, size_t bytes);

/* Sends a statement and does not read its reply; sql is a literal. Nothing may be ahead already. */
hr_async int hr__mysql_send_ahead(hr_mysql_conn *conn, const char *sql);

/* Reads the replies that are due from statements sent ahead, if any. sent: the request behind them
 * has left as well. A refusal breaks the connection, since what was sent behind has built on it;
 * that of hr_mysql_exec_ahead() only dooms the transaction. */
hr_async int hr__mysql_settle(hr_mysql_conn *conn, bool sent);

/* Sends a statement as text and reads the head of its reply; mysql_field_count() tells whether rows
 * follow. */
hr_async int hr__mysql_text(hr_mysql_conn *conn, const char *sql, size_t len);

/* Reads and drops what is left of the reply: rows, further results. */
hr_async int hr__mysql_drain(hr_mysql_conn *conn);

/* As drain, and returns the affected rows of the first result without rows. */
hr_async int hr__mysql_drain_counting(hr_mysql_conn *conn);

/* text and drain, for our own statements without rows. */
hr_async int hr__mysql_run(hr_mysql_conn *conn, const char *sql);

/* Takes the transaction's state from the reply that was just read, which is not a refusal. */
void hr__mysql_note(hr_mysql_conn *conn);

/* n as the int that counts are returned in: cut at INT_MAX, and none for "not known". */
int hr__mysql_count(uint64_t n);
