/* SPDX-License-Identifier: MIT */
/*
 * A reply is read twice: for its size, then into a result of that size. What is not as expected is
 * refused in the first reading, so that the second cannot fail.
 */
#include "drivers/mysql/rows.h"

#include "drivers/mysql/binary.h"

#define HEADER      4
#define END_MARK    0xfe
#define END_LEN     5
#define UNSUPPORTED (SERVER_MORE_RESULTS_EXIST | SERVER_PS_OUT_PARAMS | SERVER_STATUS_CURSOR_EXISTS)

/* A packet that is there whole and bears the number that is next. */
static bool next_packet(struct hr__mysql_span *in, unsigned char *number,
                        struct hr__mysql_span *ret)
{
    if (in->end - in->p < HEADER)
        return false;
    size_t len = hr__mysql_little(in->p, 3);
    if (len > (size_t)(in->end - in->p - HEADER) || len == 0 || in->p[3] != *number)
        return false;
    ++*number;
    *ret = (struct hr__mysql_span){in->p + HEADER, in->p + HEADER + len};
    in->p = ret->end;
    return true;
}

static bool is_end(const struct hr__mysql_span *packet)
{
    return *packet->p == END_MARK && packet->end - packet->p == END_LEN;
}

/* A row begins with a zero and a bit for each column that is NULL, the first two bits unused. */
static bool open_row(struct hr__mysql_span *row, size_t columns, const unsigned char **ret_nulls)
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
static bool measure_row(const hr_mysql_result *shape, struct hr__mysql_span row, size_t *bytes)
{
    const unsigned char *nulls;
    if (!open_row(&row, shape->columns, &nulls))
        return false;
    for (size_t i = 0; i < shape->columns; i++) {
        struct hr__mysql_binary value;
        if (is_null(nulls, i))
            continue;
        if (!hr__mysql_binary_read(&row, &shape->fields[i], &value))
            return false;
        *bytes += value.room;
    }
    return row.p == row.end;
}

/* Reads a row that was measured. */
static void add_row(hr_mysql_result *result, struct hr__mysql_span row,
                    struct hr__mysql_cell *cells)
{
    const unsigned char *nulls;
    if (!open_row(&row, result->columns, &nulls))
        return;
    for (size_t i = 0; i < result->columns; i++) {
        const struct hr__mysql_column *column = &result->fields[i];
        struct hr__mysql_binary value;
        cells[i] = (struct hr__mysql_cell){.at = SIZE_MAX};
        if (is_null(nulls, i) || !hr__mysql_binary_read(&row, column, &value))
            continue;
        cells[i].at = result->used;
        cells[i].len = hr__mysql_binary_text(&value, column, result->bytes + result->used);
        result->used += cells[i].len + 1;
    }
}

/* How many columns there are, and that their descriptions do not follow. */
static bool read_head(const hr_mysql_result *shape, struct hr__mysql_span *in,
                      unsigned char *number)
{
    struct hr__mysql_span packet;
    return next_packet(in, number, &packet) && packet.end - packet.p == 2 &&
           packet.p[0] == shape->columns && packet.p[0] < 0xfb && packet.p[1] == 0 &&
           next_packet(in, number, &packet) && is_end(&packet);
}

enum hr__mysql_rows hr__mysql_rows_measure(const hr_mysql_result *shape, const void *bytes,
                                           size_t len, unsigned char number,
                                           struct hr__mysql_reply *ret)
{
    const unsigned char *first = bytes;
    struct hr__mysql_span packet, in = {first, first + len};
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
    ret->warnings = (unsigned)hr__mysql_little(packet.p + 1, 2);
    ret->status = (unsigned)hr__mysql_little(packet.p + 3, 2);
    size_t cells = ret->n_rows * shape->columns * sizeof(struct hr__mysql_cell);
    bool plain = in.p == in.end && !(ret->status & UNSUPPORTED) &&
                 shape->used + cells + ret->bytes <= shape->limit;
    return plain ? HR__MYSQL_ROWS_PLAIN : HR__MYSQL_ROWS_ODD;
}

void hr__mysql_rows_add(hr_mysql_result *result, const struct hr__mysql_reply *reply)
{
    struct hr__mysql_cell *cells = result->cells;
    struct hr__mysql_span packet, in = {reply->rows, reply->end};
    unsigned char number = reply->number;
    for (size_t i = 0; i < reply->n_rows; i++, cells += result->columns) {
        if (next_packet(&in, &number, &packet))
            add_row(result, packet, cells);
    }
}

bool hr__mysql_rows_are_plain(const hr_mysql_result *shape)
{
    for (size_t i = 0; i < shape->columns; i++) {
        if (!hr__mysql_binary_knows(&shape->fields[i]))
            return false;
    }
    return true;
}
