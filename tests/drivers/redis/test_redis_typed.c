/* SPDX-License-Identifier: MIT */
/*
 * A command and what its reply has to be (22.2–22.5), in both generations of the protocol.
 */
#include "drivers/redis/typed.h"

#include <string.h>

#include "drivers/redis/client.h"
#include "tests/support/hrtest.h"
#include "tests/support/redis_server.h"

static void check_numbers(hr_redis *redis)
{
    int64_t number = 99;
    double real = 99;
    ASSERT_EQ(hr_redis_command_int(redis, &number, "GET none"), 0);
    ASSERT_EQ(number, 99);
    ASSERT_EQ(hr_redis_command_int(redis, &number, "INCRBY n 7"), 1);
    ASSERT_EQ(number, 7);
    ASSERT_EQ(hr_redis_command_int(redis, &number, "GET n"), 1);
    ASSERT_EQ(number, 7);
    ASSERT_EQ(hr_redis_command_double(redis, &real, "GET n"), 1);
    ASSERT_TRUE(real == 7);
    ASSERT_ERR(hr_redis_command(redis, NULL, "ZADD z 1.5 a 2 b"), 0);
    ASSERT_EQ(hr_redis_command_double(redis, &real, "ZSCORE z a"), 1);
    ASSERT_TRUE(real == 1.5);
    ASSERT_EQ(hr_redis_command_double(redis, &real, "ZSCORE z nobody"), 0);
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET word abc"), 0);
    ASSERT_ERR(hr_redis_command_int(redis, &number, "GET word"), -EPROTO);
    ASSERT_STR(hr_last_error()->message, "redis: the reply to GET is text, not an integer");
    ASSERT_ERR(hr_redis_command_int(redis, &number, "%s word", "GET"), -EPROTO);
    ASSERT_STR(hr_last_error()->message, "redis: the reply to the command is text, not an integer");
    ASSERT_ERR(hr_redis_command_double(redis, &real, "GET word"), -EPROTO);
    ASSERT_STR(hr_last_error()->message, "redis: the reply to GET is text, not a number");
    ASSERT_ERR(hr_redis_command_int(redis, &number, "LPUSH word x"), HR_EREPLY);
    ASSERT_EQ(number, 7);
}

static void check_text(hr_redis *redis)
{
    hr_auto(hr_freep) char *text = NULL;
    size_t len = 0;
    ASSERT_EQ(hr_redis_command_text(redis, &text, &len, "GET none"), 0);
    ASSERT_TRUE(text == NULL);
    ASSERT_ERR(hr_redis_command(redis, NULL, "SET t %b", "a\0b", (size_t)3), 0);
    ASSERT_EQ(hr_redis_command_text(redis, &text, &len, "GET t"), 1);
    ASSERT_EQ(len, 3);
    ASSERT_EQ(memcmp(text, "a\0b", 4), 0);
    char *other = NULL;
    ASSERT_ERR(hr_redis_command_text(redis, &other, NULL, " KEYS *"), -EPROTO);
    ASSERT_STR(hr_last_error()->message, "redis: the reply to KEYS is a list, not text");
    ASSERT_TRUE(other == NULL);
}

static void check_hash(hr_redis *redis)
{
    hr_auto(hr_redis_pairs_done) struct hr_redis_pairs pairs = {0};
    ASSERT_EQ(hr_redis_hset(redis, "h", HR_REDIS_FIELDS({"name", hr_redis_str("Ada")})), 1);
    ASSERT_EQ(
        hr_redis_hset(redis, "h",
                      HR_REDIS_FIELDS({"name", hr_redis_str("Ada L")}, {"born", hr_redis_int(1815)},
                                      {"raw", hr_redis_bytes("x\0y", 3)})),
        2);
    ASSERT_EQ(hr_redis_command_pairs(redis, &pairs, "HGETALL h"), 3);
    ASSERT_EQ(pairs.count, 3);
    ASSERT_STR(pairs.items[0].name, "name");
    ASSERT_STR(pairs.items[0].value, "Ada L");
    ASSERT_EQ(pairs.items[2].value_len, 3);
    ASSERT_STR(hr_redis_pairs_find(&pairs, "born"), "1815");
    ASSERT_TRUE(hr_redis_pairs_find(&pairs, "died") == NULL);
    hr_redis_pairs_done(&pairs);

    ASSERT_EQ(hr_redis_command_pairs(redis, &pairs, "HGETALL none"), 0);
    ASSERT_EQ(pairs.count, 0);
    hr_redis_pairs_done(&pairs);
    ASSERT_EQ(hr_redis_command_pairs(redis, &pairs, "ZRANGE z 0 -1 WITHSCORES"), 2);
    ASSERT_STR(pairs.items[0].name, "a");
    ASSERT_STR(pairs.items[0].value, "1.5");
    ASSERT_STR(pairs.items[1].value, "2");
    hr_redis_pairs_done(&pairs);
    ASSERT_ERR(hr_redis_command_pairs(redis, &pairs, "HVALS h"), -EPROTO);
    ASSERT_STR(hr_last_error()->message, "redis: the reply to HVALS is a list, not names and "
                                         "values, since their number is odd");
    ASSERT_ERR(hr_redis_command_pairs(redis, &pairs, "GET n"), -EPROTO);
    ASSERT_STR(hr_last_error()->message, "redis: the reply to GET is text, not names and values");
    ASSERT_ERR(hr_redis_hset(redis, "n", HR_REDIS_FIELDS({"a", hr_redis_int(1)})), HR_EREPLY);
}

static void check_many_words(hr_redis *redis)
{
    struct hr_redis_arg words[80];
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    words[0] = hr_redis_str("RPUSH");
    words[1] = hr_redis_str("many");
    for (size_t i = 2; i < HR_ARRAY_LEN(words); i++)
        words[i] = hr_redis_int((int64_t)i);
    ASSERT_ERR(hr_redis_command_args(redis, &reply, HR_ARRAY_LEN(words), words), 0);
    ASSERT_EQ(hr_reply_int(reply), 78);
    ASSERT_ERR(hr_redis_command_args(redis, NULL, 0, words), -EINVAL);
}

TEST_REAL(s22_2_s22_4_s22_5_replies_become_c_values_in_both_protocols)
{
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    for (unsigned protocol = 2; protocol <= 3; protocol++) {
        hr_redis *redis =
            hr_redis_new(&(struct hr_redis_options){.url = server.unix_url, .protocol = protocol});
        ASSERT_TRUE(redis);
        ASSERT_ERR(hr_redis_command(redis, NULL, "FLUSHALL"), 0);
        check_numbers(redis);
        check_text(redis);
        check_hash(redis);
        check_many_words(redis);
        ASSERT_ERR(hr_redis_close(redis), 0);
        hr_redis_free(redis);
    }
}

TEST_REAL(functions_are_loaded_and_called)
{
    static const char library[] = "#!lua name=mylib\n"
                                  "redis.register_function('twice', function(keys, args)\n"
                                  "  return tonumber(args[1]) * 2 + #keys\n"
                                  "end)\n";
    hr_auto(test_redis_end) struct test_redis server;
    test_redis_start(&server, NULL);
    hr_redis *redis = hr_redis_new(&(struct hr_redis_options){.url = server.unix_url});
    ASSERT_TRUE(redis);
    struct hr_redis_arg key = hr_redis_str("k"), arg = hr_redis_int(21);
    hr_auto(hr_reply_freep) hr_reply *reply = NULL;
    ASSERT_ERR(hr_redis_fcall(redis, NULL, "twice", 0, NULL, 1, &arg), HR_EREPLY);
    ASSERT_ERR(hr_redis_function_load(redis, library, sizeof(library) - 1), 0);
    ASSERT_ERR(hr_redis_function_load(redis, library, sizeof(library) - 1), 0);
    ASSERT_ERR(hr_redis_fcall(redis, &reply, "twice", 1, &key, 1, &arg), 0);
    ASSERT_EQ(hr_reply_int(reply), 43);
    ASSERT_ERR(hr_redis_close(redis), 0);
    hr_redis_free(redis);
}
