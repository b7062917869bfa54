/* SPDX-License-Identifier: MIT */
/*
 * What a subscriber wants to hear: a list of names, each referenced by who waits for its outcome.
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

static struct hr__redis_subscription *subscription_of(struct hr_list *link)
{
    return hr_list_entry(link, struct hr__redis_subscription, link);
}

struct hr__redis_subscription *hr__redis_pubsub_find(struct hr_redis_pubsub *pubsub,
                                                     enum hr_redis_channel kind, const char *name)
{
    hr_list_foreach (link, &pubsub->subscriptions) {
        struct hr__redis_subscription *it = subscription_of(link);
        if (it->kind == kind && strcmp(it->name, name) == 0)
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
    hr_list_append(&pubsub->subscriptions, &it->link);
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

void hr__redis_pubsub_drop(struct hr__redis_subscription *subscription)
{
    if (!subscription->wanted)
        return;
    subscription->wanted = false;
    hr_list_remove(&subscription->link);
    hr__redis_subscription_unref(subscription);
}

void hr__redis_pubsub_drop_all(struct hr_redis_pubsub *pubsub)
{
    while (!hr_list_empty(&pubsub->subscriptions))
        hr__redis_pubsub_drop(subscription_of(pubsub->subscriptions.next));
}
