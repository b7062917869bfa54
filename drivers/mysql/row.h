/* SPDX-License-Identifier: MIT */
/*
 * Rows that a query returned, and what the server tells about columns.
 *
 * A result is a copy of its own: it outlives its connection. Rows and columns are counted from 0;
 * one that is not there is a mistake of the caller's and ends the program. NULL has none of either.
 */
#pragma once

#include "drivers/mysql.h"

HR_PUBLIC size_t hr_mysql_rows(const hr_mysql_result *result);
HR_PUBLIC size_t hr_mysql_columns(const hr_mysql_result *result);
HR_PUBLIC const char *hr_mysql_column_name(const hr_mysql_result *result, size_t column);

/* A value as text, the same with and without arguments in the query (only FLOAT and DOUBLE may
 * differ in the last digits): bytes followed by an uncounted NUL, or NULL for SQL NULL. len may be
 * NULL. */
HR_PUBLIC const char *hr_mysql_text(const hr_mysql_result *result, size_t row, size_t column,
                                    size_t *len);

/* The value as an integer: 0 for NULL and for what does not begin with one, cut at the ends of the
 * range; decimals are dropped. */
HR_PUBLIC int64_t hr_mysql_int(const hr_mysql_result *result, size_t row, size_t column);

HR_PUBLIC hr_mysql_result *hr_mysql_result_free(hr_mysql_result *result);
HR_PUBLIC void hr_mysql_result_freep(hr_mysql_result **result);

/* A column as the protocol describes it (MariaDB "Column Definition Packet"). */
struct hr_mysql_field {
    char name[257];  /* 64 characters of up to four bytes */
    char table[257]; /* where it comes from; empty for an expression */
    int type; /* enum enum_field_types of the protocol: 3 LONG, 8 LONGLONG, 246 NEWDECIMAL… */
    bool is_unsigned, not_null, no_default, auto_increment, binary, is_json;
    size_t length;     /* display width or bytes, as the protocol has it */
    size_t characters; /* text columns: most characters that fit; TEXT counts bytes instead */
    unsigned decimals;
};

/* What the server said about a column of the result. */
HR_PUBLIC void hr_mysql_column_field(const hr_mysql_result *result, size_t column,
                                     struct hr_mysql_field *ret);

/* Asks what a SELECT would return, without running it. *ret is malloc'ed; returns how many fields
 * it has. Codes as hr_mysql_exec(). */
HR_PUBLIC hr_async int hr_mysql_describe(hr_mysql_conn *conn, const char *select,
                                         struct hr_mysql_field **ret);

/* A failure names the caller's place in the program. */
#define hr_mysql_describe(...) hr_from_here(hr_mysql_describe(__VA_ARGS__))
