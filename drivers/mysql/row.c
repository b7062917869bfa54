/* SPDX-License-Identifier: MIT */
/*
 * How results are looked at, and how columns are described: by preparing a statement that is never
 * run.
 */
#include "drivers/mysql/row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/mysql/call.h"
#include "drivers/mysql/result.h"

size_t hr_mysql_rows(const hr_mysql_result *result)
{
    return result ? result->rows : 0;
}

size_t hr_mysql_columns(const hr_mysql_result *result)
{
    return result ? result->columns : 0;
}

const char *hr_mysql_column_name(const hr_mysql_result *result, size_t column)
{
    hr_assert(column < hr_mysql_columns(result));
    return result->bytes + result->fields[column].name.at;
}

static __attribute__((noinline, noreturn)) void no_such_cell(const hr_mysql_result *result,
                                                             size_t row, size_t column)
{
    fprintf(stderr,
            "headrace: a result of %zu rows and %zu columns was asked for row %zu, column %zu "
            "(both begin at 0)\n",
            hr_mysql_rows(result), hr_mysql_columns(result), row, column);
    abort();
}

const char *hr_mysql_text(const hr_mysql_result *result, size_t row, size_t column, size_t *len)
{
    if (hr_unlikely(!result || row >= result->rows || column >= result->columns))
        no_such_cell(result, row, column);
    const struct hr__mysql_cell *cell = &result->cells[row * result->columns + column];
    if (len)
        *len = cell->len;
    return cell->at == SIZE_MAX ? NULL : result->bytes + cell->at;
}

int64_t hr_mysql_int(const hr_mysql_result *result, size_t row, size_t column)
{
    const char *text = hr_mysql_text(result, row, column, NULL);
    return text ? strtoll(text, NULL, 10) : 0;
}

hr_mysql_result *hr_mysql_result_free(hr_mysql_result *result)
{
    if (result && !result->solid) {
        free(result->fields);
        free(result->cells);
        free(result->bytes);
    }
    free(result);
    return NULL;
}

void hr_mysql_result_freep(hr_mysql_result **result)
{
    *result = hr_mysql_result_free(*result);
}

#define BINARY_CHARSET 63
#define UTF8MB4_BYTES  4 /* what a character may take in our sessions */

static bool is_text(const struct hr__mysql_column *column)
{
    if (column->charset == BINARY_CHARSET)
        return false;
    switch (column->type) {
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_BLOB:
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
        return true;
    default:
        return false;
    }
}

static void copy_name(const hr_mysql_result *result, const struct hr__mysql_cell *name, char *to,
                      size_t size)
{
    size_t len = name->len < size ? name->len : size - 1;
    memcpy(to, result->bytes + name->at, len);
    to[len] = '\0';
}

void hr_mysql_column_field(const hr_mysql_result *result, size_t index, struct hr_mysql_field *ret)
{
    hr_assert(index < hr_mysql_columns(result));
    const struct hr__mysql_column *column = &result->fields[index];
    *ret = (struct hr_mysql_field){
        .type = column->type,
        .is_unsigned = column->flags & UNSIGNED_FLAG,
        .not_null = column->flags & NOT_NULL_FLAG,
        .no_default = column->flags & NO_DEFAULT_VALUE_FLAG,
        .auto_increment = column->flags & AUTO_INCREMENT_FLAG,
        .binary = column->charset == BINARY_CHARSET,
        .is_json = column->json,
        .length = column->length,
        .characters = is_text(column) ? column->length / UTF8MB4_BYTES : 0,
        .decimals = column->decimals,
    };
    copy_name(result, &column->name, ret->name, sizeof(ret->name));
    copy_name(result, &column->table, ret->table, sizeof(ret->table));
}

static int describe_fields(MYSQL_STMT *handle, struct hr_mysql_field **ret)
{
    size_t n = mysql_stmt_field_count(handle);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    int r = hr__mysql_result_new(SIZE_MAX, mariadb_stmt_fetch_fields(handle), n, &result);
    if (r < 0)
        return r;
    struct hr_mysql_field *described = calloc(n + 1, sizeof(*described));
    if (!described)
        return hr_fail(-ENOMEM, "no memory to describe %zu columns", n);
    for (size_t i = 0; i < n; i++)
        hr_mysql_column_field(result, i, &described[i]);
    *ret = described;
    return (int)n;
}

int(hr_mysql_describe)(hr_mysql_conn *conn, const char *select, struct hr_mysql_field **ret)
{
    struct hr__mysql_call call;
    int r = hr__mysql_enter_statement(&call, conn, select, 0);
    if (r < 0)
        return r;
    struct hr__mysql_stmt *stmt;
    hr_auto(hr_freep) struct hr_mysql_field *described = NULL;
    r = hr__mysql_stmt_prepare(conn, select, &stmt); /* one that is kept may know what was */
    if (r == 0) {
        r = describe_fields(stmt->handle, &described);
        hr__mysql_stmt_drop(conn, stmt);
    }
    r = hr__mysql_leave(&call, r);
    if (r >= 0)
        *ret = hr_take(described);
    return r;
}
