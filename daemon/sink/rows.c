/* SPDX-License-Identifier: MIT */
#include "daemon/sink/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/retry.h"

static const enum hr_mysql_type types[] = {
    [BOUND_INT64] = HR_MYSQL_INT,
    [BOUND_UINT64] = HR_MYSQL_UINT,
    [BOUND_TEXT] = HR_MYSQL_TEXT,
    [BOUND_BYTES] = HR_MYSQL_BYTES,
};

/* Room for n rows of one column. */
static bool make_column(struct arena *arena, enum bound_kind kind, size_t n,
                        struct hr_mysql_column *ret)
{
    void *values = arena_alloc(arena, n * sizeof(int64_t));
    bool *nulls = arena_alloc(arena, n * sizeof(bool));
    unsigned long *lengths = NULL;
    if (kind == BOUND_TEXT || kind == BOUND_BYTES) {
        lengths = arena_alloc(arena, n * sizeof(*lengths));
        if (!lengths)
            return false;
    }
    *ret = (struct hr_mysql_column){.type = types[kind], .lengths = lengths, .nulls = nulls};
    ret->ints = values;
    return values && nulls;
}

static void store(const struct hr_mysql_column *column, size_t row, const struct bound *value)
{
    ((bool *)column->nulls)[row] = value->is_null;
    if (column->lengths) {
        ((const char **)column->texts)[row] = value->is_null ? "" : value->text;
        ((unsigned long *)column->lengths)[row] = value->is_null ? 0 : value->len;
    } else if (column->type == HR_MYSQL_UINT) {
        ((uint64_t *)column->uints)[row] = value->is_null ? 0 : value->u;
    } else {
        ((int64_t *)column->ints)[row] = value->is_null ? 0 : value->i;
    }
}

/* Binds one item as row number rows->n. 0, or a code with *why filled unless it is -ENOMEM. */
static int bind_item(const struct column *targets, struct batch *batch, size_t i, struct rows *rows,
                     struct failure *why)
{
    const struct item *item = &batch->items[i];
    for (size_t k = 0; k < rows->n_params; k++) {
        const struct param_conf *param = &rows->params[k];
        const struct json_value *value;
        struct bound bound;
        int r = expr_eval(param->expr, batch->arena, item->value, &item->env, &value, why);
        if (r >= 0)
            r = bind_value(&targets[k], param->as, value, batch->arena, &bound, why);
        if (r < 0)
            return r;
        store(&rows->columns[k], rows->n, &bound);
    }
    rows->items[rows->n++] = i;
    return 0;
}

int rows_bind(const struct job_conf *conf, const struct column *targets, struct batch *batch,
              struct rows *ret)
{
    size_t n = batch_count(batch, FATE_LIVE);
    struct rows rows = {.params = conf->sink.params, .n_params = conf->sink.n_params};
    rows.items = arena_alloc(batch->arena, n * sizeof(*rows.items));
    rows.columns = arena_alloc(batch->arena, rows.n_params * sizeof(*rows.columns));
    bool room = rows.items && rows.columns;
    for (size_t k = 0; k < rows.n_params && room; k++)
        room = make_column(batch->arena, bind_kind(&targets[k], rows.params[k].as), n,
                           &rows.columns[k]);
    if (!room)
        return hr_fail(arena_error(batch->arena), "batch %s: no memory for its rows", batch->id);

    for (size_t i = 0; i < batch->n; i++) {
        if (batch->items[i].fate != FATE_LIVE)
            continue;
        struct arena_mark before = arena_mark(batch->arena);
        struct failure why;
        int r = bind_item(targets, batch, i, &rows, &why);
        if (r >= 0)
            continue;
        arena_rewind(batch->arena, before);
        if (r == -ENOMEM || (r == -E2BIG && batch_is_crowded(batch)))
            return hr_fail(r, "batch %s: no memory for its rows", batch->id);
        batch_fail(batch, i, FATE_DEAD, &why);
    }
    *ret = rows;
    return 0;
}

struct hr_mysql_arg rows_arg(const struct rows *rows, size_t row, size_t param)
{
    const struct hr_mysql_column *column = &rows->columns[param];
    if (column->nulls[row])
        return hr_null();
    if (column->type == HR_MYSQL_INT)
        return hr_i(column->ints[row]);
    if (column->type == HR_MYSQL_UINT)
        return hr_u(column->uints[row]);
    struct hr_mysql_arg arg = hr_b(column->texts[row], column->lengths[row]);
    arg.type = column->type;
    return arg;
}

const char *rows_value(const struct rows *rows, size_t row, const char *column, char buffer[32],
                       size_t *ret_len)
{
    for (size_t k = 0; k < rows->n_params; k++) {
        const struct param_conf *param = &rows->params[k];
        if (!param->column || strcasecmp(param->column, column) != 0)
            continue;
        struct hr_mysql_arg arg = rows_arg(rows, row, k);
        int len;
        switch (arg.type) {
        case HR_MYSQL_NULL:
            return NULL;
        case HR_MYSQL_INT:
            len = snprintf(buffer, 32, "%" PRId64, arg.i);
            break;
        case HR_MYSQL_UINT:
            len = snprintf(buffer, 32, "%" PRIu64, arg.u);
            break;
        default:
            *ret_len = arg.s.len;
            return arg.s.data;
        }
        *ret_len = (size_t)len;
        return buffer;
    }
    return NULL;
}
