/* SPDX-License-Identifier: MIT */
/*
 * What a MySQL server may send as the reply to a prepared statement: whatever it says, a reply that
 * is taken for plain has every value inside the result that was measured for it.
 *
 * Input: the number of columns, two bytes for each (type; flags, places and width), and the reply.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/mysql/rows.h"
#include "drivers/mysql/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT       (64 * 1024)
#define COLUMNS_MAX 16
#define ROOM_MAX    375 /* that a number of a byte or more may take */

static const enum enum_field_types types[] = {
    MYSQL_TYPE_TINY,       MYSQL_TYPE_SHORT,   MYSQL_TYPE_INT24,      MYSQL_TYPE_LONG,
    MYSQL_TYPE_LONGLONG,   MYSQL_TYPE_BLOB,    MYSQL_TYPE_NEWDECIMAL, MYSQL_TYPE_STRING,
    MYSQL_TYPE_VAR_STRING, MYSQL_TYPE_VARCHAR, MYSQL_TYPE_DOUBLE,     MYSQL_TYPE_DATETIME,
    MYSQL_TYPE_FLOAT,      MYSQL_TYPE_DATE,    MYSQL_TYPE_TIME,       MYSQL_TYPE_TIMESTAMP,
    MYSQL_TYPE_YEAR,       MYSQL_TYPE_BIT,     MYSQL_TYPE_NULL,       MYSQL_TYPE_JSON,
};

static hr_mysql_result *make_shape(const uint8_t *described, size_t columns)
{
    MYSQL_FIELD fields[COLUMNS_MAX] = {0};
    hr_mysql_result *shape = NULL;
    for (size_t i = 0; i < columns; i++) {
        fields[i].name = "c";
        fields[i].name_length = 1;
        fields[i].table = "";
        fields[i].type = types[described[2 * i] % HR_ARRAY_LEN(types)];
        fields[i].flags = (described[2 * i + 1] & 1 ? UNSIGNED_FLAG : 0) |
                          (described[2 * i + 1] & 2 ? ZEROFILL_FLAG : 0);
        fields[i].decimals = described[2 * i + 1] >> 2;
        fields[i].length = described[2 * i + 1] & 64 ? 260 : described[2 * i + 1];
    }
    if (hr__mysql_result_new(LIMIT, fields, (unsigned)columns, &shape) < 0)
        __builtin_trap();
    return shape;
}

/* Reads every value in every way. */
static void read_all(const hr_mysql_result *result)
{
    for (size_t row = 0; row < hr_mysql_rows(result); row++) {
        for (size_t column = 0; column < hr_mysql_columns(result); column++) {
            const char *text;
            size_t len;
            int64_t number;
            uint64_t positive;
            double real;
            struct hr_mysql_time time;
            if (hr_mysql_is_null(result, row, column))
                continue;
            if (hr_mysql_get_text(result, row, column, &text, &len) < 0 || text[len] != '\0' ||
                strnlen(text, len) > len)
                __builtin_trap();
            hr_mysql_get_int(result, row, column, &number);
            hr_mysql_get_uint(result, row, column, &positive);
            hr_mysql_get_double(result, row, column, &real);
            hr_mysql_get_time(result, row, column, &time);
        }
    }
}

static void decode(const hr_mysql_result *shape, const uint8_t *bytes, size_t size)
{
    struct hr__mysql_reply reply;
    hr_mysql_result *result;
    if (!hr__mysql_rows_are_plain(shape) ||
        hr__mysql_rows_measure(shape, bytes, size, 1, &reply) != HR__MYSQL_ROWS_PLAIN)
        return;
    if (reply.n_rows * shape->columns > size || reply.bytes > ROOM_MAX * size)
        __builtin_trap();
    if (hr__mysql_result_solid(shape, reply.n_rows, reply.bytes, &result) < 0)
        __builtin_trap();
    hr__mysql_rows_add(result, &reply);
    if (result->used > shape->head + reply.bytes)
        __builtin_trap();
    read_all(result);
    hr_mysql_result_free(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t columns = size > 0 ? 1 + data[0] % COLUMNS_MAX : 0;
    if (size < 1 + 2 * columns)
        return 0;
    size_t rest = size - 1 - 2 * columns;
    uint8_t *alone = malloc(rest ? rest : 1); /* so that a look beyond it is seen */
    hr_mysql_result *shape = make_shape(data + 1, columns);
    if (!alone)
        __builtin_trap();
    memcpy(alone, data + 1 + 2 * columns, rest);
    decode(shape, alone, rest);
    hr_mysql_result_free(shape);
    free(alone);
    return 0;
}
