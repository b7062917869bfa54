/* SPDX-License-Identifier: MIT */
/*
 * What a subscriber wants to hear: a table of names, each referenced by who waits for its outcome.
 */
#include <string.h>

#include "drivers/redis/pubsub_impl.h"

const char *hr__redis_pubsub_verb(enum hr_redis_channel kind, bool leave)
{
    static const char *const verbs[][2] = {
        [HR_REDIS_CHANNEL] = {"SUBSCRIBE",  "UNSUBSCRIBE" },
        [HR_REDIS_PATTERN] = {"PSUBSCRIBE", "PUNSUBSCRIBE"},
        [HR_REDIS_SHARD] = {"SSUBSCRIBE", "SUNSUBSCRIBE"},
    };
    return verbs[kind][leave];
}

struct hr__redis_subscription *hr__redis_pubsub_find(struct hr_redis_pubsub *pubsub,
                                                     enum hr_redis_channel kind, const char *name)
{
    uint64_t hash = hr__table_hash(name);
    hr_list_foreach (link, hr__table_at(&pubsub->subscriptions, hash)) {
        struct hr__redis_subscription *it =
            hr_list_entry(link, struct hr__redis_subscription, by_name.link);
        if (it->by_name.hash == hash && it->kind == kind && strcmp(it->name, name) == 0)
            return it;
    }
    return NULL;
}

struct hr__redis_subscription *hr__redis_pubsub_want(struct hr_redis_pubsub *pubsub,
                                                     enum hr_redis_channel kind, const char *name)
{
    size_t size = strlen(name) + 1;
    struct hr__redis_subscription *it = calloc(1, sizeof(*it) + size);
    if (!it) {
        (void)hr_fail(-ENOMEM, "%s: no memory for a subscription", pubsub->redis->target.name);
        return NULL;
    }
    it->refs = 1;
    it->kind = kind;
    it->wanted = true;
    memcpy(it->name, name, size);
    hr__table_add(&pubsub->subscriptions, &it->by_name, hr__table_hash(name));
    hr_list_append(&pubsub->due, &it->link);
    return it;
}

struct hr__redis_subscription *
hr__redis_subscription_unref(struct hr__redis_subscription *subscription)
{
    if (--subscription->refs == 0) {
        hr_error_done(&subscription->error);
        free(subscription);
    }
    return NULL;
}

void hr__redis_pubsub_drop(struct hr_redis_pubsub *pubsub,
                           struct hr__redis_subscription *subscription)
{
    if (!subscription->wanted)
        return;
    subscription->wanted = false;
    hr__table_remove(&pubsub->subscriptions, &subscription->by_name);
    hr_list_remove(&subscription->link);
    hr__redis_subscription_unref(subscription);
}

void hr__redis_pubsub_drop_all(struct hr_redis_pubsub *pubsub)
{
    hr_list_splice(&pubsub->due, &pubsub->asked);
    hr_list_foreach_safe (link, &pubsub->due)
        hr__redis_pubsub_drop(pubsub, hr_list_entry(link, struct hr__redis_subscription, link));
}
