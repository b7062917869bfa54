/* SPDX-License-Identifier: MIT */
/*
 * Calls on what could not be made: each passes on why not, so that a caller may look at the last of
 * several only.
 */
#include <string.h>

#include "drivers/redis/cluster.h"
#include "drivers/redis/pipeline.h"
#include "drivers/redis/pubsub.h"
#include "drivers/redis/scan.h"
#include "drivers/redis/stream.h"
#include "drivers/redis/typed.h"
#include "tests/drivers/redis/fake_redis.h"
#include "tests/support/hrtest.h"

static const struct hr_redis_script script = {.source = "return 1", .len = 8, .sha1 = "0"};
static const struct hr_redis_group group = {.stream = "s", .group = "g", .consumer = "c"};

static void check_client(int code)
{
    hr_redis *none = NULL;
    const char *const ping[] = {"PING"};
    const struct hr_redis_arg word = hr_redis_str("PING");
    const struct hr_redis_field field = {.name = "f", .value = hr_redis_int(1)};
    hr_redis_conn *conn = NULL;
    int64_t number;
    double real;
    char *text;
    struct hr_redis_pairs pairs;
    struct hr_redis_entries entries = {0};
    char cursor[HR_REDIS_ID_MAX] = "0";
    const char *element;
    hr_auto(hr_redis_scan_done) struct hr_redis_scan scan = {.redis = none};

    ASSERT_ERR(hr_redis_command(none, NULL, "PING"), code);
    ASSERT_ERR(hr_redis_command_argv(none, NULL, 1, ping, NULL), code);
    ASSERT_ERR(hr_redis_command_args(none, NULL, 1, &word), code);
    ASSERT_ERR(hr_redis_command_repeat(none, NULL, 1, "PING"), code);
    ASSERT_ERR(hr_join(hr_redis_command_future(none, "PING")), code);
    ASSERT_ERR(hr_redis_command_int(none, &number, "GET k"), code);
    ASSERT_ERR(hr_redis_command_double(none, &real, "GET k"), code);
    ASSERT_ERR(hr_redis_command_text(none, &text, NULL, "GET k"), code);
    ASSERT_ERR(hr_redis_command_pairs(none, &pairs, "HGETALL k"), code);
    ASSERT_ERR(hr_redis_hset(none, "k", 1, &field), code);
    ASSERT_ERR(hr_redis_eval(none, NULL, &script, 0, NULL, 0, NULL), code);
    ASSERT_ERR(hr_redis_function_load(none, "", 0), code);
    ASSERT_ERR(hr_redis_fcall(none, NULL, "f", 0, NULL, 0, NULL), code);
    ASSERT_ERR(hr_redis_add(none, "s", 0, 1, &field, NULL), code);
    ASSERT_ERR(hr_redis_group_create(none, &group, "$"), code);
    ASSERT_ERR(hr_redis_claim(none, &group, 0, 1, cursor, &entries), code);
    ASSERT_ERR(hr_redis_scan_next(&scan, &element, NULL), code);
    ASSERT_ERR(hr_redis_acquire(none, &conn), code);
    ASSERT_ERR(hr_redis_watch(none, 1, ping, &conn), code);
    ASSERT_TRUE(!hr_redis_pubsub_new(none, NULL));
    ASSERT_ERR(hr_last_error()->code, code);
    ASSERT_ERR(hr_redis_close(none), code);
    ASSERT_TRUE(!hr_redis_free(none));
}

static void check_subscriber(int code)
{
    struct hr_redis_message message;
    ASSERT_ERR(hr_redis_subscribe(NULL, HR_REDIS_CHANNEL, "c"), code);
    ASSERT_ERR(hr_redis_pubsub_next(NULL, &message), code);
    ASSERT_ERR(hr_redis_unsubscribe(NULL, HR_REDIS_CHANNEL, "c"), code);
    ASSERT_TRUE(!hr_redis_pubsub_free(NULL));
}

static void check_conn(int code)
{
    struct hr_redis_entries entries = {0};
    ASSERT_ERR(hr_redis_conn_command(NULL, NULL, 0, "PING"), code);
    ASSERT_ERR(hr_redis_read_group(NULL, &group, 1, 0, &entries), code);
    hr_redis_release(NULL);
}

static int never(hr_redis *node, void *cookie)
{
    ASSERT_TRUE(false);
    return 0;
}

static void check_cluster(int code)
{
    hr_redis_cluster *none = NULL;
    const char *const ping[] = {"PING"};
    hr_redis_conn *conn = NULL;
    ASSERT_ERR(hr_redis_cluster_command(none, NULL, "PING"), code);
    ASSERT_ERR(hr_redis_cluster_command_argv(none, NULL, 1, ping, NULL), code);
    ASSERT_ERR(hr_redis_cluster_command_by(none, NULL, "k", 1, "PING"), code);
    ASSERT_ERR(hr_join(hr_redis_cluster_command_future(none, "PING")), code);
    ASSERT_ERR(hr_redis_cluster_eval(none, NULL, &script, 0, NULL, 0, NULL), code);
    ASSERT_ERR(hr_redis_cluster_acquire(none, "k", 1, &conn), code);
    ASSERT_ERR(hr_redis_cluster_each(none, never, NULL), code);
    ASSERT_ERR(hr_redis_cluster_close(none), code);
    ASSERT_TRUE(!hr_redis_cluster_free(none));
}

TEST(a_client_without_options_has_no_url)
{
    ASSERT_TRUE(!hr_redis_new(NULL));
    ASSERT_TRUE(strstr(hr_last_error()->message, "the url is missing"));
    ASSERT_TRUE(!hr_redis_cluster_new(NULL));
    ASSERT_TRUE(strstr(hr_last_error()->message, "the url is missing"));
}

static int hset_null(hr_redis *redis)
{
    return hr_redis_hset(redis, "k", HR_REDIS_FIELDS({NULL, hr_redis_int(1)}));
}

TEST(a_word_that_is_null_is_refused)
{
    struct fake_redis fake;
    fake_start(&fake, fake_echo, NULL);
    hr_redis *redis = fake_client(&fake, NULL);
    hr_auto(hr_redis_pubsub_freep) hr_redis_pubsub *pubsub = hr_redis_pubsub_new(redis, NULL);
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    hr_redis_conn *conn = NULL;
    const char *const nothing[] = {NULL}, *const key[] = {"GET", NULL},
                      *const stream[] = {"XREAD", NULL};
    const size_t lens[] = {3, 5}, empty[] = {3, 0};
    const struct hr_redis_arg args[] = {hr_redis_str("GET"), hr_redis_str(NULL)},
                              bytes[] = {hr_redis_str("GET"), hr_redis_bytes(NULL, 5)};

    ASSERT_ERR(hr_redis_command_argv(redis, NULL, 0, NULL, NULL), -EINVAL);
    ASSERT_ERR(hr_join(hr_redis_command_future(redis, NULL)), -EINVAL);
    ASSERT_ERR(hr_redis_command_argv(redis, NULL, 1, nothing, NULL), -EINVAL);
    ASSERT_STR(hr_last_error()->message, "redis: word 1 of the command is NULL");
    ASSERT_ERR(hr_redis_command_argv(redis, NULL, 2, key, NULL), -EINVAL);
    ASSERT_STR(hr_last_error()->message, "redis: word 2 of the command is NULL");
    ASSERT_ERR(hr_redis_command_argv(redis, NULL, 2, key, lens), -EINVAL);
    ASSERT_ERR(hr_redis_command_argv(redis, NULL, 2, stream, NULL), -EINVAL);
    ASSERT_ERR(hr_redis_command_args(redis, NULL, 2, args), -EINVAL);
    ASSERT_ERR(hr_redis_command_args(redis, NULL, 2, bytes), -EINVAL);
    ASSERT_ERR(hset_null(redis), -EINVAL);
    ASSERT_ERR(hr_redis_watch(redis, 1, nothing, &conn), -EINVAL);
    ASSERT_ERR(hr_redis_subscribe(pubsub, HR_REDIS_CHANNEL, NULL), -EINVAL);
    ASSERT_ERR(hr_redis_unsubscribe(pubsub, HR_REDIS_CHANNEL, NULL), 0);

    /* One of no bytes is an empty word, and the connection is none the worse. */
    ASSERT_ERR(hr_redis_command_argv(redis, &reply, 2, key, empty), 0);
    ASSERT_TRUE(hr_reply_equals(reply, "GET "));
    fake_client_end(redis, &fake);
}

TEST(a_call_on_what_was_never_made_says_so)
{
    check_client(-EINVAL);
    ASSERT_TRUE(strstr(hr_last_error()->message, "redis: a client: NULL"));
    check_subscriber(-EINVAL);
    check_conn(-EINVAL);
    check_cluster(-EINVAL);
}

TEST(a_call_on_what_could_not_be_made_says_why_not)
{
    (void)hr_fail(-ENOTCONN, "nobody is there");
    check_client(-ENOTCONN);
    check_subscriber(-ENOTCONN);
    check_conn(-ENOTCONN);
    check_cluster(-ENOTCONN);
    ASSERT_STR(hr_last_error()->message, "nobody is there");
}

TEST(a_pipeline_that_no_client_ran_has_no_outcomes)
{
    hr_auto(hr_redis_pipeline_freep) hr_redis_pipeline *p = hr_redis_pipeline_new();
    ASSERT_ERR(hr_redis_pipeline_add(p, "PING"), 0);
    ASSERT_ERR(hr_redis_pipeline_run(NULL, p), -EINVAL);
    ASSERT_TRUE(!hr_redis_pipeline_at(p, 0));
    ASSERT_ERR(hr_redis_pipeline_exec(NULL, p), -EINVAL);
    ASSERT_TRUE(!hr_redis_pipeline_at(p, 0));
    ASSERT_ERR(hr_redis_conn_pipeline_run(NULL, p), -EINVAL);
    ASSERT_ERR(hr_redis_conn_pipeline_exec(NULL, p), -EINVAL);
    ASSERT_TRUE(!hr_redis_pipeline_at(p, 0));
}
