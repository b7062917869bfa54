/* SPDX-License-Identifier: MIT */
/*
 * How values become text: each as the server itself writes it where a statement has no arguments,
 * also where libmariadb would write it otherwise.
 *
 * Numbers with ZEROFILL are padded to their column's width. Of dates, what is left out of a value
 * at its end is zero. Floating point numbers come in drivers/mysql/real.c.
 */
#include "drivers/mysql/binary.h"

#include <stdio.h>
#include <string.h>

#include "drivers/mysql/real.h"

#define DIGITS_MAX    20
#define WIDTH_MAX     255 /* of a column of numbers */
#define MOMENT_MAX    28  /* "2026-11-21 20:41:34.123456", or a negative span, and a NUL */
#define MICRO_PLACES  6
#define SPAN_DAYS_MAX 34 /* 838 hours */

enum kind { UNKNOWN, TEXT, INTEGER, REAL, DATE, DATETIME, SPAN };

static enum kind kind_of(const struct hr__mysql_column *column)
{
    switch (column->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_YEAR:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
        return INTEGER;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
        return REAL;
    case MYSQL_TYPE_DATE:
        return DATE;
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        return DATETIME;
    case MYSQL_TYPE_TIME:
        return SPAN;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BIT:
    case MYSQL_TYPE_ENUM:
    case MYSQL_TYPE_SET:
    case MYSQL_TYPE_JSON:
    case MYSQL_TYPE_GEOMETRY:
        return TEXT;
    default:
        return UNKNOWN;
    }
}

/* How many bytes a number takes. */
static unsigned width_of(const struct hr__mysql_column *column)
{
    switch (column->type) {
    case MYSQL_TYPE_TINY:
        return 1;
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_YEAR:
        return 2;
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_DOUBLE:
        return 8;
    default:
        return 4;
    }
}

static bool is_padded(const struct hr__mysql_column *column)
{
    return column->flags & ZEROFILL_FLAG;
}

bool hr__mysql_binary_knows(const struct hr__mysql_column *column)
{
    enum kind kind = kind_of(column);
    bool is_number = kind == INTEGER || kind == REAL;
    return kind != UNKNOWN && !(is_number && is_padded(column) && column->length > WIDTH_MAX);
}

/* Reads a length and steps over it. */
static bool read_length(struct hr__mysql_span *in, size_t *ret)
{
    static const unsigned char widths[] = {2, 3, 8}; /* behind 0xfc and so on */
    if (in->p == in->end)
        return false;
    unsigned first = *in->p++;
    *ret = first;
    if (first < 0xfb)
        return true;
    if (first < 0xfc || first > 0xfe || in->end - in->p < widths[first - 0xfc])
        return false;
    *ret = hr__mysql_little(in->p, widths[first - 0xfc]);
    in->p += widths[first - 0xfc];
    return true;
}

/* Dates and times, whatever their column. */
struct moment {
    bool negative;
    unsigned year, month, day, hour, minute, second, microsecond;
};

static struct moment read_span(const struct hr__mysql_binary *value)
{
    const unsigned char *p = value->at;
    if (value->len == 0)
        return (struct moment){0};
    return (struct moment){
        .negative = p[0] != 0,
        .day = (unsigned)hr__mysql_little(p + 1, 4),
        .hour = p[5],
        .minute = p[6],
        .second = p[7],
        .microsecond = value->len > 8 ? (unsigned)hr__mysql_little(p + 8, 4) : 0,
    };
}

static struct moment read_moment(const struct hr__mysql_binary *value)
{
    unsigned char p[11] = {0};
    memcpy(p, value->at, value->len);
    return (struct moment){
        .year = (unsigned)hr__mysql_little(p, 2),
        .month = p[2],
        .day = p[3],
        .hour = p[4],
        .minute = p[5],
        .second = p[6],
        .microsecond = (unsigned)hr__mysql_little(p + 7, 4),
    };
}

/* So that every part has its usual room. */
static bool is_sound(const struct moment *m, unsigned days)
{
    return m->year <= 9999 && m->month <= 12 && m->day <= days && m->hour <= 23 &&
           m->minute <= 59 && m->second <= 59 && m->microsecond <= 999999;
}

static bool is_moment(enum kind kind, const struct hr__mysql_binary *value)
{
    struct moment moment;
    if (kind == SPAN) {
        if (value->len != 0 && value->len != 8 && value->len != 12)
            return false;
        moment = read_span(value);
    } else {
        if (value->len != 0 && value->len != 4 && value->len != 7 && value->len != 11)
            return false;
        moment = read_moment(value);
    }
    return is_sound(&moment, kind == SPAN ? SPAN_DAYS_MAX : 31);
}

static bool read_number(struct hr__mysql_span *in, const struct hr__mysql_column *column,
                        enum kind kind, struct hr__mysql_binary *ret)
{
    size_t len = width_of(column), room = DIGITS_MAX + 2;
    if ((size_t)(in->end - in->p) < len)
        return false;
    if (kind == REAL && !hr__mysql_real_is_known(in->p, (unsigned)len))
        return false;
    if (kind == REAL)
        room = hr__mysql_real_room(in->p, (unsigned)len, column->decimals);
    if (is_padded(column) && room < column->length + 1)
        room = column->length + 1;
    *ret = (struct hr__mysql_binary){.at = in->p, .len = len, .room = room, .kind = kind};
    in->p += len;
    return true;
}

bool hr__mysql_binary_read(struct hr__mysql_span *in, const struct hr__mysql_column *column,
                           struct hr__mysql_binary *ret)
{
    enum kind kind = kind_of(column);
    if (kind == INTEGER || kind == REAL)
        return read_number(in, column, kind, ret);
    size_t len;
    if (kind == UNKNOWN || !read_length(in, &len) || len > (size_t)(in->end - in->p))
        return false;
    *ret = (struct hr__mysql_binary){
        .at = in->p, .len = len, .room = kind == TEXT ? len + 1 : MOMENT_MAX, .kind = kind};
    in->p += len;
    return kind == TEXT || is_moment(kind, ret);
}

static size_t put_text(const struct hr__mysql_binary *value, char *to)
{
    memcpy(to, value->at, value->len);
    to[value->len] = '\0';
    return value->len;
}

static size_t put_integer(const struct hr__mysql_binary *value,
                          const struct hr__mysql_column *column, char *to)
{
    unsigned width = width_of(column), bits = 8 * width;
    uint64_t n = hr__mysql_little(value->at, width);
    bool negative = !(column->flags & UNSIGNED_FLAG) && n >> (bits - 1);
    if (negative)
        n = -(n | (bits < 64 ? ~UINT64_C(0) << bits : 0));
    char digits[DIGITS_MAX], *first = digits + DIGITS_MAX;
    do {
        *--first = (char)('0' + n % 10);
    } while (n /= 10);
    char *p = to;
    if (negative)
        *p++ = '-';
    size_t len = (size_t)(digits + DIGITS_MAX - first);
    memcpy(p, first, len);
    p[len] = '\0';
    return (size_t)(p - to) + len;
}

/* Puts zeros in front. */
static size_t pad(char *text, size_t len, size_t width)
{
    if (len >= width)
        return len;
    memmove(text + width - len, text, len + 1);
    memset(text, '0', width - len);
    return width;
}

/* Microseconds, cut to the places of the column; more than there are is none. */
static size_t put_fraction(char *to, unsigned microsecond, unsigned places)
{
    if (places == 0 || places > MICRO_PLACES)
        return 0;
    snprintf(to, MICRO_PLACES + 2, ".%06u", microsecond % 1000000);
    to[1 + places] = '\0';
    return 1 + places;
}

static size_t put_date(const struct moment *m, char *to)
{
    return (size_t)snprintf(to, MOMENT_MAX, "%04u-%02u-%02u", m->year, m->month, m->day);
}

static size_t put_clock(const struct moment *m, unsigned hours, unsigned places, char *to)
{
    int n = snprintf(to, MOMENT_MAX - 11, "%02u:%02u:%02u", hours, m->minute, m->second);
    return (size_t)n + put_fraction(to + n, m->microsecond, places);
}

static size_t put_datetime(const struct moment *m, unsigned places, char *to)
{
    size_t n = put_date(m, to);
    to[n++] = ' ';
    return n + put_clock(m, m->hour, places, to + n);
}

static size_t put_span(const struct moment *m, unsigned places, char *to)
{
    if (m->negative)
        *to = '-';
    return m->negative + put_clock(m, m->day * 24 + m->hour, places, to + m->negative);
}

size_t hr__mysql_binary_text(const struct hr__mysql_binary *value,
                             const struct hr__mysql_column *column, char *to)
{
    size_t len;
    struct moment moment;
    switch ((enum kind)value->kind) {
    case INTEGER:
        len = put_integer(value, column, to);
        break;
    case REAL:
        len = hr__mysql_real_text(value->at, (unsigned)value->len, column->decimals, to);
        break;
    case DATE:
        moment = read_moment(value);
        return put_date(&moment, to);
    case DATETIME:
        moment = read_moment(value);
        return put_datetime(&moment, column->decimals, to);
    case SPAN:
        moment = read_span(value);
        return put_span(&moment, column->decimals, to);
    default:
        return put_text(value, to);
    }
    return is_padded(column) ? pad(to, len, column->length) : len;
}
