/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the MySQL client share: a pool on the shared server, and short ways to ask.
 */
#pragma once

#include "core/headrace.h"
#include "drivers/mysql.h"
#include "drivers/mysql/bulk.h"
#include "drivers/mysql/cursor.h"
#include "drivers/mysql/row.h"
#include "drivers/mysql/tx.h"
#include "tests/support/hrtest.h"
#include "tests/support/mariadb_server.h"
#include "tests/support/ticker.h"

/* A pool on the shared server's socket as "app"; the options may be NULL, their url is filled in.
 */
hr_mysql_pool *mysql_test_pool(const struct hr_mysql_options *options);

/* Waits for what is out, closes, frees. */
void mysql_test_done(hr_mysql_pool *pool);

/* A server with TLS, that the tests of the program share, with localhost's certificate; lays
 * another one of tests/support/certificates.sh in its place, which it reads on FLUSH SSL. */
struct mariadb_server *mysql_test_tls_server(void);
void mysql_test_certificate(const char *name);

/* Makes table "test.t" anew with these columns. */
void mysql_test_table(const char *columns);

/* Borrows; a failure fails the test. */
hr_mysql_conn *mysql_test_acquire(hr_mysql_pool *pool);
hr_mysql_tx *mysql_test_begin(hr_mysql_pool *pool);

/* Inserts a row of that id into table "t". */
void mysql_test_insert(hr_mysql_conn *conn, int id);

/* A cursor; seven rows ("row 1", …) by either way, as text (0) and prepared (1), with the values
 * that the second one takes. */
hr_mysql_cursor *mysql_test_cursor(hr_mysql_conn *conn);
extern const char *const mysql_test_seven[2];
struct hr_mysql_args mysql_test_args(int way);

/* The first value of the first row, as seen by another, plain client. */
long long mysql_test_number(const char *sql);

/* Waits, letting tasks run, until it is that; 10 s at most. */
void mysql_test_until(const char *sql, long long wanted);

/* Copies the first value of a query on this connection; "NULL" for NULL. */
const char *mysql_test_value(hr_mysql_conn *conn, const char *sql, struct hr_mysql_args args);

/* A task's body: every call there is, on a pool (everything.c); what it needs on the server first.
 */
int mysql_test_everything(void *pool);
void mysql_test_everything_made(struct mariadb_server *server);

/* Runs it again and again, cancelled at the first, the second, … wait until there are no more; each
 * time it ends with -ECANCELED or, where the wait was a task's of the pool, goes through, and the
 * pool is of use afterwards. */
void mysql_test_cancel_everywhere(hr_mysql_pool *(*make)(void));

/* Runs it on a stack of 64 KiB, and asserts that a good part of that is never touched. */
void mysql_test_stack(hr_mysql_pool *pool);

/* Cancels the running task when it comes to its n-th wait for a socket, or turn that it gives
 * others, from now (0: never); their number since the last call is returned. */
int mysql_test_cancel_at(int n);
