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

/* What the server said of a column, without the library's memory. */
struct hr__mysql_column {
    struct hr__mysql_cell name, table;
    int type; /* enum enum_field_types */
    unsigned flags, charset, decimals;
    size_t length;
    bool json;
};

struct hr_mysql_result {
    size_t columns, rows;
    struct hr__mysql_column *fields;
    struct hr__mysql_cell *cells; /* rows * columns */
    size_t n_cells, room;
    char *bytes;
    size_t used, size;
    size_t head;  /* of used: the names */
    size_t limit; /* of what cells and bytes take together */
    bool solid;   /* all of it is one block, and nothing can be added */
};

/* A result without rows; of no columns: what a statement without rows gives. */
int hr__mysql_result_new(size_t limit, const MYSQL_FIELD *fields, size_t columns,
                         hr_mysql_result **ret);

/* One without rows that has the columns of another. */
int hr__mysql_result_like(const hr_mysql_result *other, hr_mysql_result **ret);

/* One in a single block that has the columns of another, and room for so many rows and bytes, with
 * the NULs behind values; the caller fills cells and bytes. -ENOMEM without a record. */
int hr__mysql_result_solid(const hr_mysql_result *like, size_t rows, size_t bytes,
                           hr_mysql_result **ret);

/* Adds a cell of that length, whose bytes go to *ret_to, or SQL NULL. -EMSGSIZE, -ENOMEM. */
int hr__mysql_result_add(hr_mysql_result *result, size_t len, char **ret_to);
int hr__mysql_result_add_null(hr_mysql_result *result);

/* Forgets the rows and keeps their memory for the next ones. */
void hr__mysql_result_clear(hr_mysql_result *result);

/* Reads the rows that a statement sent as text, or a prepared one, has left to be read, and drops
 * further results. Without rows in the reply *ret has no columns. Returns the number of rows.
 * Inside a call. -EMSGSIZE: more than the pool's max_result; the connection is broken. */
hr_async int hr__mysql_result_of_text(hr_mysql_conn *conn, hr_mysql_result **ret);
hr_async int hr__mysql_result_of_stmt(hr_mysql_conn *conn, struct hr__mysql_stmt *stmt,
                                      hr_mysql_result **ret);
