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

/* How many statements that were given up may be killed at a time. */
#define HR__MYSQL_KILLS_MAX 4

/* Where to connect and how; shared by a pool and its connections, which may outlive it. */
struct hr__mysql_server {
    unsigned refs;
    struct hr_url url;
    char *password;
    struct hr__tls_context *tls; /* NULL: plain */
    char name[128];              /* "db.example.org:3306" or the socket's path, for messages */
    hr_usec connect_timeout, query_timeout, wait_timeout, write_timeout, lock_wait, statement_time;
    size_t max_result;
    unsigned statements; /* prepared ones kept with a connection; 0: HR__MYSQL_STMTS */
    bool multi_statements, kill_query;
    struct hr_mysql_counts counts;
    hr_task *killers[HR__MYSQL_KILLS_MAX]; /* under way (mysql/kill.h) */
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
    bool isolated;                     /* otherwise than sessions are, until the pool's reset */
    uint64_t transaction;              /* counts those of this connection */
    unsigned savepoints;               /* set in the present one and open */
    unsigned undo;                     /* the one to go back to before anything else; 0: none */
    bool closed_well; /* the latest transaction was committed or rolled back by name */
    bool is_mariadb, has_bulk;
    bool timeout_ends; /* 1205 rolls back the transaction (innodb_rollback_on_timeout) */
    unsigned version;
    size_t max_packet;
    uint64_t insert_id;
    int refused;         /* what hr_mysql_refused_row() answers, or one of the two below */
    size_t refused_base; /* rows of the bulk in front of the statement that failed */
};

/* A savepoint's name, by its depth. */
#define HR__MYSQL_SAVEPOINT "headrace_%u"

enum { REFUSED_NONE = 0, REFUSED_ASK = -1 };

struct hr__mysql_server *hr__mysql_server_unref(struct hr__mysql_server *server);

/* What the pool counts besides its connections. */
struct hr_mysql_counts *hr__mysql_counts(hr_mysql_pool *pool);

/* The hooks of drivers/pool.h; driver is a struct hr__mysql_server. */
extern const struct hr_conn_ops hr__mysql_conn_ops;

/* Borrows a connection, whatever the mode of its session; hr_mysql_release() gives it back. */
hr_async int hr__mysql_borrow(hr_mysql_pool *pool, hr_mysql_conn **ret);
