/* SPDX-License-Identifier: MIT */
#include "daemon/lease.h"

#include <string.h>

#include "daemon/lua/scripts.h"

/* The batches may change while the reply is under way, so it is matched by id and token. */
struct renewal {
    char id[33], token[33];
};

static struct batch *find(struct hr_list *held, const struct renewal *renewal)
{
    hr_list_foreach (node, held) {
        struct batch *batch = hr_list_entry(node, struct batch, link);
        if (strcmp(batch->id, renewal->id) == 0 && strcmp(batch->token, renewal->token) == 0)
            return batch;
    }
    return NULL;
}

/* Takes what is to be renewed into an array of its own; returns how many, or -ENOMEM. */
static int collect(struct hr_list *held, struct renewal **ret)
{
    size_t n = 0;
    hr_list_foreach (node, held) {
        n++;
    }
    struct renewal *renewals = calloc(n + 1, sizeof(*renewals));
    if (!renewals)
        return hr_fail(-ENOMEM, "renewing leases: out of memory");
    n = 0;
    hr_list_foreach (node, held) {
        const struct batch *batch = hr_list_entry(node, struct batch, link);
        if (batch->stale || !batch_is_kept(batch))
            continue;
        memcpy(renewals[n].id, batch->id, sizeof(batch->id));
        memcpy(renewals[n].token, batch->token, sizeof(batch->token));
        n++;
    }
    *ret = renewals;
    return (int)n;
}

static int renew(struct lease_keeper *keeper)
{
    hr_auto(hr_freep) struct renewal *renewals = NULL;
    int n = collect(keeper->held, &renewals);
    if (n <= 0)
        return n;
    hr_auto(hr_freep) struct hr_redis_arg *args = calloc(1 + 2 * (size_t)n, sizeof(*args));
    if (!args)
        return hr_fail(-ENOMEM, "renewing leases: out of memory");
    hr_usec lease = keeper->queue->conf->source.lease;
    args[0] = hr_redis_int(lease / 1000);
    for (int i = 0; i < n; i++) {
        args[1 + 2 * i] = hr_redis_str(renewals[i].id);
        args[2 + 2 * i] = hr_redis_str(renewals[i].token);
    }
    const struct hr_redis_arg keys[] = {
        hr_redis_str(keeper->queue->own),
        hr_redis_str(keeper->queue->leases),
    };

    hr_usec asked = hr_boottime();
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    int r = queue_ask(keeper->queue, &reply,
                      &(struct queue_call){&script_renew, keys, args, 2, 1 + 2 * (size_t)n});
    if (r < 0)
        return r;
    for (int i = 0; i < n; i++) {
        struct batch *batch = find(keeper->held, &renewals[i]);
        if (!batch)
            continue;
        if (hr_reply_int(hr_reply_at(reply, (size_t)i)) == 1)
            batch->until = asked + lease;
        else
            batch->stale = true;
    }
    return 0;
}

int lease_keep(void *arg)
{
    struct lease_keeper *keeper = arg;
    hr_usec lease = keeper->queue->conf->source.lease;
    hr_usec soon = lease / 12 < hr_seconds(1) ? lease / 12 : hr_seconds(1);
    for (;;) {
        int r = renew(keeper);
        if (r == -ECANCELED)
            return r;
        /* Not renewed for want of a connection: soon again, as the clock of the lease runs on. */
        r = hr_sleep(r < 0 ? soon : lease / 3);
        if (r < 0)
            return r;
    }
}
