/* SPDX-License-Identifier: MIT */
/*
 * How rows become structs.
 *
 * Columns are looked up once for all rows: a plan says which column each member takes.
 */
#include "drivers/mysql/bind.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_INLINE 32

static int find_column(const hr_mysql_result *result, const char *name, size_t *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < hr_mysql_columns(result); i++) {
        if (strcmp(hr_mysql_column_name(result, i), name) == 0) {
            *ret = i;
            n++;
        }
    }
    if (n == 1)
        return 0;
    return hr_fail(-EINVAL,
                   n ? "the result has several columns \"%s\"" : "the result has no column \"%s\"",
                   name);
}

static int make_plan(const hr_mysql_result *result, const struct hr_mysql_shape *shape,
                     size_t *columns)
{
    for (size_t i = 0; i < shape->count; i++) {
        int r = find_column(result, shape->members[i].column, &columns[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int no_room(const struct hr_mysql_member *member)
{
    return hr_fail(-ERANGE, "column \"%s\": the value does not fit in %zu bytes", member->column,
                   member->size);
}

static int put_int(const struct hr_mysql_member *member, int64_t value, char *to)
{
    int spare = 64 - 8 * (int)member->size;
    if (spare > 0 && (value > INT64_MAX >> spare || value < INT64_MIN >> spare))
        return no_room(member);
    switch (member->size) {
    case 1:
        *(int8_t *)to = (int8_t)value;
        break;
    case 2:
        memcpy(to, &(int16_t){(int16_t)value}, 2);
        break;
    case 4:
        memcpy(to, &(int32_t){(int32_t)value}, 4);
        break;
    default:
        memcpy(to, &value, sizeof(value));
    }
    return 0;
}

static int put_uint(const struct hr_mysql_member *member, uint64_t value, char *to)
{
    int spare = 64 - 8 * (int)member->size;
    if (spare > 0 && value > UINT64_MAX >> spare)
        return no_room(member);
    switch (member->size) {
    case 1:
        *(uint8_t *)to = (uint8_t)value;
        break;
    case 2:
        memcpy(to, &(uint16_t){(uint16_t)value}, 2);
        break;
    case 4:
        memcpy(to, &(uint32_t){(uint32_t)value}, 4);
        break;
    default:
        memcpy(to, &value, sizeof(value));
    }
    return 0;
}

static int put_array(const struct hr_mysql_member *member, const char *text, size_t len, char *to)
{
    if (len >= member->size || memchr(text, '\0', len))
        return no_room(member);
    memcpy(to, text, len);
    memset(to + len, 0, member->size - len);
    return 0;
}

static int put_double(const struct hr_mysql_member *member, double value, char *to)
{
    if (member->type == HR_MEMBER_DOUBLE) {
        memcpy(to, &value, sizeof(value));
        return 0;
    }
    if (isfinite(value) && fabs(value) > FLT_MAX)
        return no_room(member);
    memcpy(to, &(float){(float)value}, sizeof(float));
    return 0;
}

static int put_value(const hr_mysql_result *result, size_t row, size_t column,
                     const struct hr_mysql_member *member, char *to)
{
    union {
        int64_t i;
        uint64_t u;
        double d;
        struct hr_mysql_time time;
        const char *text;
    } v;
    size_t len;
    int r;
    switch (member->type) {
    case HR_MEMBER_BOOL:
        r = hr_mysql_get_uint(result, row, column, &v.u);
        if (r == 0 && v.u > 1)
            r = no_room(member);
        if (r == 0)
            *(bool *)to = v.u;
        return r;
    case HR_MEMBER_INT:
        r = hr_mysql_get_int(result, row, column, &v.i);
        return r < 0 ? r : put_int(member, v.i, to);
    case HR_MEMBER_UINT:
        r = hr_mysql_get_uint(result, row, column, &v.u);
        return r < 0 ? r : put_uint(member, v.u, to);
    case HR_MEMBER_FLOAT:
    case HR_MEMBER_DOUBLE:
        r = hr_mysql_get_double(result, row, column, &v.d);
        return r < 0 ? r : put_double(member, v.d, to);
    case HR_MEMBER_TIME:
        r = hr_mysql_get_time(result, row, column, &v.time);
        if (r == 0)
            memcpy(to, &v.time, sizeof(v.time));
        return r;
    case HR_MEMBER_ARRAY:
        r = hr_mysql_get_text(result, row, column, &v.text, &len);
        return r < 0 ? r : put_array(member, v.text, len, to);
    case HR_MEMBER_TEXT:
        r = hr_mysql_get_text(result, row, column, &v.text, NULL);
        if (r == 0)
            memcpy(to, &v.text, sizeof(v.text));
        return r;
    case HR_MEMBER_NONE:
        break;
    }
    return hr_fail(-EINVAL, "the member for column \"%s\" has no type", member->column);
}

/* The same code, with the row's number in front of the message. */
static int name_row(int code, size_t number)
{
    char message[HR_ERROR_MESSAGE_MAX];
    snprintf(message, sizeof(message), "%s", hr_error_message(code));
    return hr_fail(code, "row %zu: %s", number, message);
}

static int put_row(const hr_mysql_result *result, const struct hr_mysql_shape *shape,
                   const size_t *columns, size_t row, char *to)
{
    for (size_t i = 0; i < shape->count; i++) {
        const struct hr_mysql_member *member = &shape->members[i];
        char *at = to + member->offset;
        if (member->null_offset != SIZE_MAX) {
            bool null = hr_mysql_is_null(result, row, columns[i]);
            *(bool *)(to + member->null_offset) = null;
            if (null) {
                memset(at, 0, member->size);
                continue;
            }
        }
        int r = put_value(result, row, columns[i], member, at);
        if (r < 0)
            return r;
    }
    return 0;
}

/* number: what to call the first of them in a message. */
static int put_rows(const hr_mysql_result *result, const struct hr_mysql_shape *shape, size_t from,
                    size_t n, size_t number, char *to)
{
    size_t inline_columns[COLUMNS_INLINE];
    hr_auto(hr_freep) size_t *many = NULL;
    size_t *columns = inline_columns;
    if (shape->count > COLUMNS_INLINE) {
        columns = many = calloc(shape->count, sizeof(*many));
        if (!many)
            return hr_fail(-ENOMEM, "no memory for %zu members", shape->count);
    }
    int r = make_plan(result, shape, columns);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        r = put_row(result, shape, columns, from + i, to + i * shape->size);
        if (r < 0)
            r = name_row(r, number + i);
    }
    return r;
}

int hr_mysql_bind(const hr_mysql_result *result, const struct hr_mysql_shape *shape, size_t from,
                  size_t n, void *array)
{
    size_t rows = hr_mysql_rows(result);
    if (n > INT_MAX || from > rows || n > rows - from)
        return hr_fail(-EINVAL, "rows %zu to %zu of a result that has %zu", from + 1, from + n,
                       rows);
    int r = put_rows(result, shape, from, n, from + 1, array);
    return r < 0 ? r : (int)n;
}

static int check_copies(const struct hr_mysql_shape *shape)
{
    for (size_t i = 0; i < shape->count; i++) {
        if (shape->members[i].type == HR_MEMBER_TEXT)
            return hr_fail(-EINVAL,
                           "the member for column \"%s\" would point to a row that is gone",
                           shape->members[i].column);
    }
    return 0;
}

int(hr_mysql_fetch_into)(hr_mysql_cursor *cursor, const struct hr_mysql_shape *shape, void *array,
                         size_t n)
{
    char *to = array;
    size_t got = 0;
    int r = check_copies(shape);
    while (r >= 0 && got < n && got < INT_MAX) {
        const hr_mysql_result *row;
        r = hr_mysql_fetch_one(cursor, &row);
        if (r == 0)
            break;
        if (r > 0)
            r = put_rows(row, shape, 0, 1, got + 1, to + got * shape->size);
        got++;
    }
    return r < 0 ? r : (int)got;
}

int(hr_mysql_select)(hr_mysql_conn *conn, const struct hr_mysql_shape *shape, void *ret_array,
                     const char *sql, struct hr_mysql_args args)
{
    hr_auto(hr_mysql_result_freep) hr_mysql_result *result = NULL;
    int r = check_copies(shape);
    if (r >= 0)
        r = hr_mysql_query(conn, &result, sql, args);
    if (r < 0)
        return r;
    size_t n = hr_mysql_rows(result);
    hr_auto(hr_freep) void *array = n ? calloc(n, shape->size) : NULL;
    if (n && !array)
        return hr_fail(-ENOMEM, "no memory for %zu rows", n);
    r = hr_mysql_bind(result, shape, 0, n, array);
    if (r >= 0)
        *(void **)ret_array = hr_take(array);
    return r;
}
