/* SPDX-License-Identifier: MIT */
/*
 * A subscriber to very many channels: one more costs what the first one did, and all of them are
 * asked for again when the connection is lost.
 */
#include <string.h>
#include <time.h>

#include "drivers/redis/pubsub_impl.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"

#define MANY 30000
#define FEW  300

static hr_usec cpu_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return hr_seconds(now.tv_sec) + now.tv_nsec / 1000;
}

/* Confirms every subscription; the first connection is lost with the last of them. */
struct broker {
    int asked[2]; /* on the first connection, on later ones */
    int lasts;    /* so many on the first */
};

static void confirm_all(struct fake_peer *peer)
{
    struct broker *broker = peer->arg;
    const char *words;
    if (!fake_introduce(peer))
        return;
    while ((words = fake_next(peer))) {
        char reply[120];
        const char *name = strchr(words, ' ');
        if (!name)
            continue;
        snprintf(reply, sizeof(reply), "*3\r\n$9\r\nsubscribe\r\n$%zu\r\n%s\r\n:1\r\n",
                 strlen(name + 1), name + 1);
        int asked = ++broker->asked[peer->number > 1];
        if (!fake_say(peer, reply) || (peer->number == 1 && asked == broker->lasts))
            return;
    }
}

static const char *name_of(int number)
{
    static char name[40];
    snprintf(name, sizeof(name), "orders:%d:news", number);
    return name;
}

/* What it costs to subscribe to a few, one after the other. */
static hr_usec cost_of_a_few(hr_redis_pubsub *pubsub, int from)
{
    hr_usec before = cpu_time();
    for (int i = from; i < from + FEW; i++)
        ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, name_of(i)), 0);
    return cpu_time() - before;
}

TEST(one_more_subscription_costs_as_much_as_the_first)
{
    struct broker broker = {.lasts = -1};
    struct fake_redis fake;
    fake_start(&fake, confirm_all, &broker);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.protocol = 2});
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
    hr_usec first = cost_of_a_few(pubsub, 0);
    for (int i = FEW; i < MANY; i++)
        ASSERT_TRUE(hr__redis_pubsub_want(pubsub, HR_REDIS_CHANNEL, name_of(i)));
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "the last of many"), 0);
    ASSERT_EQ(broker.asked[0], MANY + 1);
    ASSERT_TRUE(cost_of_a_few(pubsub, MANY) < 5 * first);
    fake_client_end(redis, &fake);
}

TEST(many_subscriptions_are_asked_for_again_once_each)
{
    struct broker broker = {.lasts = FEW};
    struct fake_redis fake;
    fake_start(&fake, confirm_all, &broker);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.protocol = 2});
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
    struct hr_redis_message message;
    (void)cost_of_a_few(pubsub, 0);
    ASSERT_ERR(hr_redis_pubsub_next(pubsub, &message), HR_ELOST);
    ASSERT_ERR(hr_redis_unsubscribe(pubsub, HR_REDIS_CHANNEL, name_of(7)), 0);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, "one more"), 0);
    ASSERT_EQ(broker.asked[1], FEW); /* one more, and one fewer */
    fake_client_end(redis, &fake);
}
