/* SPDX-License-Identifier: MIT */
/*
 * A function run as a transaction, again and again while others' locks are in its way.
 */
#pragma once

#include "drivers/mysql/tx.h"

/* Does the transaction's work; ≥ 0 commits it, a negative code takes everything back. It runs anew
 * in each attempt, so what it does elsewhere than on tx may happen more than once. */
typedef int hr_mysql_tx_fn(hr_mysql_tx *tx, void *arg);

/* Begins, runs fn(tx, arg), commits, and returns what fn returned. Where fn or COMMIT failed by a
 * deadlock (1213) or a lock that did not come (1205), and by nothing else, it is all taken back and
 * tried again after a pause, options->attempts times at most (0: 5). Pauses grow from 10 ms to half
 * a second, with jitter, and no connection is held meanwhile. options may be NULL. Codes of fn,
 * hr_mysql_begin() and hr_mysql_commit(); after -ECANCELED in a pause nothing was done. */
HR_PUBLIC hr_async int hr_mysql_transaction(hr_mysql_pool *pool,
                                            const struct hr_mysql_tx_options *options,
                                            hr_mysql_tx_fn *fn, void *arg);
