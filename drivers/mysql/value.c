/* SPDX-License-Identifier: MIT */
/*
 * How values are read from the text that a result keeps.
 */
#include "drivers/mysql/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/mysql/result.h"
#include "drivers/number.h"

enum kind { INTEGER, BITS, FRACTION, MOMENT, OTHER };

static enum kind kind_of(const struct hr__mysql_column *column)
{
    switch (column->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
        return INTEGER;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        return column->decimals == 0 ? INTEGER : FRACTION;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
        return FRACTION;
    case MYSQL_TYPE_BIT:
        return BITS;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
    case MYSQL_TYPE_TIME:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        return MOMENT;
    default:
        return OTHER;
    }
}

/* A value that is to be read as something: its text, by the column's name in a message. */
struct value {
    enum kind kind;
    const char *text, *name;
    size_t len;
};

static int take(const hr_mysql_result *result, size_t row, size_t column, struct value *ret)
{
    ret->text = hr_mysql_text(result, row, column, &ret->len);
    ret->name = hr_mysql_column_name(result, column);
    ret->kind = kind_of(&result->fields[column]);
    return ret->text ? 0 : hr_fail(-ENODATA, "column \"%s\" is NULL", ret->name);
}

static int wrong_kind(const struct value *value, const char *wanted)
{
    return hr_fail(-EINVAL, "column \"%s\" is no %s", value->name, wanted);
}

static int no_room(const struct value *value, const char *wanted)
{
    return hr_fail(-ERANGE, "column \"%s\": %.40s does not fit in %s", value->name,
                   value->kind == BITS ? "a value" : value->text, wanted);
}

bool hr_mysql_is_null(const hr_mysql_result *result, size_t row, size_t column)
{
    return !hr_mysql_text(result, row, column, NULL);
}

static bool read_bits(const struct value *value, uint64_t *ret)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < value->len; i++)
        bits = bits << 8 | (unsigned char)value->text[i];
    *ret = bits;
    return value->len <= sizeof(*ret);
}

/* An integer of any kind as its sign and what is left without it. */
static int split_integer(const struct value *value, const char *wanted, bool *ret_negative,
                         uint64_t *ret)
{
    *ret_negative = value->kind == INTEGER && value->text[0] == '-';
    if (value->kind == BITS)
        return read_bits(value, ret) ? 0 : no_room(value, wanted);
    const char *digits = value->text + *ret_negative;
    if (value->kind != INTEGER || *digits < '0' || *digits > '9')
        return wrong_kind(value, "integer");
    char *end;
    errno = 0;
    *ret = strtoull(digits, &end, 10);
    if (*end)
        return wrong_kind(value, "integer");
    return errno == ERANGE ? no_room(value, wanted) : 0;
}

/* Reads one from -least to most, in two's complement. wanted: where it is to fit. */
static int get_integer(const hr_mysql_result *result, size_t row, size_t column, const char *wanted,
                       uint64_t least, uint64_t most, uint64_t *ret)
{
    struct value value;
    bool negative = false;
    uint64_t amount = 0;
    int r = take(result, row, column, &value);
    if (r == 0)
        r = split_integer(&value, wanted, &negative, &amount);
    if (r < 0)
        return r;
    if (amount > (negative ? least : most))
        return no_room(&value, wanted);
    *ret = negative ? -amount : amount;
    return 0;
}

int hr_mysql_get_uint(const hr_mysql_result *result, size_t row, size_t column, uint64_t *ret)
{
    return get_integer(result, row, column, "an unsigned integer", 0, UINT64_MAX, ret);
}

int hr_mysql_get_int(const hr_mysql_result *result, size_t row, size_t column, int64_t *ret)
{
    uint64_t bits;
    int r =
        get_integer(result, row, column, "an integer", (uint64_t)INT64_MAX + 1, INT64_MAX, &bits);
    if (r == 0)
        *ret = (int64_t)bits;
    return r;
}

int hr_mysql_get_double(const hr_mysql_result *result, size_t row, size_t column, double *ret)
{
    struct value value;
    int r = take(result, row, column, &value);
    if (r < 0)
        return r;
    if ((value.kind != INTEGER && value.kind != FRACTION) ||
        !hr__parse_double(value.text, value.len, ret))
        return wrong_kind(&value, "number");
    return 0;
}

int hr_mysql_get_text(const hr_mysql_result *result, size_t row, size_t column, const char **ret,
                      size_t *ret_len)
{
    struct value value;
    int r = take(result, row, column, &value);
    if (r < 0)
        return r;
    *ret = value.text;
    if (ret_len)
        *ret_len = value.len;
    return 0;
}

/* Digits up to the mark behind them, which is stepped over; 0 ends the text. */
static bool read_part(const char **p, char mark, unsigned *ret)
{
    const char *start = *p;
    unsigned number = 0;
    while (**p >= '0' && **p <= '9' && *p - start < 6)
        number = number * 10 + (unsigned)(*(*p)++ - '0');
    if (*p == start || **p != mark)
        return false;
    if (mark)
        (*p)++;
    *ret = number;
    return true;
}

static bool read_fraction(const char *p, struct hr_mysql_time *time)
{
    unsigned unit = 100000;
    for (; *p >= '0' && *p <= '9' && unit > 0; p++, unit /= 10)
        time->microsecond += (unsigned)(*p - '0') * unit;
    return *p == '\0';
}

static bool read_clock(const char *p, struct hr_mysql_time *time)
{
    if (!read_part(&p, ':', &time->hour) || !read_part(&p, ':', &time->minute))
        return false;
    const char *point = strchr(p, '.');
    if (!point)
        return read_part(&p, '\0', &time->second);
    return read_part(&p, '.', &time->second) && read_fraction(p, time);
}

static bool read_moment(const char *p, struct hr_mysql_time *time)
{
    time->negative = *p == '-';
    if (strchr(p + 1, '-') == NULL || time->negative)
        return read_clock(p + time->negative, time);
    if (!read_part(&p, '-', &time->year) || !read_part(&p, '-', &time->month))
        return false;
    if (!strchr(p, ' '))
        return read_part(&p, '\0', &time->day);
    return read_part(&p, ' ', &time->day) && read_clock(p, time);
}

int hr_mysql_get_time(const hr_mysql_result *result, size_t row, size_t column,
                      struct hr_mysql_time *ret)
{
    struct value value;
    int r = take(result, row, column, &value);
    if (r < 0)
        return r;
    struct hr_mysql_time time = {0};
    if (value.kind != MOMENT || value.len == 0 || !read_moment(value.text, &time))
        return wrong_kind(&value, "date or time");
    *ret = time;
    return 0;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01, counted from the first of March of year 0. */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era_days = y * 365 + y / 4 - y / 100 + y / 400;
    int64_t in_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era_days + in_year - 719468;
}

static int64_t clock_of(const struct hr_mysql_time *time)
{
    int64_t seconds = ((int64_t)time->hour * 60 + time->minute) * 60 + time->second;
    return seconds * 1000000 + time->microsecond;
}

int hr_mysql_time_unix(const struct hr_mysql_time *time, int64_t *ret)
{
    if (time->year == 0 || time->month == 0 || time->month > 12 || time->day == 0 ||
        time->day > days_in_month(time->year, time->month))
        return hr_fail(-EINVAL, "%04u-%02u-%02u is no date", time->year, time->month, time->day);
    *ret = days_of(time->year, time->month, time->day) * 86400000000 + clock_of(time);
    return 0;
}

hr_usec hr_mysql_time_span(const struct hr_mysql_time *time)
{
    return time->negative ? -clock_of(time) : clock_of(time);
}
