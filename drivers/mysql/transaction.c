/* SPDX-License-Identifier: MIT */
/*
 * When a transaction is worth another attempt: only if the server has said that it is not to blame.
 *
 * Of a lost connection nobody knows what became of the COMMIT, so that is never tried again.
 */
#include "drivers/mysql/transaction.h"

#include "core/task.h"
#include "drivers/backoff.h"
#include "drivers/missing.h"
#include "drivers/mysql/conn.h"

#define ATTEMPTS 5

static hr_async int attempt(hr_mysql_pool *pool, const struct hr_mysql_tx_options *options,
                            hr_mysql_tx_fn *fn, void *arg)
{
    hr_auto(hr_mysql_tx_end) hr_mysql_tx *tx = NULL;
    int r = hr_mysql_begin_with(pool, options, &tx);
    if (r < 0)
        return r;
    r = fn(tx, arg);
    if (r < 0)
        return r;
    int committed = hr_mysql_commit(tx);
    return committed < 0 ? committed : r;
}

static bool is_about_locks(int code)
{
    const struct hr_error *error = hr_last_error();
    return code == HR_EREPLY && error->code == HR_EREPLY &&
           (error->native == ER_LOCK_DEADLOCK || error->native == ER_LOCK_WAIT_TIMEOUT);
}

int hr_mysql_transaction(hr_mysql_pool *pool, const struct hr_mysql_tx_options *options,
                         hr_mysql_tx_fn *fn, void *arg)
{
    struct hr_backoff backoff = {
        .first = hr_ms(10), .max = hr_ms(500), .factor = 2, .jitter = true};
    unsigned attempts = options && options->attempts ? options->attempts : ATTEMPTS;
    if (!pool)
        return hr__missing_object("mysql: a pool");
    if (!fn)
        return hr_fail(-EINVAL, "mysql: the function of a transaction is missing: NULL");
    for (;;) {
        int r = attempt(pool, options, fn, arg);
        if (!is_about_locks(r) || backoff.attempt + 1 >= attempts)
            return r;
        hr__mysql_counts(pool)->retried++;
        r = hr_sleep(hr_backoff_next(&backoff));
        if (r < 0)
            return r;
    }
}
