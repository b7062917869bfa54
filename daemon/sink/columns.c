/* SPDX-License-Identifier: MIT */
#include "daemon/sink/columns.h"

#include <stdio.h>
#include <string.h>

#include "daemon/engine.h"
#include "drivers/mysql/row.h"

/* Types of columns as the protocol numbers them (MariaDB: "Result Set Packets", field types). */
enum {
    TYPE_TINY = 1,
    TYPE_SHORT = 2,
    TYPE_LONG = 3,
    TYPE_FLOAT = 4,
    TYPE_DOUBLE = 5,
    TYPE_TIMESTAMP = 7,
    TYPE_LONGLONG = 8,
    TYPE_INT24 = 9,
    TYPE_DATE = 10,
    TYPE_TIME = 11,
    TYPE_DATETIME = 12,
    TYPE_YEAR = 13,
    TYPE_NEWDATE = 14,
    TYPE_VARCHAR = 15,
    TYPE_BIT = 16,
    TYPE_JSON = 245,
    TYPE_NEWDECIMAL = 246,
    TYPE_ENUM = 247,
    TYPE_SET = 248,
    TYPE_TINY_BLOB = 249,
    TYPE_MEDIUM_BLOB = 250,
    TYPE_LONG_BLOB = 251,
    TYPE_BLOB = 252,
    TYPE_VAR_STRING = 253,
    TYPE_STRING = 254,
};

static void set_integer(struct column *column, unsigned width)
{
    column->kind = COLUMN_INT;
    column->width = width;
}

static void set_text(struct column *column, const struct hr_mysql_field *field)
{
    column->kind = field->is_json ? COLUMN_JSON : field->binary ? COLUMN_BINARY : COLUMN_CHAR;
    column->max_bytes = field->length;
    column->max_chars = field->binary ? 0 : field->characters;
}

/* The display width of a DECIMAL counts its point and its sign. */
static void set_decimal(struct column *column, const struct hr_mysql_field *field)
{
    column->kind = COLUMN_DECIMAL;
    column->scale = field->decimals;
    column->precision =
        (unsigned)field->length - (field->decimals ? 1 : 0) - (field->is_unsigned ? 0 : 1);
}

static void set_time(struct column *column, enum column_kind kind,
                     const struct hr_mysql_field *field)
{
    column->kind = kind;
    column->fsp = field->decimals <= 6 ? field->decimals : 6;
}

static void describe(const struct hr_mysql_field *field, struct column *column)
{
    column->is_unsigned = field->is_unsigned;
    column->not_null = field->not_null;
    column->null_fills_in = field->auto_increment || field->type == TYPE_TIMESTAMP;
    column->has_default = !field->no_default;
    switch (field->type) {
    case TYPE_TINY:
        set_integer(column, 1);
        break;
    case TYPE_SHORT:
        set_integer(column, 2);
        break;
    case TYPE_INT24:
        set_integer(column, 3);
        break;
    case TYPE_LONG:
        set_integer(column, 4);
        break;
    case TYPE_LONGLONG:
        set_integer(column, 8);
        break;
    case TYPE_NEWDECIMAL:
        set_decimal(column, field);
        break;
    case TYPE_FLOAT:
        column->kind = COLUMN_FLOAT;
        break;
    case TYPE_DOUBLE:
        column->kind = COLUMN_DOUBLE;
        break;
    case TYPE_DATE:
    case TYPE_NEWDATE:
        column->kind = COLUMN_DATE;
        break;
    case TYPE_DATETIME:
        set_time(column, COLUMN_DATETIME, field);
        break;
    case TYPE_TIMESTAMP:
        set_time(column, COLUMN_TIMESTAMP, field);
        break;
    case TYPE_TIME:
        set_time(column, COLUMN_TIME, field);
        break;
    case TYPE_YEAR:
        column->kind = COLUMN_YEAR;
        break;
    case TYPE_BIT:
        column->kind = COLUMN_BIT;
        column->width = (unsigned)field->length;
        break;
    case TYPE_JSON:
        column->kind = COLUMN_JSON;
        break;
    case TYPE_ENUM:
        column->kind = COLUMN_ENUM;
        break;
    case TYPE_SET:
        column->kind = COLUMN_SET;
        break;
    case TYPE_VARCHAR:
    case TYPE_VAR_STRING:
    case TYPE_STRING:
    case TYPE_TINY_BLOB:
    case TYPE_MEDIUM_BLOB:
    case TYPE_LONG_BLOB:
    case TYPE_BLOB:
        set_text(column, field);
        break;
    default:
        column->kind = COLUMN_UNKNOWN;
        break;
    }
}

/* SELECT of the columns that parameters go to; NULL when memory is out. */
static char *select_columns(const struct sink_conf *conf)
{
    char *sql = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&sql, &len);
    if (!to)
        return NULL;
    fputs("SELECT", to);
    for (size_t k = 0; k < conf->n_params; k++) {
        const char *column = conf->params[k].column;
        if (column)
            fprintf(to, "%s`%s`", k ? ", " : " ", column);
        else
            fprintf(to, "%sNULL", k ? ", " : " ");
    }
    fprintf(to, " FROM %s", conf->table);
    if (fclose(to) != 0) {
        free(sql);
        return NULL;
    }
    return sql;
}

int columns_learn(hr_mysql_pool *pool, const struct job_conf *conf, struct column *columns)
{
    hr_auto(hr_mysql_releasep) hr_mysql_conn *conn = NULL;
    int r = hr_mysql_acquire(pool, &conn);
    if (r < 0)
        return r;
    hr_auto(hr_freep) struct hr_mysql_field *fields = NULL;
    r = hr_mysql_describe(conn, conf->sink.sql, &fields);
    if (r < 0 || !conf->sink.table)
        return r < 0 ? r : 0;

    hr_auto(hr_freep) char *sql = select_columns(&conf->sink);
    if (!sql)
        return hr_fail(-ENOMEM, "reading the columns of %s: out of memory", conf->sink.table);
    hr_auto(hr_freep) struct hr_mysql_field *targets = NULL;
    int n = hr_mysql_describe(conn, sql, &targets);
    if (n < 0)
        return n;
    r = conf->delivery == EXACTLY_ONCE ? engine_check(conn, conf->sink.table) : 0;
    if (r < 0)
        return r;
    for (size_t k = 0; k < conf->sink.n_params && k < (size_t)n; k++) {
        const struct param_conf *param = &conf->sink.params[k];
        struct column column = {.name = param->column ? param->column : param->name};
        if (param->column)
            describe(&targets[k], &column);
        columns[k] = column;
    }
    return 0;
}
