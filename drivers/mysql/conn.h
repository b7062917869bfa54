/* SPDX-License-Identifier: MIT */
/*
 * One MySQL connection: what all of mysql_*.c know of it, and its life for the pool.
 */
#pragma once

#include <mysql.h>

#include "drivers/mysql.h"
#include "drivers/mysql/stmt.h"
#include "drivers/mysql/wait.h"
#include "drivers/url.h"

/* Where to connect and how; shared by a pool and its connections, which may outlive it. */
struct hr__mysql_server {
    unsigned refs;
    struct hr_url url;
    char *password;
    enum hr_tls_verify tls;
    char *tls_ca, *tls_cert, *tls_key; /* files, or NULL */
    char name[128]; /* "db.example.org:3306" or the socket's path, for messages */
    hr_usec connect_timeout, query_timeout, wait_timeout, write_timeout, lock_wait, statement_time;
    size_t max_result;
};

struct hr_mysql_conn {
    MYSQL *mysql;
    struct hr__mysql_wait wait;
    struct hr__mysql_server *server;
    hr_pool *pool; /* who lent it */
    struct hr__mysql_stmts stmts;
    struct hr_list cursors;       /* of struct hr_mysql_cursor */
    struct hr_mysql_cursor *held; /* the one whose result is not read to its end, or NULL */
    const char *ahead;  /* a statement that was sent and whose reply nobody has read, or NULL */
    bool ahead_exec;    /* and another one behind it: of hr_mysql_exec_ahead() */
    int ahead_error;    /* the code that either failed with while a prepared statement was run */
    bool ahead_refused; /* the transaction is lost: its statement sent ahead was refused */
    struct st_mariadb_methods methods; /* the library's, but one of ours among them */
    int (*read_stmt_result)(MYSQL *m); /* which it replaces */
    bool busy;                         /* a call is under way */
    bool broken;                       /* of no further use */
    bool scope;                        /* lent by hr_mysql_begin() */
    bool ended;                        /* since BEGIN: the transaction is no longer open */
    bool closed_well; /* the latest transaction was committed or rolled back by name */
    bool is_mariadb, has_bulk;
    bool timeout_ends; /* 1205 rolls back the transaction (innodb_rollback_on_timeout) */
    unsigned version;
    size_t max_packet;
    uint64_t insert_id;
    int refused;         /* what hr_mysql_refused_row() answers, or one of the two below */
    size_t refused_base; /* rows of the bulk in front of the statement that failed */
};

enum { REFUSED_NONE = 0, REFUSED_ASK = -1 };

struct hr__mysql_server *hr__mysql_server_unref(struct hr__mysql_server *server);

/* The hooks of drivers/pool.h; driver is a struct hr__mysql_server. */
extern const struct hr_conn_ops hr__mysql_conn_ops;

/* Borrows a connection, whatever the mode of its session; hr_mysql_release() gives it back. */
hr_async int hr__mysql_borrow(hr_mysql_pool *pool, hr_mysql_conn **ret);
