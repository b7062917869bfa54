/* SPDX-License-Identifier: MIT */
/*
 * Many rows in one statement: array binding (COM_STMT_BULK_EXECUTE) on MariaDB, multi-row VALUES
 * elsewhere.
 */
#pragma once

#include "drivers/mysql.h"

/* Column-wise values. type is one of INT, UINT, DOUBLE, TEXT, BYTES. */
struct hr_mysql_column {
    enum hr_mysql_type type;
    union {
        const int64_t *ints;
        const uint64_t *uints;
        const double *doubles;
        const char *const *texts;
    };
    const unsigned long *lengths; /* TEXT and BYTES; -EINVAL without, as without values */
    const bool *nulls;            /* or NULL: none is null */
};

/* Runs an INSERT or REPLACE of the form INSERT INTO t (…) VALUES (?, …), an UPDATE or a DELETE for
 * rows [from, from + rows) of the columns. All or nothing: a refused row leaves none of the call's,
 * and a transaction that the connection is in open (unless the error itself ends it, as 1213 does).
 * Outside of one, what takes the server several statements is a transaction of its own. Returns the
 * affected rows. Values are borrowed until it returns. What does not fit in max_allowed_packet goes
 * in several statements, in order. An UPDATE or DELETE goes row by row, a round trip each, to a
 * server without arrays, and with RETURNING; so does a DELETE of several tables. Codes as
 * hr_mysql_exec(), HR_ELOST for a COMMIT of unknown outcome as well; -EINVAL for a statement of
 * another form, before anything is done (what else of an INSERT a server can take as an array, as
 * ON DUPLICATE KEY UPDATE with question marks, only one without arrays refuses), a column of
 * another type, a double that is not finite. */
HR_PUBLIC hr_async int hr_mysql_bulk(hr_mysql_conn *conn, const char *sql,
                                     const struct hr_mysql_column *columns, size_t n_columns,
                                     size_t from, size_t rows);

/* The same of a statement with RETURNING (MariaDB's INSERT and REPLACE since 10.5, DELETE): *ret
 * are the rows that it gave, in order, and the caller's. Returns how many. */
HR_PUBLIC hr_async int hr_mysql_bulk_returning(hr_mysql_conn *conn, hr_mysql_result **ret,
                                               const char *sql,
                                               const struct hr_mysql_column *columns,
                                               size_t n_columns, size_t from, size_t rows);

/* Straight after a refused bulk, as the next call on the connection: which of the call's rows
 * (1-based) was refused. 0 when nobody can tell (an array of UPDATE or DELETE, MySQL's 1062,
 * triggers, servers before MariaDB 10.7). */
HR_PUBLIC hr_async int hr_mysql_refused_row(hr_mysql_conn *conn);

/* A failure names the caller's place in the program. */
#define hr_mysql_bulk(...)           hr_from_here(hr_mysql_bulk(__VA_ARGS__))
#define hr_mysql_bulk_returning(...) hr_from_here(hr_mysql_bulk_returning(__VA_ARGS__))
#define hr_mysql_refused_row(...)    hr_from_here(hr_mysql_refused_row(__VA_ARGS__))
