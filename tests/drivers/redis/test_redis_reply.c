/* SPDX-License-Identifier: MIT */
/*
 * Replies: parsing within limits however the bytes are split (22.5, 22.12), and typed access.
 */
#include "drivers/redis/reply.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/redis/reader.h"
#include "tests/support/hrtest.h"

#define LIMIT ((size_t)1 << 20)

static struct hr__redis_reader *reader_new(size_t limit)
{
    struct hr__redis_reader *reader = hr__redis_reader_new(limit);
    ASSERT_TRUE(reader);
    return reader;
}

/* The one reply in text, or the code. */
static int parse(const char *text, size_t limit, hr_reply **ret)
{
    struct hr__redis_reader *reader = reader_new(limit);
    hr__redis_reader_feed(reader, text, strlen(text));
    int r = hr__redis_reader_next(reader, ret);
    hr__redis_reader_free(reader);
    return r;
}

static const char mixed[] = "+OK\r\n"
                            "-ERR no such thing\r\n"
                            ":-42\r\n"
                            "$5\r\nhe\r\no\r\n"
                            "$-1\r\n"
                            "*-1\r\n"
                            "$0\r\n\r\n"
                            "*0\r\n"
                            "*4\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n-WRONG x\r\n*1\r\n*1\r\n+deep\r\n";

static void check_mixed(hr_reply *const *replies)
{
    size_t len = 0;
    ASSERT_EQ(hr_reply_type(replies[0]), HR_REPLY_STATUS);
    ASSERT_TRUE(hr_reply_equals(replies[0], "OK"));
    ASSERT_FALSE(hr_reply_equals(replies[0], "OKAY"));
    ASSERT_EQ(hr_reply_type(replies[1]), HR_REPLY_ERROR);
    ASSERT_STR(hr_reply_str(replies[1], NULL), "ERR no such thing");
    ASSERT_FALSE(hr_reply_equals(replies[1], "ERR no such thing"));
    ASSERT_EQ(hr_reply_type(replies[2]), HR_REPLY_INT);
    ASSERT_EQ(hr_reply_int(replies[2]), -42);
    ASSERT_TRUE(hr_reply_str(replies[2], NULL) == NULL);
    ASSERT_STR(hr_reply_str(replies[3], &len), "he\r\no");
    ASSERT_EQ(len, 5);
    ASSERT_TRUE(hr_reply_is_nil(replies[4]));
    ASSERT_TRUE(hr_reply_is_nil(replies[5]));
    ASSERT_STR(hr_reply_str(replies[6], &len), "");
    ASSERT_EQ(len, 0);
    ASSERT_EQ(hr_reply_type(replies[7]), HR_REPLY_ARRAY);
    ASSERT_EQ(hr_reply_len(replies[7]), 0);

    const hr_reply *nested = replies[8];
    ASSERT_EQ(hr_reply_len(nested), 4);
    ASSERT_STR(hr_reply_str(hr_reply_at(nested, 0), NULL), "a");
    ASSERT_EQ(hr_reply_int(hr_reply_at(hr_reply_at(nested, 1), 0)), 1);
    ASSERT_TRUE(hr_reply_is_nil(hr_reply_at(hr_reply_at(nested, 1), 1)));
    ASSERT_EQ(hr_reply_type(hr_reply_at(nested, 2)), HR_REPLY_ERROR);
    ASSERT_TRUE(hr_reply_equals(hr_reply_at(hr_reply_at(hr_reply_at(nested, 3), 0), 0), "deep"));
    ASSERT_TRUE(hr_reply_at(nested, 4) == NULL);
    ASSERT_TRUE(hr_reply_at(replies[0], 0) == NULL);
}

TEST_PLAIN(r4_replies_do_not_depend_on_how_the_bytes_are_split)
{
    size_t n = sizeof(mixed) - 1;
    for (size_t piece = 1; piece <= n; piece++) {
        struct hr__redis_reader *reader = reader_new(LIMIT);
        hr_reply *replies[9] = {0};
        size_t count = 0;
        for (size_t at = 0; at < n; at += piece) {
            size_t len = piece < n - at ? piece : n - at;
            hr__redis_reader_feed(reader, mixed + at, len);
            int r;
            while (count < 9 && (r = hr__redis_reader_next(reader, &replies[count])) == 1)
                count++;
            ASSERT_TRUE(count == 9 || r == 0);
        }
        ASSERT_EQ(count, 9);
        check_mixed(replies);
        for (size_t i = 0; i < count; i++)
            hr_reply_free(replies[i]);
        hr__redis_reader_free(reader);
    }
}

TEST_PLAIN(a_reader_may_be_freed_in_the_middle_of_a_reply)
{
    size_t n = sizeof(mixed) - 1;
    for (size_t cut = 0; cut < n; cut++) {
        struct hr__redis_reader *reader = reader_new(LIMIT);
        hr__redis_reader_feed(reader, mixed, cut);
        hr_reply *reply = NULL;
        while (hr__redis_reader_next(reader, &reply) == 1)
            reply = hr_reply_free(reply);
        hr__redis_reader_free(reader);
    }
}

TEST_PLAIN(an_integer_may_come_as_a_string)
{
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {
        {"$1\r\n7\r\n",                     7        },
        {"$2\r\n-7\r\n",                    -7       },
        {"$20\r\n-9223372036854775808\r\n", INT64_MIN},
        {"$19\r\n9223372036854775807\r\n",  INT64_MAX},
        {"$19\r\n9223372036854775808\r\n",  0        },
        {"$20\r\n-9223372036854775809\r\n", 0        },
        {"$2\r\n7x\r\n",                    0        },
        {"$1\r\n-\r\n",                     0        },
        {"$0\r\n\r\n",                      0        },
        {"$2\r\n 7\r\n",                    0        },
        {"*1\r\n:7\r\n",                    0        },
        {"-7\r\n",                          0        },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        ASSERT_EQ(parse(cases[i].text, LIMIT, &reply), 1);
        ASSERT_EQ(hr_reply_int(reply), cases[i].want);
    }
}

static void nest(char *text, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        text = stpcpy(text, "*1\r\n");
    strcpy(text, ":1\r\n");
}

TEST_PLAIN(null_reads_like_nil)
{
    int64_t number;
    double real;
    ASSERT_TRUE(hr_reply_is_nil(NULL));
    ASSERT_PTR(hr_reply_str(NULL, NULL), NULL);
    ASSERT_FALSE(hr_reply_equals(NULL, ""));
    ASSERT_EQ(hr_reply_int(NULL), 0);
    ASSERT_EQ(hr_reply_get_int(NULL, &number), -EPROTO);
    ASSERT_EQ(hr_reply_get_double(NULL, &real), -EPROTO);
    ASSERT_EQ(hr_reply_len(NULL), 0);
    ASSERT_PTR(hr_reply_at(NULL, 0), NULL);
    ASSERT_PTR(hr_reply_walk(NULL, 2, 0, 1), NULL);
    ASSERT_PTR(hr_reply_find(NULL, "key"), NULL);
    ASSERT_EQ(hr_reply_size(NULL), 0);
}

TEST_PLAIN(r4_nesting_has_a_limit_and_a_clean_error)
{
    char text[400];
    hr_reply *reply = NULL;
    nest(text, 64);
    ASSERT_EQ(parse(text, LIMIT, &reply), 1);
    const hr_reply *at = reply;
    for (int i = 0; i < 64; i++)
        at = hr_reply_at(at, 0);
    ASSERT_EQ(hr_reply_int(at), 1);
    reply = hr_reply_free(reply);
    nest(text, 65);
    ASSERT_ERR(parse(text, LIMIT, &reply), -EBADMSG);
    ASSERT_TRUE(reply == NULL);
}

TEST_PLAIN(r4_a_million_elements_are_one_reply)
{
    const size_t n = 1000000;
    struct hr__redis_reader *reader = reader_new((size_t)512 << 20);
    char text[32];
    size_t len = (size_t)snprintf(text, sizeof(text), "*%zu\r\n", n);
    hr_reply *reply = NULL;
    hr__redis_reader_feed(reader, text, len);
    ASSERT_EQ(hr__redis_reader_next(reader, &reply), 0);
    char *chunk = malloc(1000 * 16);
    ASSERT_TRUE(chunk);
    for (size_t i = 0; i < n; i += 1000) {
        size_t used = 0;
        for (size_t j = i; j < i + 1000; j++)
            used += (size_t)sprintf(chunk + used, "$6\r\n%06zu\r\n", j);
        hr__redis_reader_feed(reader, chunk, used);
        ASSERT_EQ(hr__redis_reader_next(reader, &reply), i + 1000 == n);
    }
    ASSERT_EQ(hr_reply_len(reply), n);
    ASSERT_TRUE(hr_reply_equals(hr_reply_at(reply, 0), "000000"));
    ASSERT_TRUE(hr_reply_equals(hr_reply_at(reply, n - 1), "999999"));
    ASSERT_TRUE(hr_reply_size(reply) < n * 48);
    hr_reply_free(reply);
    free(chunk);
    hr__redis_reader_free(reader);
}

TEST_PLAIN(s22_12_a_reply_larger_than_the_limit_is_refused)
{
    static const char *const texts[] = {
        "*100000000\r\n",
        "*2147483647\r\n",
        "*3\r\n*1000\r\n",
        "$20000\r\n",
    };
    char filler[20003];
    memset(filler, 'x', sizeof(filler));
    memcpy(filler + 20000, "\r\n", 3);
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++) {
        struct hr__redis_reader *reader = reader_new(16000);
        hr_reply *reply = NULL;
        hr__redis_reader_feed(reader, texts[i], strlen(texts[i]));
        int r = hr__redis_reader_next(reader, &reply);
        if (r == 0) {
            hr__redis_reader_feed(reader, filler, 16002);
            r = hr__redis_reader_next(reader, &reply);
        }
        ASSERT_ERR(r, -EMSGSIZE);
        hr__redis_reader_free(reader);
    }
}

TEST_PLAIN(s22_12_a_status_counts_towards_the_size_of_a_reply_as_well)
{
    struct hr__redis_reader *reader = reader_new(100);
    hr_reply *reply = NULL;
    char text[160];
    size_t len = (size_t)snprintf(text, sizeof(text), "+%0120d\r\n", 7);
    hr__redis_reader_feed(reader, text, len);
    ASSERT_ERR(hr__redis_reader_next(reader, &reply), -EMSGSIZE);
    hr__redis_reader_free(reader);
}

TEST_PLAIN(many_small_elements_count_against_the_limit)
{
    struct hr__redis_reader *reader = reader_new(64 * 1024);
    hr_reply *reply = NULL;
    hr__redis_reader_feed(reader, "*1000\r\n", 7);
    ASSERT_EQ(hr__redis_reader_next(reader, &reply), 0);
    char text[128];
    size_t len = (size_t)snprintf(text, sizeof(text), "$100\r\n%0100d\r\n", 7);
    int r = 0;
    for (int i = 0; i < 1000 && r == 0; i++) {
        hr__redis_reader_feed(reader, text, len);
        r = hr__redis_reader_next(reader, &reply);
    }
    ASSERT_ERR(r, -EMSGSIZE);
    hr__redis_reader_free(reader);
}

TEST_PLAIN(what_is_not_the_protocol_is_refused)
{
    static const char *const texts[] = {"HTTP/1.1 400 Bad Request\r\n", ":x\r\n", "$-2\r\n",
                                        "*-2\r\n", "$99999999999999999999\r\n"};
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++) {
        hr_reply *reply = NULL;
        ASSERT_ERR(parse(texts[i], LIMIT, &reply), -EBADMSG);
        ASSERT_TRUE(reply == NULL);
    }
}
