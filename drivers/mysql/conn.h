/* SPDX-License-Identifier: MIT */
/*
 * One MySQL connection: what all of mysql_*.c know of it, and its life for the pool.
 */
#pragma once

#include "drivers/mysql.h"
#include "drivers/mysql/library.h"
#include "drivers/mysql/server.h"
#include "drivers/mysql/stmt.h"
#include "drivers/mysql/wait.h"

struct hr_mysql_conn {
    MYSQL *mysql;
    struct hr__mysql_wait wait;
    struct hr__mysql_server *server;
    struct hr__mysql_host *host; /* to which of its hosts */
    hr_pool *pool;               /* who lent it */
    struct hr__mysql_stmts stmts;
    struct hr_list cursors;       /* of struct hr_mysql_cursor */
    struct hr_mysql_cursor *held; /* the one whose result is not read to its end, or NULL */
    const char *ahead;   /* a statement that was sent and whose reply nobody has read, or NULL */
    bool ahead_exec;     /* and another one behind it: of hr_mysql_exec_ahead() */
    int ahead_error;     /* the code that either failed with while a prepared statement was run */
    bool ahead_refused;  /* the transaction is lost: its statement sent ahead was refused */
    bool ahead_doubtful; /* which may have ended it, or begun another */
    struct st_mariadb_methods methods; /* the library's, but one of ours among them */
    int (*read_stmt_result)(MYSQL *m); /* which it replaces */
    struct hr__mysql_stmt *running;    /* the statement that is executed */
    struct hr_mysql_result **whole;    /* where its rows may go at once (mysql/whole.h), or NULL */
    bool busy;                         /* a call is under way */
    bool given_back;                   /* not lent: only the pool's hooks may use it */
    bool broken;                       /* of no further use */
    bool scope;                        /* begun by name, until a statement stands alone */
    bool ended;                        /* since BEGIN: the transaction is no longer open */
    bool altered;                      /* how transactions are by default, until the pool's reset */
    bool doubtful;                     /* a transaction may be open: no status has come since */
    uint64_t transaction;              /* counts those of this connection */
    unsigned savepoints;               /* set in the present one and open */
    unsigned undo;                     /* the one to go back to before anything else; 0: none */
    bool closed_well;    /* the latest transaction was committed or rolled back by name */
    bool to_stand_alone; /* since then, or since the loan began, no statement was asked */
    bool is_mariadb, has_bulk;
    bool repeats_no_columns; /* whose descriptions were told when a statement was prepared */
    bool read_only;          /* when the session was set up */
    bool begins_read_only;   /* its transactions are, by the server's default */
    bool timeout_ends;       /* 1205 rolls back the transaction (innodb_rollback_on_timeout) */
    unsigned version;
    size_t max_packet;
    uint64_t insert_id;
    int refused;         /* what hr_mysql_refused_row() answers, or one of the two below */
    size_t refused_base; /* rows of the bulk in front of the statement that failed */
};

/* A savepoint's name, by its depth. */
#define HR__MYSQL_SAVEPOINT "headrace_%u"

enum { REFUSED_NONE = 0, REFUSED_ASK = -1 };

/* What the pool counts besides its connections. */
struct hr_mysql_counts *hr__mysql_counts(hr_mysql_pool *pool);

/* The hooks of drivers/pool.h; driver is a struct hr__mysql_server. */
extern const struct hr_conn_ops hr__mysql_conn_ops;

/* Opens one to this host of the server, whatever its role, within so long. Codes of the pool's
 * hook. */
hr_async int hr__mysql_open_host(struct hr__mysql_server *server, struct hr__mysql_host *host,
                                 hr_usec span, hr_mysql_conn **ret);

/* Borrows a connection, whatever the mode of its session; hr_mysql_release() gives it back. */
hr_async int hr__mysql_borrow(hr_mysql_pool *pool, hr_mysql_conn **ret);
