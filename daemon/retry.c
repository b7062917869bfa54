/* SPDX-License-Identifier: MIT */
#include "daemon/retry.h"

#include "daemon/item/plural.h"
#include "drivers/backoff.h"

static bool too_old(const struct job_conf *conf, const struct batch *batch, size_t i)
{
    int64_t age = hr_walltime() / 1000 - batch_first_seen(batch, i);
    return age >= conf->retry.max_age / 1000;
}

void retry_or_bury(const struct job_conf *conf, struct batch *batch, size_t i,
                   const struct failure *failure)
{
    unsigned failed = batch_attempts(batch, i) + 1;
    /* Nobody would keep it for a second attempt. */
    bool once = conf->delivery == AT_MOST_ONCE || conf->source.kind != SOURCE_REDIS_LIST;
    if (once || failed >= conf->retry.attempts || too_old(conf, batch, i)) {
        batch_fail(batch, i, FATE_DEAD, failure);
        return;
    }
    struct hr_backoff backoff = {
        .first = conf->retry.backoff_first,
        .max = conf->retry.backoff_max,
        .factor = conf->retry.backoff_factor,
        .jitter = conf->retry.jitter_full,
        .attempt = failed - 1,
    };
    batch_fail(batch, i, FATE_RETRY, failure);
    batch->items[i].delay = hr_backoff_next(&backoff);
}

void retry_bury_crashed(struct batch *batch)
{
    struct failure failure;
    failure_set(&failure, "crash", 0,
                "whoever worked on this item alone ended without a word, %u %s", batch->crashes,
                plural(batch->crashes, "time", "times"));
    for (size_t i = 0; i < batch->n; i++)
        batch_fail(batch, i, FATE_DEAD, &failure);
}
