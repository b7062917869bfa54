/* SPDX-License-Identifier: MIT */
/*
 * Two steps: `as:` (or the column's kind) turns the value into text, the column's kind looks
 * whether that text fits. Text that may stay as it is stays where it is.
 */
#include "daemon/item/bind.h"

#include "daemon/item/moment.h"
#include "daemon/item/number.h"

#include <errno.h>
#include <string.h>

#define ERR_BAD_NULL  1048
#define ERR_RANGE     1264
#define ERR_TRUNCATED 1265
#define ERR_TIME      1292
#define ERR_NO_NUMBER 1366
#define ERR_TOO_LONG  1406

struct binding {
    const struct column *column;
    enum bind_as as;
    const struct json_value *value;
    struct arena *arena;
    struct bound *bound;
    struct failure *why;
};

static int misfit(const struct binding *b, int code, const char *what)
{
    failure_set(b->why, "row", code, "%s for column '%s'", what, b->column->name);
    failure_set_column(b->why, b->column->name);
    failure_set_json(b->why, b->value);
    return -EBADMSG;
}

static int no_room(const struct binding *b)
{
    if (arena_error(b->arena) == -E2BIG)
        misfit(b, ERR_TOO_LONG, "Too large to be processed:");
    return arena_error(b->arena);
}

static bool is_moment_column(const struct column *c)
{
    return c->kind == COLUMN_DATE || c->kind == COLUMN_DATETIME || c->kind == COLUMN_TIMESTAMP;
}

static enum bind_as default_as(const struct column *c)
{
    if (is_moment_column(c))
        return BIND_TIME;
    return c->kind == COLUMN_JSON ? BIND_JSON : BIND_TEXT;
}

enum bound_kind bind_kind(const struct column *column, enum bind_as as)
{
    switch (column->kind) {
    case COLUMN_INT:
        return column->is_unsigned ? BOUND_UINT64 : BOUND_INT64;
    case COLUMN_YEAR:
        return BOUND_INT64;
    case COLUMN_BIT:
        return BOUND_UINT64;
    case COLUMN_BINARY:
        return BOUND_BYTES;
    case COLUMN_UNKNOWN:
        return as == BIND_BYTES ? BOUND_BYTES : BOUND_TEXT;
    default:
        return BOUND_TEXT;
    }
}

static int set_text(const struct binding *b, const char *text, size_t len)
{
    b->bound->text = text;
    b->bound->len = len;
    return 0;
}

/* ---- numbers ---- */

/* Binds a number's plain digits: the item's own where no exponent and no needless zero is there. */
static int set_number(const struct binding *b, const struct number *n, const char *text, size_t len)
{
    const char *point = memchr(text, '.', len);
    size_t decimals = point ? (size_t)(text + len - point - 1) : 0;
    if (n->plain && decimals == number_decimals(n))
        return set_text(b, text, len);
    size_t room = (size_t)number_whole_digits(n) + number_decimals(n) + 3;
    char *plain = room < 4096 ? arena_alloc(b->arena, room) : NULL;
    if (!plain)
        return room < 4096 ? no_room(b) : misfit(b, ERR_RANGE, "Out of range value");
    return set_text(b, plain, number_write(n, plain));
}

static int bind_int(const struct binding *b, const char *text, size_t len)
{
    const struct column *c = b->column;
    struct number n;
    if (!number_parse(text, len, &n))
        return misfit(b, ERR_NO_NUMBER, "Incorrect integer value");
    if (number_decimals(&n) > 0)
        return misfit(b, ERR_TRUNCATED, "A fraction would be lost: data truncated");

    unsigned bits = c->kind == COLUMN_BIT ? c->width : c->width * 8;
    int too_large = c->kind == COLUMN_BIT ? ERR_TOO_LONG : ERR_RANGE;
    if (c->kind == COLUMN_YEAR) {
        int64_t year;
        if (!number_to_int64(&n, &year) || (year != 0 && (year < 1901 || year > 2155)))
            return misfit(b, ERR_RANGE, "Out of range value");
        b->bound->i = year;
    } else if (bind_kind(c, b->as) == BOUND_UINT64) {
        uint64_t max = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
        if (!number_to_uint64(&n, &b->bound->u) || b->bound->u > max)
            return misfit(b, too_large, "Out of range value");
    } else {
        int64_t max = bits >= 64 ? INT64_MAX : (INT64_C(1) << (bits - 1)) - 1;
        if (!number_to_int64(&n, &b->bound->i) || b->bound->i > max || b->bound->i < -max - 1)
            return misfit(b, ERR_RANGE, "Out of range value");
    }
    return 0;
}

static int bind_decimal(const struct binding *b, const char *text, size_t len)
{
    const struct column *c = b->column;
    struct number n;
    if (!number_parse(text, len, &n))
        return misfit(b, ERR_NO_NUMBER, "Incorrect decimal value");
    if (number_whole_digits(&n) > c->precision - c->scale || (n.negative && c->is_unsigned))
        return misfit(b, ERR_RANGE, "Out of range value");
    if (number_decimals(&n) > c->scale)
        return misfit(b, ERR_TRUNCATED, "Decimals would be lost: data truncated");
    return set_number(b, &n, text, len);
}

/* Digits that a double cannot hold are the column's own choice; only its range is looked at. */
static int bind_float(const struct binding *b, const char *text, size_t len)
{
    static const char flt_max[] = "340282346638528859811704183484516925440";
    static const char dbl_max[] = "1.7976931348623157081e308";
    const char *max_text = b->column->kind == COLUMN_FLOAT ? flt_max : dbl_max;
    struct number n, max;
    if (!number_parse(text, len, &n))
        return misfit(b, ERR_NO_NUMBER, "Incorrect double value");
    if (n.negative && b->column->is_unsigned)
        return misfit(b, ERR_RANGE, "Out of range value");
    struct number size = n;
    size.negative = false;
    if (number_parse(max_text, strlen(max_text), &max) && number_compare(&size, &max) > 0)
        return misfit(b, ERR_RANGE, "Out of range value");
    return set_text(b, text, len);
}

/* ---- times ---- */

static int bind_moment(const struct binding *b)
{
    const struct column *c = b->column;
    size_t len = 0;
    const char *text = json_text(b->value, &len);
    struct moment m;
    struct number n;
    bool ok =
        json_type(b->value) == JSON_NUMBER
            ? number_parse(text, len, &n) && moment_from_number(&n, &m)
            : text && (moment_parse_rfc3339(text, len, &m) || moment_parse_sql(text, len, &m));
    if (!ok)
        return misfit(b, ERR_TIME, "Incorrect datetime value");
    if (c->kind == COLUMN_TIMESTAMP && (m.seconds < 1 || m.seconds > UINT32_MAX))
        return misfit(b, ERR_TIME, "Out of a TIMESTAMP's range: incorrect datetime value");
    if (c->kind == COLUMN_DATE && (m.seconds % 86400 != 0 || m.n_fraction > 0))
        return misfit(b, ERR_TRUNCATED, "The time of day would be lost: data truncated");

    unsigned fsp = is_moment_column(c) ? c->fsp : 6;
    if (m.n_fraction > fsp)
        return misfit(b, ERR_TIME, "Finer than can be kept: incorrect datetime value");
    char *out = arena_alloc(b->arena, MOMENT_MAX);
    if (!out)
        return no_room(b);
    size_t n_out = moment_write(&m, (unsigned)m.n_fraction, out);
    return set_text(b, out, c->kind == COLUMN_DATE ? 10 : n_out);
}

/* [-]H:MM:SS[.f], up to 838 hours, for a TIME column. */
static int bind_time_of_day(const struct binding *b, const char *text, size_t len)
{
    const char *p = text, *end = text + len;
    int parts[3] = {0}, widths[3] = {0};
    p += p < end && *p == '-';
    for (int i = 0; i < 3; i++) {
        for (; p < end && *p >= '0' && *p <= '9' && widths[i] < 4; widths[i]++)
            parts[i] = parts[i] * 10 + (*p++ - '0');
        if (i < 2 && (p == end || *p++ != ':'))
            return misfit(b, ERR_TIME, "Incorrect time value");
    }
    size_t fraction = 0;
    if (p < end && *p == '.') {
        const char *start = ++p;
        while (p < end && *p >= '0' && *p <= '9')
            fraction = *p++ == '0' ? fraction : (size_t)(p - start);
        if (p == start)
            end = NULL;
    }
    if (p != end || widths[0] < 1 || widths[0] > 3 || widths[1] != 2 || widths[2] != 2 ||
        parts[0] > 838 || parts[1] > 59 || parts[2] > 59 || fraction > b->column->fsp)
        return misfit(b, ERR_TIME, "Incorrect time value");
    return set_text(b, text, len);
}

/* ---- text ---- */

static int bind_text(const struct binding *b, const char *text, size_t len)
{
    const struct column *c = b->column;
    if (c->max_bytes > 0 && len > c->max_bytes)
        return misfit(b, ERR_TOO_LONG, "Data too long");
    if (c->kind == COLUMN_CHAR && c->max_chars > 0 && len > c->max_chars &&
        text_characters(text, len) > c->max_chars)
        return misfit(b, ERR_TOO_LONG, "Data too long");
    return set_text(b, text, len);
}

/* What `as:` makes of the value, as text; for BIND_TIME the bound text itself. */
static int convert(const struct binding *b, const char **ret, size_t *ret_len)
{
    enum json_type t = json_type(b->value);
    int r;
    if (b->as == BIND_TIME) {
        r = bind_moment(b);
        if (r < 0)
            return r;
        *ret = b->bound->text;
        *ret_len = b->bound->len;
        return 0;
    }
    if (b->as == BIND_JSON || t == JSON_ARRAY || t == JSON_OBJECT) {
        r = json_write(b->arena, b->value, ret, ret_len, b->why);
        if (r == -E2BIG)
            return no_room(b);
        if (r == -EBADMSG)
            return misfit(b, ERR_NO_NUMBER, "Cannot be written as JSON");
        if (r < 0)
            return r;
    } else if (t == JSON_TRUE || t == JSON_FALSE) {
        *ret = t == JSON_TRUE ? "1" : "0";
        *ret_len = 1;
    } else {
        *ret = json_text(b->value, ret_len);
    }
    if (b->as != BIND_INT && b->as != BIND_DECIMAL)
        return 0;

    struct number n;
    if (!number_parse(*ret, *ret_len, &n))
        return misfit(b, ERR_NO_NUMBER,
                      b->as == BIND_INT ? "Incorrect integer value" : "Incorrect decimal value");
    if (b->as == BIND_INT && number_decimals(&n) > 0)
        return misfit(b, ERR_TRUNCATED, "A fraction would be lost: data truncated");
    r = set_number(b, &n, *ret, *ret_len);
    if (r < 0)
        return r;
    *ret = b->bound->text;
    *ret_len = b->bound->len;
    return 0;
}

int bind_value(const struct column *column, enum bind_as as, const struct json_value *value,
               struct arena *a, struct bound *ret, struct failure *why)
{
    struct bound bound = {.kind = bind_kind(column, as)};
    struct binding b = {column, as == BIND_AUTO ? default_as(column) : as, value, a, &bound, why};
    if (!value || json_type(value) == JSON_NULL) {
        b.value = json_null();
        if (column->not_null && !column->null_fills_in)
            return misfit(&b, ERR_BAD_NULL, "NULL is not possible");
        bound.is_null = true;
        *ret = bound;
        return 0;
    }

    const char *text;
    size_t len;
    int r;
    if (is_moment_column(column)) {
        r = bind_moment(&b);
    } else {
        r = convert(&b, &text, &len);
        if (r < 0)
            return r;
        switch (column->kind) {
        case COLUMN_INT:
        case COLUMN_YEAR:
        case COLUMN_BIT:
            r = bind_int(&b, text, len);
            break;
        case COLUMN_DECIMAL:
            r = bind_decimal(&b, text, len);
            break;
        case COLUMN_FLOAT:
        case COLUMN_DOUBLE:
            r = bind_float(&b, text, len);
            break;
        case COLUMN_TIME:
            r = bind_time_of_day(&b, text, len);
            break;
        default:
            r = bind_text(&b, text, len);
            break;
        }
    }
    if (r < 0)
        return r;
    *ret = bound;
    return 0;
}
