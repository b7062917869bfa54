/* SPDX-License-Identifier: MIT */
/*
 * Finding the bad rows: a refused row never costs its neighbours.
 *
 * A statement of many rows that is refused leaves none of them, and the transaction stays alive.
 * The server tells which row it was (MariaDB), or halving finds it (protocol.md 8.2).
 */
#pragma once

#include "core/headrace.h"
#include "drivers/mysql/tx.h"

struct isolate {
    hr_mysql_tx *tx;
    void *arg;
    /* Sends rows [from, from + n) as one statement, all or nothing. ≥ 0, or a code as the drivers
     * have it. */
    int (*send)(void *arg, hr_mysql_tx *tx, size_t from, size_t n);
    /* Was it what had gone ahead of the rows that was refused, not a row? That ends the attempt.
     * NULL: nothing goes ahead. Does not wait. */
    bool (*refused_ahead)(void *arg, hr_mysql_tx *tx);
    /* Which row (1-based) of the statement that was just refused was it? 0 when the server cannot
     * tell, or a code that ends the attempt. NULL: it never can. */
    int (*refused_row)(void *arg, hr_mysql_tx *tx);
    /* Told why a single row was refused: 0 sets the row aside, a negative code ends the attempt. */
    int (*refused)(void *arg, size_t row, int code, const struct hr_error *error);
    unsigned statements, bad; /* counted while it runs */
    size_t rows;              /* of the whole batch */
};

/* Sends rows [from, from + n) and sets the bad ones aside. 0, or the code that ends the attempt. */
hr_async int isolate_send(struct isolate *isolate, size_t from, size_t n);
