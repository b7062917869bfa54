/* SPDX-License-Identifier: MIT */
/*
 * Where in the program a command failed: at its caller's, whoever in the library saw it first.
 */
#include <string.h>

#include "drivers/redis/pipeline.h"
#include "drivers/redis/typed.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"

/* The record is about the line that stands before this one. */
#define ASSERT_SEEN_ABOVE()                                                                        \
    do {                                                                                           \
        char above[48];                                                                            \
        snprintf(above, sizeof(above), "test_redis_place.c:%d", __LINE__ - 1);                     \
        ASSERT_STR(hr_last_error()->place, above);                                                 \
    } while (0)

TEST(a_command_that_has_no_reply_in_time_names_its_caller_s_place)
{
    struct fake_redis fake;
    fake_start(&fake, fake_introduce_only, NULL);
    hr_redis *redis = fake_client(&fake, &(struct hr_redis_options){.command_timeout = hr_ms(10)});
    ASSERT_ERR(hr_redis_command(redis, NULL, "GET a"), -ETIMEDOUT);
    ASSERT_SEEN_ABOVE();
    fake_client_end(redis, &fake);
}

TEST(what_is_wrong_with_a_command_or_its_reply_is_so_at_the_caller_s_place)
{
    struct fake_redis fake;
    int64_t number = 0;
    fake_start(&fake, fake_echo, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    ASSERT_ERR(hr_redis_command_int(redis, &number, "GET a"), -EPROTO);
    ASSERT_SEEN_ABOVE();
    ASSERT_ERR(hr_redis_command(redis, NULL, "GET %q"), -EINVAL);
    ASSERT_SEEN_ABOVE();
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    ASSERT_ERR(hr_redis_pipeline_add(p, "GET %q"), -EINVAL);
    ASSERT_ERR(hr_redis_pipeline_run(redis, p), -EINVAL);
    ASSERT_SEEN_ABOVE();
    fake_client_end(redis, &fake);
}

TEST(a_connection_that_cannot_be_had_is_missed_at_the_caller_s_place)
{
    hr_redis_conn *own = NULL;
    struct hr_redis_options nobody = {.url = "unix:///nowhere/at/all"};
    hr_redis *redis = hr_redis_new(&nobody);
    ASSERT_ERR(hr_redis_command(redis, NULL, "GET a"), -ENOTCONN);
    ASSERT_SEEN_ABOVE();
    ASSERT_ERR(hr_redis_acquire(redis, &own), -ENOTCONN);
    ASSERT_SEEN_ABOVE();
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
}
