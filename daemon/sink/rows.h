/* SPDX-License-Identifier: MIT */
/*
 * Items as rows: what the live items of a batch bind for each parameter of the statement, column by
 * column, as a bulk insert takes it.
 *
 * Everything lies in the batch's arena, or in the items themselves.
 */
#pragma once

#include "daemon/batch.h"
#include "daemon/item/bind.h"
#include "daemon/settings.h"
#include "drivers/mysql/bulk.h"

struct rows {
    const struct param_conf *params;
    size_t n_params;
    size_t n;      /* rows */
    size_t *items; /* the item of each row */
    struct hr_mysql_column *columns;
};

/* Binds the live items; one that does not fit its columns becomes a dead item. targets are the
 * columns that the parameters go to. 0, -ENOMEM, or -E2BIG: the rows are too many for the batch's
 * memory. */
int rows_bind(const struct job_conf *conf, const struct column *targets, struct batch *batch,
              struct rows *ret);

/* The value that a row binds for a parameter, as an argument of a single statement. */
struct hr_mysql_arg rows_arg(const struct rows *rows, size_t row, size_t param);

/* The text that a row binds for the column of that name: for dead letters. NULL when it has none,
 * or it is null. */
const char *rows_value(const struct rows *rows, size_t row, const char *column, char buffer[32],
                       size_t *ret_len);
