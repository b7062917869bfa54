/* SPDX-License-Identifier: MIT */
/*
 * Prepared statements: kept with their connection by text, the least used go first.
 */
#pragma once

#include "core/list.h"
#include "drivers/mysql.h"
#include "drivers/mysql/library.h"

/* The server counts the statements of all its clients (max_prepared_stmt_count, 16382). */
#define HR__MYSQL_STMTS 64

struct hr__mysql_stmts {
    struct hr_list used; /* of struct hr__mysql_stmt, the latest first */
    unsigned count;
};

/* To a connection that has logged in: its statements then may follow others whose replies nobody
 * has read (hr__mysql_send_ahead()). */
void hr__mysql_stmts_attach(hr_mysql_conn *conn);

void hr__mysql_stmts_init(struct hr__mysql_stmts *stmts);

/* Frees the handles of a connection that is closed; nothing is sent. */
void hr__mysql_stmts_done(struct hr__mysql_stmts *stmts);

struct hr__mysql_stmt {
    struct hr_list link;
    MYSQL_STMT *handle;
    MYSQL_BIND *binds;             /* of its parameters; made when it runs first */
    struct hr_mysql_result *shape; /* its columns, without rows, if known: mysql/whole.c */
    bool odd;                      /* some column is of a kind that is left to libmariadb */
    uint64_t hash;
    size_t len;
    char sql[];
};

/* Finds the statement, or prepares it. The calls below are made inside a call (mysql/call.h). */
hr_async int hr__mysql_stmt_get(hr_mysql_conn *conn, const char *sql, struct hr__mysql_stmt **ret);

/* Prepares it, whether or not one of that text is kept. */
hr_async int hr__mysql_stmt_prepare(hr_mysql_conn *conn, const char *sql,
                                    struct hr__mysql_stmt **ret);

/* Closes one that is of no more use; may wait to write. */
void hr__mysql_stmt_drop(hr_mysql_conn *conn, struct hr__mysql_stmt *stmt);

/* Runs what is bound. A handle that the server has forgotten is dropped: -ESTALE, and nothing was
 * done. */
hr_async int hr__mysql_stmt_run(hr_mysql_conn *conn, struct hr__mysql_stmt *stmt);

/* Drops rows and further results; returns the affected rows. */
hr_async int hr__mysql_stmt_finish(hr_mysql_conn *conn, struct hr__mysql_stmt *stmt);

/* Prepares, binds, runs. Leaves *ret with its result unread. */
hr_async int hr__mysql_stmt_exec(hr_mysql_conn *conn, const char *sql, struct hr_mysql_args args,
                                 struct hr__mysql_stmt **ret);
