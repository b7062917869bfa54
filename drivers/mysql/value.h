/* SPDX-License-Identifier: MIT */
/*
 * Values of a result as C has them: integers, floating point numbers, moments; text is text.
 *
 * Each getter knows the column's type and refuses what it would have to bend. 0 and the value, or
 * (nothing is written, and the record names the column)
 *   -ENODATA     SQL NULL
 *   -EINVAL      the column is of another kind
 *   -ERANGE      the value does not fit
 * Rows and columns that are not there end the program, as in drivers/mysql/row.h. By kind:
 *
 *   integers     TINYINT to BIGINT, YEAR, BIT (its bits as a number), DECIMAL without decimals, as
 *                of SUM()
 *   double       all of these but BIT, FLOAT, DOUBLE, and DECIMAL, rounded to the nearest
 *   time         DATE, TIME, DATETIME, TIMESTAMP
 *   text, bytes  every column, as hr_mysql_text() gives it: DECIMAL as written, JSON, ENUM, SET,
 *                BIT and GEOMETRY as the bytes that the server sends
 */
#pragma once

#include "drivers/mysql/row.h"

HR_PUBLIC bool hr_mysql_is_null(const hr_mysql_result *result, size_t row, size_t column);

HR_PUBLIC int hr_mysql_get_int(const hr_mysql_result *result, size_t row, size_t column,
                               int64_t *ret);
HR_PUBLIC int hr_mysql_get_uint(const hr_mysql_result *result, size_t row, size_t column,
                                uint64_t *ret);
HR_PUBLIC int hr_mysql_get_double(const hr_mysql_result *result, size_t row, size_t column,
                                  double *ret);

/* The text is the result's, and a NUL follows it; ret_len may be NULL. */
HR_PUBLIC int hr_mysql_get_text(const hr_mysql_result *result, size_t row, size_t column,
                                const char **ret, size_t *ret_len);

/* A date, a time of day or a span, or both. Of a DATE the time is 0; of a TIME the date is, and
 * hour goes to 838. "0000-00-00" and the like are as they are written: zeros. */
struct hr_mysql_time {
    bool negative; /* of a TIME */
    unsigned year, month, day;
    unsigned hour, minute, second, microsecond;
};

HR_PUBLIC int hr_mysql_get_time(const hr_mysql_result *result, size_t row, size_t column,
                                struct hr_mysql_time *ret);

/* Microseconds since 1970-01-01 00:00:00 UTC, as the session's time zone is UTC; negative before.
 * -EINVAL for what is no date of the calendar: zeros, a TIME. */
HR_PUBLIC int hr_mysql_time_unix(const struct hr_mysql_time *time, int64_t *ret);

/* The span of a TIME; negative spans are. */
HR_PUBLIC hr_usec hr_mysql_time_span(const struct hr_mysql_time *time);
