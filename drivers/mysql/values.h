/* SPDX-License-Identifier: MIT */
/*
 * INSERT … VALUES (?, …) written out as text, for servers that take no arrays.
 */
#pragma once

#include "drivers/mysql/bulk.h"
#include "drivers/mysql/conn.h"

/* A statement cut at its row of question marks: head "INSERT … VALUES ", row "(?, …)", and what
 * follows. All point into the caller's text. */
struct hr__mysql_values {
    const char *head, *row, *tail;
    size_t head_len, row_len, tail_len;
};

/* Finds the row. -EINVAL when there is not exactly one with that many question marks and none
 * elsewhere. */
int hr__mysql_values_parse(const char *sql, size_t questions, struct hr__mysql_values *ret);

/* Writes the statement for as many of the rows [from, from + rows) as fit in limit bytes; returns
 * how many, at least one. *ret is malloc'ed. -ENOMEM. */
int hr__mysql_values_write(hr_mysql_conn *conn, const struct hr__mysql_values *values,
                           const struct hr_mysql_column *columns, size_t from, size_t rows,
                           size_t limit, char **ret, size_t *ret_len);
