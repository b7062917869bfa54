/* SPDX-License-Identifier: MIT */
/*
 * Columns of a bulk as libmariadb wants them: bound as they are, without a copy, or a cell at a
 * time.
 */
#pragma once

#include "drivers/mysql/bulk.h"
#include "drivers/mysql/conn.h"

struct hr__mysql_columns {
    const struct hr_mysql_column *items;
    size_t n;
};

/* 0, or -EINVAL where one has no type, values or lengths; the record says which and what. */
int hr__mysql_columns_missing(const struct hr__mysql_columns *columns);

/* What a row takes in a packet. */
size_t hr__mysql_columns_bytes(const struct hr__mysql_columns *columns, size_t row);

/* How many of the rows fit in a packet of this size; at least one. */
size_t hr__mysql_columns_fit(const struct hr__mysql_columns *columns, size_t packet, size_t from,
                             size_t rows);

/* Refuses rows that the server would bend instead: 0 or -EINVAL. */
int hr__mysql_columns_check(const struct hr__mysql_columns *columns, size_t from, size_t rows);

/* Binds arrays of so many rows. 0, or -EINVAL, -ENOMEM, or what libmariadb says. */
int hr__mysql_columns_bind(const struct hr__mysql_columns *columns, hr_mysql_conn *conn,
                           struct hr__mysql_stmt *stmt, size_t from, size_t rows);

/* One value, borrowed from the column. */
struct hr_mysql_arg hr__mysql_columns_cell(const struct hr_mysql_column *column, size_t row);
