/* SPDX-License-Identifier: MIT */
/*
 * How an INSERT is taken apart and written out row by row.
 *
 * Values are literals: numbers, escaped text (the session's
 * sql_mode is ours and has no NO_BACKSLASH_ESCAPES), bytes in hexadecimal.
 */
#include "drivers/mysql/values.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "drivers/mysql/words.h"
#include "drivers/number.h"

int hr__mysql_values_parse(const char *sql, size_t questions, struct hr__mysql_values *ret)
{
    const char *row = NULL, *row_end = NULL;
    size_t depth = 0, inside = 0, outside = 0;
    bool after_values = false;
    for (const char *p = sql, *next; *p; p = next) {
        next = hr__mysql_skip_piece(p);
        if (*p == '(') {
            if (depth++ == 0 && after_values && !row)
                row = p;
        } else if (*p == ')' && depth > 0) {
            if (--depth == 0 && row && !row_end)
                row_end = next;
        } else if (*p == '?') {
            if (row && !row_end)
                inside++;
            else
                outside++;
        }
        if (depth == 0 &&
            (hr__mysql_is_word(p, next, "values") || hr__mysql_is_word(p, next, "value")))
            after_values = true;
        else if (!isspace((unsigned char)*p) && !hr__mysql_is_comment(p))
            after_values = false;
    }
    if (!row_end || inside != questions || outside > 0)
        return hr_fail(
            -EINVAL,
            "a bulk statement reads INSERT … VALUES (…) with %zu question marks there and "
            "none elsewhere",
            questions);
    *ret = (struct hr__mysql_values){
        .head = sql,
        .head_len = (size_t)(row - sql),
        .row = row,
        .row_len = (size_t)(row_end - row),
        .tail = row_end,
        .tail_len = strlen(row_end),
    };
    return 0;
}

struct text {
    char *at;
    size_t len, size;
    bool no_memory;
};

/* Room for that many more bytes, or NULL. */
static char *room(struct text *text, size_t more)
{
    if (text->no_memory)
        return NULL;
    if (text->len + more > text->size) {
        size_t size = (text->len + more) * 2;
        char *grown = realloc(text->at, size);
        if (!grown) {
            text->no_memory = true;
            return NULL;
        }
        text->at = grown;
        text->size = size;
    }
    return text->at + text->len;
}

static void put(struct text *text, const char *bytes, size_t len)
{
    char *to = room(text, len);
    if (!to)
        return;
    memcpy(to, bytes, len);
    text->len += len;
}

static void put_escaped(MYSQL *mysql, struct text *text, const char *bytes, size_t len)
{
    char *to = room(text, 2 * len + 3);
    if (!to)
        return;
    *to = '\'';
    unsigned long n = mysql_real_escape_string(mysql, to + 1, bytes, len);
    to[n + 1] = '\'';
    text->len += n + 2;
}

static void put_hex(struct text *text, const char *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char *to = room(text, 2 * len + 3);
    if (!to)
        return;
    *to++ = 'x';
    *to++ = '\'';
    for (size_t i = 0; i < len; i++) {
        *to++ = digits[(unsigned char)bytes[i] >> 4];
        *to++ = digits[(unsigned char)bytes[i] & 15];
    }
    *to = '\'';
    text->len += 2 * len + 3;
}

static void put_value(MYSQL *mysql, struct text *text, const struct hr_mysql_column *column,
                      size_t row)
{
    char number[32];
    if ((column->nulls && column->nulls[row]) || column->type == HR_MYSQL_NULL) {
        put(text, "NULL", 4);
        return;
    }
    switch (column->type) {
    case HR_MYSQL_TEXT:
        put_escaped(mysql, text, column->texts[row], column->lengths[row]);
        return;
    case HR_MYSQL_BYTES:
        put_hex(text, column->texts[row], column->lengths[row]);
        return;
    case HR_MYSQL_INT:
        snprintf(number, sizeof(number), "%" PRId64, column->ints[row]);
        break;
    case HR_MYSQL_UINT:
        snprintf(number, sizeof(number), "%" PRIu64, column->uints[row]);
        break;
    default:
        snprintf(number, sizeof(number), "%.17g", column->doubles[row]);
        hr__put_point(number);
    }
    put(text, number, strlen(number));
}

static void put_row(MYSQL *mysql, struct text *text, const struct hr__mysql_values *values,
                    const struct hr_mysql_column *columns, size_t row)
{
    const char *p = values->row, *end = p + values->row_len;
    for (size_t column = 0; p < end;) {
        const char *next = hr__mysql_skip_piece(p);
        if (*p == '?')
            put_value(mysql, text, &columns[column++], row);
        else
            put(text, p, (size_t)(next - p));
        p = next;
    }
}

int hr__mysql_values_write(hr_mysql_conn *conn, const struct hr__mysql_values *values,
                           const struct hr_mysql_column *columns, size_t from, size_t rows,
                           size_t limit, char **ret, size_t *ret_len)
{
    struct text text = {0};
    put(&text, values->head, values->head_len);
    size_t done = 0;
    while (done < rows && done < INT_MAX) {
        size_t before = text.len;
        if (done > 0)
            put(&text, ",", 1);
        put_row(conn->mysql, &text, values, columns, from + done);
        if (done > 0 && text.len + values->tail_len > limit) {
            text.len = before;
            break;
        }
        done++;
    }
    put(&text, values->tail, values->tail_len);
    if (text.no_memory) {
        free(text.at);
        return hr_fail(-ENOMEM, "no memory for a statement of %zu rows", rows);
    }
    *ret = text.at;
    *ret_len = text.len;
    return (int)done;
}
