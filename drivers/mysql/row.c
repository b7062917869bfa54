/* SPDX-License-Identifier: MIT */
/*
 * How results are looked at, and how columns are described: by preparing a statement that is never
 * run.
 */
#include "drivers/mysql/row.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/mysql/call.h"
#include "drivers/mysql/result.h"

size_t hr_mysql_rows(const hr_mysql_result *result)
{
    return result->rows;
}

size_t hr_mysql_columns(const hr_mysql_result *result)
{
    return result->columns;
}

const char *hr_mysql_column_name(const hr_mysql_result *result, size_t column)
{
    hr_assert(column < result->columns);
    return result->bytes + result->names[column].at;
}

const char *hr_mysql_text(const hr_mysql_result *result, size_t row, size_t column, size_t *len)
{
    hr_assert(row < result->rows && column < result->columns);
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
    if (result) {
        free(result->names);
        free(result->cells);
        free(result->bytes);
        free(result);
    }
    return NULL;
}

void hr_mysql_result_freep(hr_mysql_result **result)
{
    *result = hr_mysql_result_free(*result);
}

#define BINARY_CHARSET 63

static bool is_json(const MYSQL_FIELD *field)
{
    MARIADB_CONST_STRING format = {NULL, 0};
    return field->type == MYSQL_TYPE_JSON ||
           (!mariadb_field_attr(&format, field, MARIADB_FIELD_ATTR_FORMAT_NAME) && format.str &&
            format.length == 4 && memcmp(format.str, "json", 4) == 0);
}

static size_t characters(const MYSQL_FIELD *field, unsigned bytes_a_character)
{
    if (field->charsetnr == BINARY_CHARSET)
        return 0;
    switch (field->type) {
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_BLOB:
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
        return field->length / bytes_a_character;
    default:
        return 0;
    }
}

static void describe_field(const MYSQL_FIELD *field, unsigned bytes_a_character,
                           struct hr_mysql_field *ret)
{
    size_t len = field->name_length < sizeof(ret->name) ? field->name_length : 256;
    *ret = (struct hr_mysql_field){
        .type = (int)field->type,
        .is_unsigned = field->flags & UNSIGNED_FLAG,
        .not_null = field->flags & NOT_NULL_FLAG,
        .no_default = field->flags & NO_DEFAULT_VALUE_FLAG,
        .auto_increment = field->flags & AUTO_INCREMENT_FLAG,
        .binary = field->charsetnr == BINARY_CHARSET,
        .is_json = is_json(field),
        .length = field->length,
        .characters = characters(field, bytes_a_character),
        .decimals = field->decimals,
    };
    memcpy(ret->name, field->name, len);
}

static int describe_fields(hr_mysql_conn *conn, MYSQL_STMT *handle, struct hr_mysql_field **ret)
{
    size_t n = mysql_stmt_field_count(handle);
    const MYSQL_FIELD *fields = mariadb_stmt_fetch_fields(handle);
    MY_CHARSET_INFO charset;
    mysql_get_character_set_info(conn->mysql, &charset);
    struct hr_mysql_field *described = calloc(n + 1, sizeof(*described));
    if (!described)
        return hr_fail(-ENOMEM, "no memory to describe %zu columns", n);
    for (size_t i = 0; i < n; i++)
        describe_field(&fields[i], charset.mbmaxlen ? charset.mbmaxlen : 4, &described[i]);
    *ret = described;
    return (int)n;
}

int hr_mysql_describe(hr_mysql_conn *conn, const char *select, struct hr_mysql_field **ret)
{
    struct hr__mysql_call call;
    int r = hr__mysql_enter(&call, conn, conn->server->query_timeout);
    if (r < 0)
        return r;
    struct hr__mysql_stmt *stmt;
    hr_auto(hr_freep) struct hr_mysql_field *described = NULL;
    r = hr__mysql_stmt_get(conn, select, &stmt);
    if (r == 0) {
        r = describe_fields(conn, stmt->handle, &described);
        hr__mysql_stmt_drop(conn, stmt);
    }
    r = hr__mysql_leave(&call, r);
    if (r >= 0)
        *ret = hr_take(described);
    return r;
}
