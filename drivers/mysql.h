/* SPDX-License-Identifier: MIT */
/*
 * A MySQL/MariaDB client for tasks: connections, statements, results.
 *
 * libmariadb's ordinary calls run on the task's own stack; wherever the library would block, the
 * task is suspended (mysql/wait.c). Sessions are strict (STRICT_ALL_TABLES, zero dates refused), in
 * UTC, utf8mb4, READ COMMITTED, whatever the server's defaults. What else a caller SETs stays with
 * the connection, and so do temporary tables, LOCK TABLES and GET_LOCK(): undo them before it is
 * given back. Use from tasks of one loop only, a connection by one task at a time.
 *
 * The library's start (once a process) makes SIGPIPE ignored. A password never leaves in the clear:
 * plugins that would send it so are refused.
 */
#pragma once

#include "core/loop.h"
#include "drivers/pool.h"
#include "drivers/tls.h"

typedef struct hr_mysql_pool hr_mysql_pool;
typedef struct hr_mysql_conn hr_mysql_conn;
typedef struct hr_mysql_result hr_mysql_result;

struct hr_mysql_options {
    const char *url;           /* mysql:// (drivers/url.h); copied */
    const char *user;          /* when it is not in the URL; copied */
    const char *password;      /* likewise */
    struct hr_tls_options tls; /* zeros: none, or as tls= in the url says */
    unsigned connections;      /* at most; 0: 4 */
    unsigned keep;             /* so many are opened ahead and kept; 0: opened as they are used */
    hr_usec max_age;           /* a connection ends after so long, less up to a tenth; 0: 1 h */
    hr_usec patience;          /* how long a borrower waits for one; 0: as long as it takes */
    hr_usec connect_timeout;   /* all hosts of the url together; 0: 3 s */
    hr_usec query_timeout;     /* one statement; 0: 30 s */
    hr_usec wait_timeout;   /* the session's wait_timeout, whole seconds; 0: 60 s. The server closes
                               a session that is silent for longer, frozen clients' included */
    hr_usec write_timeout;  /* MariaDB's idle_write_transaction_timeout; 0: the server's own */
    hr_usec lock_wait;      /* how long a statement waits for a row, or for a table that is altered,
                               at most: whole seconds; 0: the server's own */
    hr_usec statement_time; /* after which MariaDB ends a statement itself (1969), so that none that
                               was given up runs on with its locks; 0: the server's own */
    size_t max_result;      /* bytes that one result may take, 64 KiB at least; 0: 64 MiB */
    unsigned statements;   /* prepared statements kept with a connection, the ones used last; 0: 64.
                              Those of all clients share the server's max_prepared_stmt_count */
    bool multi_statements; /* a text may hold several statements, ended by ";". Off, a value that
                              was written into a statement by mistake cannot begin another one */
    bool kill_query;       /* a statement that is given up, by its deadline or a cancel, is killed
                              at the server, by a task with a connection of its own; who gives it up
                              does not wait for that. Needs no privilege for the user's own, but a
                              server that is reached directly, not through a proxy */
    struct hr_backoff reconnect; /* between attempts to connect; first 0: 0.1 s, doubling to 10 s,
                                    with jitter */
};

/* Checks the options; connects when first used. NULL: the record says -EINVAL or -ENOMEM. */
HR_PUBLIC hr_owned hr_mysql_pool *hr_mysql_pool_new(const struct hr_mysql_options *options);

/* A pool belongs to the first loop that it is used on: another gets HR_EWRONGLOOP, from close as
 * well. free, also after the loop's end, drops all that is open; what is lent goes when it is given
 * back.
 * As hr_pool_close() and, for who will not wait until loans come back by themselves, as
 * hr_pool_terminate() in front of it. Of NULL, a pool that could not be made, the figures are
 * zeros, and there is nothing to terminate or flush. */
HR_PUBLIC hr_async int hr_mysql_pool_close(hr_mysql_pool *pool);
HR_PUBLIC void hr_mysql_pool_terminate(hr_mysql_pool *pool);
HR_PUBLIC hr_mysql_pool *hr_mysql_pool_free(hr_mysql_pool *pool);
HR_PUBLIC void hr_mysql_pool_freep(hr_mysql_pool **pool);
HR_PUBLIC void hr_mysql_pool_get_stats(const hr_mysql_pool *pool, struct hr_pool_stats *ret);

struct hr_mysql_counts {
    uint64_t prepared, reused; /* statements with arguments: newly prepared, or kept from before */
    uint64_t retried;          /* attempts of hr_mysql_transaction() after the first */
    uint64_t killed;           /* KILL QUERYs that went through */
};
HR_PUBLIC void hr_mysql_pool_get_counts(const hr_mysql_pool *pool, struct hr_mysql_counts *ret);

/* After a failover: resolve again, reconnect.
 *
 * Nobody has to call it where the url names several hosts. They are tried in their order, each with
 * its share of connect_timeout, and role says which will do: primary, the default of a list, one
 * that takes writes (neither read_only nor innodb_read_only, and transactions are not read-only by
 * default); any, whichever answers, and the default of a single host. One that failed is tried
 * after the others for ten seconds; so a pool comes back to the first host when that is well again
 * and a connection is opened. Where only a primary will do, all connections then move there, as
 * they do when a statement is refused because the server has become read-only (1290, 1836, 3100,
 * and 1792 where the server, not the caller, made the transaction read-only): the statement fails,
 * those of later loans go elsewhere. */
HR_PUBLIC void hr_mysql_pool_flush(hr_mysql_pool *pool);

/* Every call below that talks to the server returns ≥ 0, or
 *   HR_EREPLY    the server said no: native is its number, state its SQLSTATE; the connection is
 *                usable (1153, too large a statement, may have closed it). Of acquire: it refused
 *                the login (1045, 1049)
 *   -ENOTCONN    not connected, or the connection was lost before the request had left
 *   HR_ELOST     sent, and the connection was lost: no telling whether it was done
 *   -ETIMEDOUT   no answer in query_timeout; the connection is closed; sent tells
 *   -ECANCELED   the task was cancelled; the connection is closed; sent tells. Of both the message
 *                names limit and statement, the latter cut short and without numbers and quoted
 *                texts
 *   -EMSGSIZE    a result larger than max_result; the connection is closed
 *   -EPROTO      what the server says makes no sense; the connection is closed
 *   -EBUSY       another task's call on this connection is under way, or a cursor's rows are left
 *                to be fetched
 *   HR_ECLOSED · -ENOMEM · -EINVAL · HR_ENOTASK · HR_EWRONGLOOP
 * client errors (2002, 2013, …) stand in native as well. */

/* Borrows a connection in autocommit mode. release never waits; a connection with an open
 * transaction is rolled back before its next loan, one that failed is closed.
 *
 * A loan has no handle of its own, so forget the pointer when it ends (releasep does): what is
 * called on a connection that was given back is HR_ECLOSED, and to give it back once more ends the
 * program, only as long as it idles in the pool. Once it is lent again the pointer is the new
 * borrower's: a call is carried out in his session, inside his transaction, where it is not -EBUSY,
 * and release takes it away from him. Once the pool has closed it the pointer is to freed memory.
 */
HR_PUBLIC hr_async int hr_mysql_acquire(hr_mysql_pool *pool, hr_mysql_conn **ret);
HR_PUBLIC void hr_mysql_release(hr_mysql_conn *conn);
HR_PUBLIC void hr_mysql_releasep(hr_mysql_conn **conn);

/* One value for one question mark. */
enum hr_mysql_type {
    HR_MYSQL_NULL,
    HR_MYSQL_INT,
    HR_MYSQL_UINT,
    HR_MYSQL_DOUBLE,
    HR_MYSQL_TEXT,
    HR_MYSQL_BYTES
};
struct hr_mysql_arg {
    enum hr_mysql_type type;
    union {
        int64_t i;
        uint64_t u;
        double d;
        struct {
            const char *data; /* borrowed until the call returns */
            size_t len;
        } s;
    };
    const char *name; /* of hr_named(); NULL: its place counts */
};
struct hr_mysql_args {
    const struct hr_mysql_arg *items;
    size_t count;
};
#define HR_ARGS(...)                                                                               \
    ((struct hr_mysql_args){(const struct hr_mysql_arg[]){__VA_ARGS__},                            \
                            sizeof((const struct hr_mysql_arg[]){__VA_ARGS__}) /                   \
                                sizeof(struct hr_mysql_arg)})
#define HR_NO_ARGS ((struct hr_mysql_args){NULL, 0})
static inline struct hr_mysql_arg hr_i(int64_t i)
{
    return (struct hr_mysql_arg){.type = HR_MYSQL_INT, .i = i, .name = NULL};
}
static inline struct hr_mysql_arg hr_u(uint64_t u)
{
    return (struct hr_mysql_arg){.type = HR_MYSQL_UINT, .u = u, .name = NULL};
}
static inline struct hr_mysql_arg hr_d(double d) /* finite, else the call says -EINVAL */
{
    return (struct hr_mysql_arg){.type = HR_MYSQL_DOUBLE, .d = d, .name = NULL};
}
static inline struct hr_mysql_arg hr_b(const void *data, size_t len)
{
    return (struct hr_mysql_arg){
        .type = HR_MYSQL_BYTES, .s = {(const char *)data, len},
             .name = NULL
    };
}
static inline struct hr_mysql_arg hr_null(void)
{
    return (struct hr_mysql_arg){.type = HR_MYSQL_NULL, .i = 0, .name = NULL};
}
HR_PUBLIC struct hr_mysql_arg hr_s(const char *text); /* NULL becomes NULL */

/* A value for ":name" in the statement, wherever and how often that stands there, instead of for a
 * question mark:
 *     hr_mysql_exec(conn, "UPDATE users SET name = :name WHERE id = :id",
 *                   HR_ARGS(hr_named("id", hr_i(7)), hr_named("name", hr_s("Ann"))));
 * Either all values of a statement have names or none has. -EINVAL when a name has no value, or a
 * value no place. Quoted text and names, comments, "::" and ":=" are left alone. */
static inline struct hr_mysql_arg hr_named(const char *name, struct hr_mysql_arg arg)
{
    arg.name = name;
    return arg;
}

/* Runs a statement and returns the affected rows (rows changed, not rows found; cut at INT_MAX).
 * With arguments it is prepared, and the handle is kept with the connection (options.statements);
 * without it goes as text. Rows that it returns are dropped; of several results the first without
 * rows counts, of a procedure its last statement's. */
HR_PUBLIC hr_async int hr_mysql_exec(hr_mysql_conn *conn, const char *sql,
                                     struct hr_mysql_args args);

/* Runs a query and keeps its rows (drivers/mysql/row.h); *ret is the caller's, and what it was
 * before is not looked at. Returns the number of rows. Of several results the first is kept. */
HR_PUBLIC hr_async int hr_mysql_query(hr_mysql_conn *conn, hr_mysql_result **ret, const char *sql,
                                      struct hr_mysql_args args);

/* What the server can do, and the state of the session; of NULL "", false and 0. */
HR_PUBLIC const char *hr_mysql_host(const hr_mysql_conn *conn);  /* "db2.example.org:3306" */
HR_PUBLIC bool hr_mysql_is_read_only(const hr_mysql_conn *conn); /* when it was connected to */
HR_PUBLIC bool hr_mysql_is_mariadb(const hr_mysql_conn *conn);
HR_PUBLIC bool hr_mysql_has_bulk(const hr_mysql_conn *conn);
HR_PUBLIC unsigned hr_mysql_version(const hr_mysql_conn *conn); /* 101119 for 10.11.19 */
HR_PUBLIC uint64_t hr_mysql_last_insert_id(const hr_mysql_conn *conn);
HR_PUBLIC size_t hr_mysql_max_packet(const hr_mysql_conn *conn); /* server's max_allowed_packet */

/* Whether the transaction is open: since hr_mysql_begin() no reply said otherwise, as one does
 * after a statement that commits on its own (DDL, some procedures); when such a one is refused, the
 * server is asked, which costs a round trip. On a connection that was acquired: as the latest reply
 * said; a refused procedure or block does not say that it has left one open, which is rolled back
 * when the loan ends. */
HR_PUBLIC bool hr_mysql_in_transaction(const hr_mysql_conn *conn);

/* A failure names the caller's place in the program. */
#define hr_mysql_acquire(...) hr_from_here(hr_mysql_acquire(__VA_ARGS__))
#define hr_mysql_exec(...)    hr_from_here(hr_mysql_exec(__VA_ARGS__))
#define hr_mysql_query(...)   hr_from_here(hr_mysql_query(__VA_ARGS__))

#include "drivers/mysql/row.h" /* what a query returns */
