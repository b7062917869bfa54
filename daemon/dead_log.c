/* SPDX-License-Identifier: MIT */
#include "daemon/dead_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/item/plural.h"
#include "daemon/log.h"

#define LINE_EVERY hr_seconds(10)

void dead_log_tell(struct dead_log *log, const struct job *job, bool last)
{
    if (!last && hr_now() < log->not_before)
        return;
    uint64_t all = 0, most = 0;
    enum error_class class = CLASS_UNKNOWN;
    char list[256] = "";
    size_t used = 0;
    for (enum error_class i = 0; i < CLASS_COUNT; i++) {
        uint64_t fresh = job->stats.dead_by_class[i] - log->told[i];
        if (fresh == 0)
            continue;
        int n = snprintf(list + used, sizeof(list) - used, "%s%" PRIu64 " %s", all ? ", " : "",
                         fresh, error_class_name(i));
        used += n > 0 && (size_t)n < sizeof(list) - used ? (size_t)n : 0;
        class = fresh > most ? i : class;
        most = fresh > most ? fresh : most;
        all += fresh;
    }
    if (all == 0)
        return;
    const char *name = job->conf->name;
    bool kept = job->conf->dead.server; /* else they go to standard error */
    log_job(LOG_WARNING, name, class, "%" PRIu64 " %s: %s%s%s%s", all,
            plural(all, "dead letter", "dead letters"), list, kept ? " (headracectl dead ls " : "",
            kept ? name : "", kept ? ")" : "");
    memcpy(log->told, job->stats.dead_by_class, sizeof(log->told));
    log->not_before = hr_later(hr_now(), LINE_EVERY);
}
