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
    const unsigned long *lengths; /* TEXT and BYTES */
    const bool *nulls;            /* or NULL: none is null */
};

/* Runs an INSERT of the form INSERT INTO t (…) VALUES (?, …) for rows [from, from + rows) of the
 * columns. All or nothing inside a transaction. Returns the affected rows. Values are borrowed
 * until it returns. Splits by max_allowed_packet: then several statements, in order. Codes as
 * hr_mysql_exec(); a refused row leaves none of the statement's rows. */
hr_async int hr_mysql_bulk(hr_mysql_conn *conn, const char *sql,
                           const struct hr_mysql_column *columns, size_t n_columns, size_t from,
                           size_t rows);

/* Straight after a refused bulk, as the next statement: which of its rows (1-based) was refused.
 * 0 when the server cannot tell (MySQL, triggers). */
hr_async int hr_mysql_refused_row(hr_mysql_conn *conn);
