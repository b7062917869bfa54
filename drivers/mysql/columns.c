/* SPDX-License-Identifier: MIT */
/*
 * Arrays of numbers, arrays of pointers with lengths, and our bools as the library's indicators, so
 * binding costs nothing a row.
 */
#include "drivers/mysql/columns.h"

#include <math.h>

#include "drivers/mysql/call.h"

/* The server's lists say 1 for NULL, which is what a true bool is. */
_Static_assert(sizeof(bool) == 1 && STMT_INDICATOR_NULL == 1 && STMT_INDICATOR_NONE == 0,
               "nulls serve as indicators");

/* What a cell takes besides its bytes: indicator and length, or a number. */
#define CELL_MAX 9

#define COLUMNS_INLINE 32

static bool has_lengths(const struct hr_mysql_column *column)
{
    return column->type == HR_MYSQL_TEXT || column->type == HR_MYSQL_BYTES;
}

static const char *missing_of(const struct hr_mysql_column *column)
{
    switch (column->type) {
    case HR_MYSQL_INT:
        return column->ints ? NULL : "ints";
    case HR_MYSQL_UINT:
        return column->uints ? NULL : "uints";
    case HR_MYSQL_DOUBLE:
        return column->doubles ? NULL : "doubles";
    case HR_MYSQL_TEXT:
    case HR_MYSQL_BYTES:
        return !column->texts ? "texts" : column->lengths ? NULL : "lengths";
    default:
        return "type";
    }
}

int hr__mysql_columns_missing(const struct hr__mysql_columns *columns)
{
    for (size_t i = 0; i < columns->n; i++) {
        const char *missing = missing_of(&columns->items[i]);
        if (missing)
            return hr_fail(-EINVAL, "column %zu of a bulk has no %s", i + 1, missing);
    }
    return 0;
}

size_t hr__mysql_columns_bytes(const struct hr__mysql_columns *columns, size_t row)
{
    size_t bytes = columns->n * CELL_MAX;
    for (size_t i = 0; i < columns->n; i++) {
        const struct hr_mysql_column *column = &columns->items[i];
        if (has_lengths(column) && !(column->nulls && column->nulls[row]))
            bytes += column->lengths[row];
    }
    return bytes;
}

size_t hr__mysql_columns_fit(const struct hr__mysql_columns *columns, size_t packet, size_t from,
                             size_t rows)
{
    size_t left = packet;
    size_t head = 64 + 2 * columns->n;
    left = left > head ? left - head : 0;
    for (size_t n = 0; n < rows; n++) {
        size_t bytes = hr__mysql_columns_bytes(columns, from + n);
        if (bytes >= left)
            return n ? n : 1;
        left -= bytes;
    }
    return rows;
}

/* MariaDB takes what is no number for 0 where the column is a DECIMAL. */
static int check_doubles(const struct hr__mysql_columns *columns, size_t i, size_t from,
                         size_t rows)
{
    const struct hr_mysql_column *column = &columns->items[i];
    for (size_t row = from; row < from + rows; row++) {
        if (!isfinite(column->doubles[row]) && !(column->nulls && column->nulls[row]))
            return hr_fail(-EINVAL, "row %zu: value %zu is %g, and no column holds that",
                           row - from + 1, i + 1, column->doubles[row]);
    }
    return 0;
}

int hr__mysql_columns_check(const struct hr__mysql_columns *columns, size_t from, size_t rows)
{
    int r = 0;
    for (size_t i = 0; i < columns->n && r == 0; i++) {
        if (columns->items[i].type == HR_MYSQL_DOUBLE)
            r = check_doubles(columns, i, from, rows);
    }
    return r;
}

static int bind_column(const struct hr_mysql_column *column, size_t from, MYSQL_BIND *bind)
{
    *bind = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG};
    switch (column->type) {
    case HR_MYSQL_INT:
        bind->buffer = (void *)(column->ints + from);
        break;
    case HR_MYSQL_UINT:
        bind->buffer = (void *)(column->uints + from);
        bind->is_unsigned = 1;
        break;
    case HR_MYSQL_DOUBLE:
        bind->buffer_type = MYSQL_TYPE_DOUBLE;
        bind->buffer = (void *)(column->doubles + from);
        break;
    case HR_MYSQL_TEXT:
    case HR_MYSQL_BYTES:
        bind->buffer_type = column->type == HR_MYSQL_TEXT ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
        bind->buffer = (void *)(column->texts + from);
        bind->length = (unsigned long *)(column->lengths + from);
        break;
    default:
        return hr_fail(-EINVAL, "a bulk column has to have a type");
    }
    if (column->nulls)
        bind->u.indicator = (char *)(column->nulls + from);
    return 0;
}

int hr__mysql_columns_bind(const struct hr__mysql_columns *columns, hr_mysql_conn *conn,
                           struct hr__mysql_stmt *stmt, size_t from, size_t rows)
{
    MYSQL_BIND inline_binds[COLUMNS_INLINE];
    hr_auto(hr_freep) MYSQL_BIND *many = NULL;
    MYSQL_BIND *binds = inline_binds;
    if (mysql_stmt_param_count(stmt->handle) != columns->n)
        return hr_fail(-EINVAL, "the statement has %lu question marks for %zu columns",
                       mysql_stmt_param_count(stmt->handle), columns->n);
    if (columns->n > COLUMNS_INLINE) {
        binds = many = calloc(columns->n, sizeof(*many));
        if (!many)
            return hr_fail(-ENOMEM, "no memory for %zu columns", columns->n);
    }
    for (size_t i = 0; i < columns->n; i++) {
        int r = bind_column(&columns->items[i], from, &binds[i]);
        if (r < 0)
            return r;
    }
    unsigned int array = (unsigned)rows;
    mysql_stmt_attr_set(stmt->handle, STMT_ATTR_ARRAY_SIZE, &array);
    if (mysql_stmt_bind_param(stmt->handle, binds))
        return hr__mysql_stmt_error(conn, stmt->handle);
    return 0;
}

struct hr_mysql_arg hr__mysql_columns_cell(const struct hr_mysql_column *column, size_t row)
{
    if (column->nulls && column->nulls[row])
        return hr_null();
    switch (column->type) {
    case HR_MYSQL_INT:
        return hr_i(column->ints[row]);
    case HR_MYSQL_UINT:
        return hr_u(column->uints[row]);
    case HR_MYSQL_DOUBLE:
        return hr_d(column->doubles[row]);
    case HR_MYSQL_TEXT:
    case HR_MYSQL_BYTES:
        return (struct hr_mysql_arg){
            .type = column->type, .s = {column->texts[row], column->lengths[row]}
        };
    default:
        return hr_null();
    }
}
