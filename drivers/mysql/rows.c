/* SPDX-License-Identifier: MIT */
/*
 * A reply is read twice: for its size, then into a result of that size. What is not as expected is
 * refused in the first reading, so that the second cannot fail.
 */
#include "drivers/mysql/rows.h"

#include <string.h>

#define HEADER      4
#define END_MARK    0xfe
#define END_LEN     5
#define DIGITS_MAX  20
#define UNSUPPORTED (SERVER_MORE_RESULTS_EXIST | SERVER_PS_OUT_PARAMS | SERVER_STATUS_CURSOR_EXISTS)

struct span {
    const unsigned char *p, *end;
};

/* A value as it was sent. */
struct value {
    enum { TEXT, NEGATIVE, POSITIVE } kind;
    const unsigned char *text;
    size_t len;
    uint64_t number; /* without its sign */
};

static uint64_t read_little(const unsigned char *p, unsigned bytes)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < bytes; i++)
        n |= (uint64_t)p[i] << 8 * i;
    return n;
}

/* How many bytes a value of that column takes; 0: its length stands in front; < 0: not for us. */
static int width_of(const struct hr__mysql_column *column)
{
    if (column->flags & ZEROFILL_FLAG)
        return -1;
    switch (column->type) {
    case MYSQL_TYPE_TINY:
        return 1;
    case MYSQL_TYPE_SHORT:
        return 2;
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
        return 4;
    case MYSQL_TYPE_LONGLONG:
        return 8;
    case MYSQL_TYPE_NEWDECIMAL:
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
        return 0;
    default:
        return -1;
    }
}

/* A packet that is there whole and bears the number that is next. */
static bool next_packet(struct span *in, unsigned char *number, struct span *ret)
{
    if (in->end - in->p < HEADER)
        return false;
    size_t len = read_little(in->p, 3);
    if (len > (size_t)(in->end - in->p - HEADER) || len == 0 || in->p[3] != *number)
        return false;
    ++*number;
    *ret = (struct span){in->p + HEADER, in->p + HEADER + len};
    in->p = ret->end;
    return true;
}

static bool is_end(const struct span *packet)
{
    return *packet->p == END_MARK && packet->end - packet->p == END_LEN;
}

/* Reads a length and steps over it. */
static bool read_length(struct span *in, size_t *ret)
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
    *ret = read_little(in->p, widths[first - 0xfc]);
    in->p += widths[first - 0xfc];
    return true;
}

static struct value read_number(const unsigned char *p, int width, bool is_unsigned)
{
    uint64_t n = read_little(p, (unsigned)width);
    if (is_unsigned || !(n >> (8 * width - 1)))
        return (struct value){.kind = POSITIVE, .number = n};
    uint64_t sign = width < 8 ? ~UINT64_C(0) << 8 * width : 0;
    return (struct value){.kind = NEGATIVE, .number = -(n | sign)};
}

static bool read_value(struct span *in, const struct hr__mysql_column *column, struct value *ret)
{
    int width = width_of(column);
    if (width > 0) {
        if (in->end - in->p < width)
            return false;
        *ret = read_number(in->p, width, column->flags & UNSIGNED_FLAG);
        in->p += width;
        return true;
    }
    size_t len;
    if (width < 0 || !read_length(in, &len) || len > (size_t)(in->end - in->p))
        return false;
    *ret = (struct value){.kind = TEXT, .text = in->p, .len = len};
    in->p += len;
    return true;
}

/* Writes a value and a NUL; returns its length. */
static size_t put_value(char *to, const struct value *value)
{
    if (value->kind == TEXT) {
        memcpy(to, value->text, value->len);
        to[value->len] = '\0';
        return value->len;
    }
    char digits[DIGITS_MAX], *first = digits + DIGITS_MAX;
    uint64_t n = value->number;
    do {
        *--first = (char)('0' + n % 10);
    } while (n /= 10);
    char *p = to;
    if (value->kind == NEGATIVE)
        *p++ = '-';
    size_t len = (size_t)(digits + DIGITS_MAX - first);
    memcpy(p, first, len);
    p[len] = '\0';
    return (size_t)(p - to) + len;
}

/* A row begins with a zero and a bit for each column that is NULL, the first two bits unused. */
static bool open_row(struct span *row, size_t columns, const unsigned char **ret_nulls)
{
    size_t bitmap = (columns + 2 + 7) / 8;
    if (*row->p != 0 || (size_t)(row->end - row->p) < 1 + bitmap)
        return false;
    *ret_nulls = row->p + 1;
    row->p += 1 + bitmap;
    return true;
}

static bool is_null(const unsigned char *nulls, size_t column)
{
    return nulls[(column + 2) / 8] >> (column + 2) % 8 & 1;
}

/* The bytes that a row takes in a result, at most. */
static bool measure_row(const hr_mysql_result *shape, struct span row, size_t *bytes)
{
    const unsigned char *nulls;
    if (!open_row(&row, shape->columns, &nulls))
        return false;
    for (size_t i = 0; i < shape->columns; i++) {
        struct value value;
        if (is_null(nulls, i))
            continue;
        if (!read_value(&row, &shape->fields[i], &value))
            return false;
        *bytes += value.kind == TEXT ? value.len + 1 : DIGITS_MAX + 2;
    }
    return row.p == row.end;
}

/* Reads a row that was measured. */
static void add_row(hr_mysql_result *result, struct span row, struct hr__mysql_cell *cells)
{
    const unsigned char *nulls;
    if (!open_row(&row, result->columns, &nulls))
        return;
    for (size_t i = 0; i < result->columns; i++) {
        struct value value;
        cells[i] = (struct hr__mysql_cell){.at = SIZE_MAX};
        if (is_null(nulls, i) || !read_value(&row, &result->fields[i], &value))
            continue;
        cells[i].at = result->used;
        cells[i].len = put_value(result->bytes + result->used, &value);
        result->used += cells[i].len + 1;
    }
}

/* How many columns there are, and that their descriptions do not follow. */
static bool read_head(const hr_mysql_result *shape, struct span *in, unsigned char *number)
{
    struct span packet;
    return next_packet(in, number, &packet) && packet.end - packet.p == 2 &&
           packet.p[0] == shape->columns && packet.p[0] < 0xfb && packet.p[1] == 0 &&
           next_packet(in, number, &packet) && is_end(&packet);
}

enum hr__mysql_rows hr__mysql_rows_measure(const hr_mysql_result *shape, const void *bytes,
                                           size_t len, unsigned char number,
                                           struct hr__mysql_reply *ret)
{
    const unsigned char *first = bytes;
    struct span packet, in = {first, first + len};
    if (!read_head(shape, &in, &number))
        return HR__MYSQL_ROWS_RESHAPED;
    *ret = (struct hr__mysql_reply){.rows = in.p, .end = in.end, .number = number};
    for (;;) {
        if (!next_packet(&in, &number, &packet))
            return HR__MYSQL_ROWS_ODD;
        if (is_end(&packet))
            break;
        if (!measure_row(shape, packet, &ret->bytes))
            return HR__MYSQL_ROWS_ODD;
        ret->n_rows++;
    }
    ret->warnings = (unsigned)read_little(packet.p + 1, 2);
    ret->status = (unsigned)read_little(packet.p + 3, 2);
    size_t cells = ret->n_rows * shape->columns * sizeof(struct hr__mysql_cell);
    bool plain = in.p == in.end && !(ret->status & UNSUPPORTED) &&
                 shape->used + cells + ret->bytes <= shape->limit;
    return plain ? HR__MYSQL_ROWS_PLAIN : HR__MYSQL_ROWS_ODD;
}

void hr__mysql_rows_add(hr_mysql_result *result, const struct hr__mysql_reply *reply)
{
    struct hr__mysql_cell *cells = result->cells;
    struct span packet, in = {reply->rows, reply->end};
    unsigned char number = reply->number;
    for (size_t i = 0; i < reply->n_rows; i++, cells += result->columns) {
        if (next_packet(&in, &number, &packet))
            add_row(result, packet, cells);
    }
}

bool hr__mysql_rows_are_plain(const hr_mysql_result *shape)
{
    for (size_t i = 0; i < shape->columns; i++) {
        if (width_of(&shape->fields[i]) < 0)
            return false;
    }
    return true;
}
