/* SPDX-License-Identifier: MIT */
/*
 * Rows that a query returned, and what the server tells about columns.
 */
#pragma once

#include "drivers/mysql.h"

size_t hr_mysql_rows(const hr_mysql_result *result);
size_t hr_mysql_columns(const hr_mysql_result *result);

/* A value as the server wrote it: bytes followed by an uncounted NUL, or NULL for SQL NULL. */
const char *hr_mysql_text(const hr_mysql_result *result, size_t row, size_t column, size_t *len);

/* The value as a number: 0 for NULL and for what is not one. */
int64_t hr_mysql_int(const hr_mysql_result *result, size_t row, size_t column);

hr_mysql_result *hr_mysql_result_free(hr_mysql_result *result);
void hr_mysql_result_freep(hr_mysql_result **result);

/* A column as the protocol describes it (MariaDB "Column Definition Packet"). */
struct hr_mysql_field {
    char name[65];
    int type; /* enum enum_field_types of the protocol: 3 LONG, 8 LONGLONG, 246 NEWDECIMAL… */
    bool is_unsigned, not_null, no_default, auto_increment, binary, is_json;
    size_t length;     /* display width or bytes, as the protocol has it */
    size_t characters; /* text columns: most characters that fit */
    unsigned decimals;
};

/* Asks what a SELECT would return, without running it. fields is malloc'ed; returns their number.
 * Codes as hr_mysql_exec(). */
hr_async int hr_mysql_describe(hr_mysql_conn *conn, const char *select,
                               struct hr_mysql_field **ret);
