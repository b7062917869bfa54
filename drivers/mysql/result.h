/* SPDX-License-Identifier: MIT */
/*
 * A result while it is read: cells in the order of rows, their bytes one after the other.
 */
#pragma once

#include "drivers/mysql/call.h"
#include "drivers/mysql/row.h"

struct hr__mysql_cell {
    size_t at; /* offset of its bytes, which a NUL follows; SIZE_MAX: SQL NULL */
    size_t len;
};

struct hr_mysql_result {
    size_t columns, rows;
    struct hr__mysql_cell *names; /* one a column, in bytes too */
    struct hr__mysql_cell *cells; /* rows * columns */
    size_t n_cells, room;
    char *bytes;
    size_t used, size;
    size_t limit; /* of what cells and bytes take together */
};

/* Reads the rows that a statement sent as text, or a prepared one, has left to be read, and drops
 * further results. Without rows in the reply *ret has no columns. Returns the number of rows.
 * Inside a call. -EMSGSIZE: more than the pool's max_result; the connection is broken. */
hr_async int hr__mysql_result_of_text(hr_mysql_conn *conn, hr_mysql_result **ret);
hr_async int hr__mysql_result_of_stmt(hr_mysql_conn *conn, struct hr__mysql_stmt *stmt,
                                      hr_mysql_result **ret);
