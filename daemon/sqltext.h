/* SPDX-License-Identifier: MIT */
/*
 * The SQL text of a job: `:name` becomes `?`, and an INSERT that can run in bulk is recognised.
 *
 * Only as much SQL is understood as that takes: strings, quoted names and comments, so that a colon
 * in one of them is left alone, and the shape INSERT INTO t (c, …) VALUES (:p, …).
 */
#pragma once

#include "core/base.h"

/* Free with sqltext_done(). */
struct sqltext {
    char *sql; /* one statement with ? for each :name, without a semicolon at the end; an INSERT
                  that can run in bulk is written anew, as sqltext_insert() does */

    /* The name behind each question mark, and where it stands in the text that was read. */
    char **names;
    size_t *offsets;
    size_t n_names;

    /* Of an INSERT that can run in bulk, else NULL: the table in backticks, and the column that
     * each question mark fills. */
    char *table;
    char **columns;
};

struct sqltext_error {
    size_t offset; /* into the text */
    char message[160];
};

/* 0, -EINVAL with *err, or -ENOMEM. */
int sqltext_parse(const char *text, struct sqltext *ret, struct sqltext_error *err);
void sqltext_done(struct sqltext *s);

/* Writes the statement that inserts into table ("orders" or "shop.orders") the given columns, one
 * question mark each, and that on a duplicate key updates them all when `update` is set. The
 * strings are the caller's to free. 0 or -ENOMEM. */
int sqltext_insert(const char *table, const char *const *columns, size_t n_columns, bool update,
                   char **ret_sql, char **ret_table);
