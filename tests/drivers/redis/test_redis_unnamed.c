/* SPDX-License-Identifier: MIT */
/*
 * A group that leaves out a name, and a kind of channel that there is not: refused by a word that
 * the caller knows, before anything is sent.
 */
#include "drivers/redis/pubsub.h"
#include "drivers/redis/stream.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"

#define ASSERT_REFUSED(call, text)                                                                 \
    do {                                                                                           \
        ASSERT_ERR((call), -EINVAL);                                                               \
        ASSERT_STR(hr_last_error()->message, text);                                                \
    } while (0)

TEST(a_group_says_which_of_its_names_is_missing)
{
    struct fake_redis fake;
    fake_start(&fake, fake_echo, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    const struct hr_redis_group no_stream = {NULL, "g", "c"}, no_name = {"s", NULL, "c"},
                                no_consumer = {"s", "g", NULL};
    char cursor[HR_REDIS_ID_MAX] = "0-0";
    hr_auto(hr_redis_entries_done) struct hr_redis_entries entries = {0};
    ASSERT_REFUSED(hr_redis_group_create(redis, &no_stream, "0"),
                   "redis: the group names no stream (NULL)");
    ASSERT_REFUSED(hr_redis_group_create(redis, &no_name, "0"),
                   "redis: the group names no group (NULL)");
    ASSERT_EQ(hr_redis_group_create(redis, &no_consumer, "0"), 1);
    ASSERT_REFUSED(hr_redis_claim(redis, &no_consumer, 0, 1, cursor, &entries),
                   "redis: the group names no consumer (NULL)");
    ASSERT_REFUSED(hr_redis_ack(redis, &no_name, &entries),
                   "redis: the group names no group (NULL)");
    fake_client_end(redis, &fake);
}

TEST(a_kind_of_channel_that_there_is_not_is_refused)
{
    struct fake_redis fake;
    fake_start(&fake, fake_echo, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *news = hr_redis_pubsub_new(redis, NULL);
    ASSERT_REFUSED(hr_redis_subscribe(news, (enum hr_redis_channel)7, "c"),
                   "redis: 7 is no kind of channel");
    fake_client_end(redis, &fake);
}
