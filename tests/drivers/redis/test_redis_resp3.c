/* SPDX-License-Identifier: MIT */
/*
 * What RESP3 adds to replies (22.5): its types, its limits, and getters that do not mind which
 * generation an answer came in.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/redis/reader.h"
#include "drivers/redis/reply.h"
#include "tests/support/hrtest.h"

#define LIMIT ((size_t)1 << 20)

/* The replies of a stream, fed in pieces that stand alone in memory; the last code. */
static int read_pieces(const char *stream, size_t n, size_t piece, hr_reply **replies, size_t most,
                       size_t *ret_count)
{
    struct hr__redis_reader *reader = hr__redis_reader_new(LIMIT);
    ASSERT_TRUE(reader);
    int r = 0;
    *ret_count = 0;
    for (size_t at = 0; at < n && r >= 0; at += piece) {
        size_t len = piece < n - at ? piece : n - at;
        char *alone = malloc(len);
        ASSERT_TRUE(alone);
        memcpy(alone, stream + at, len);
        hr__redis_reader_feed(reader, alone, len);
        hr_reply *reply = NULL;
        while ((r = hr__redis_reader_next(reader, &reply)) == 1) {
            ASSERT_TRUE(*ret_count < most);
            replies[(*ret_count)++] = reply;
        }
        free(alone);
    }
    hr__redis_reader_free(reader);
    return r;
}

static const char stream[] = "%2\r\n$1\r\na\r\n:1\r\n+b\r\n*1\r\n_\r\n"
                             "~2\r\n#t\r\n#f\r\n"
                             ",3.25\r\n"
                             ",-inf\r\n"
                             "(123456789012345678901234567890\r\n"
                             "=9\r\ntxt:he\r\no\r\n"
                             "_\r\n"
                             "|1\r\n+ttl\r\n*2\r\n$3\r\nabc\r\n:7\r\n*2\r\n|1\r\n+x\r\n%1\r\n+y\r\n"
                             "+z\r\n+one\r\n:2\r\n"
                             ">2\r\n$10\r\ninvalidate\r\n*0\r\n"
                             "*1\r\n!7\r\nERR a\r\n\r\n"
                             "%0\r\n"
                             "|0\r\n:+5\r\n";

static void check_stream(hr_reply *const *replies)
{
    double real = 0;
    size_t len = 0;
    ASSERT_EQ(hr_reply_type(replies[0]), HR_REPLY_MAP);
    ASSERT_EQ(hr_reply_len(replies[0]), 4);
    ASSERT_EQ(hr_reply_int(hr_reply_find(replies[0], "a")), 1);
    ASSERT_TRUE(hr_reply_is_nil(hr_reply_walk(replies[0], 2, 3, 0)));
    ASSERT_TRUE(hr_reply_find(replies[0], "c") == NULL);
    ASSERT_TRUE(hr_reply_walk(replies[0], 3, 3, 0, 0) == NULL);
    ASSERT_EQ(hr_reply_type(replies[1]), HR_REPLY_SET);
    ASSERT_EQ(hr_reply_type(hr_reply_at(replies[1], 0)), HR_REPLY_BOOL);
    ASSERT_EQ(hr_reply_int(hr_reply_at(replies[1], 0)), 1);
    ASSERT_EQ(hr_reply_int(hr_reply_at(replies[1], 1)), 0);
    ASSERT_EQ(hr_reply_type(replies[2]), HR_REPLY_DOUBLE);
    ASSERT_STR(hr_reply_str(replies[2], NULL), "3.25");
    ASSERT_ERR(hr_reply_get_double(replies[2], &real), 0);
    ASSERT_TRUE(real == 3.25);
    ASSERT_ERR(hr_reply_get_double(replies[3], &real), 0);
    ASSERT_TRUE(isinf(real) && real < 0);
    ASSERT_EQ(hr_reply_type(replies[4]), HR_REPLY_BIG);
    ASSERT_STR(hr_reply_str(replies[4], NULL), "123456789012345678901234567890");
    ASSERT_ERR(hr_reply_get_int(replies[4], &(int64_t){0}), -EPROTO);
    ASSERT_EQ(hr_reply_type(replies[5]), HR_REPLY_STR);
    ASSERT_STR(hr_reply_str(replies[5], &len), "he\r\no");
    ASSERT_EQ(len, 5);
    ASSERT_TRUE(hr_reply_is_nil(replies[6]));
    ASSERT_EQ(hr_reply_type(replies[7]), HR_REPLY_ARRAY);
    ASSERT_EQ(hr_reply_len(replies[7]), 2);
    ASSERT_TRUE(hr_reply_equals(hr_reply_at(replies[7], 0), "one"));
    ASSERT_EQ(hr_reply_int(hr_reply_at(replies[7], 1)), 2);
    ASSERT_EQ(hr_reply_type(replies[8]), HR_REPLY_PUSH);
    ASSERT_TRUE(hr_reply_equals(hr_reply_at(replies[8], 0), "invalidate"));
    ASSERT_EQ(hr_reply_type(hr_reply_at(replies[9], 0)), HR_REPLY_ERROR);
    ASSERT_STR(hr_reply_str(hr_reply_at(replies[9], 0), NULL), "ERR a\r\n");
    ASSERT_EQ(hr_reply_type(replies[10]), HR_REPLY_MAP);
    ASSERT_EQ(hr_reply_len(replies[10]), 0);
    ASSERT_EQ(hr_reply_int(replies[11]), 5);
}

TEST_PLAIN(s22_5_r4_replies_of_resp3_may_be_split_anywhere)
{
    size_t n = sizeof(stream) - 1;
    for (size_t piece = 1; piece <= n; piece++) {
        hr_reply *replies[12] = {0};
        size_t count = 0;
        ASSERT_EQ(read_pieces(stream, n, piece, replies, 12, &count), 0);
        ASSERT_EQ(count, 12);
        check_stream(replies);
        for (size_t i = 0; i < count; i++)
            hr_reply_free(replies[i]);
    }
}

TEST_PLAIN(r4_what_resp3_forbids_is_refused_however_it_is_split)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"#x\r\n",                               -EBADMSG },
        {"#true\r\n",                            -EBADMSG },
        {",1.5x\r\n",                            -EBADMSG },
        {",0x10\r\n",                            -EBADMSG },
        {",\r\n",                                -EBADMSG },
        {"(12a\r\n",                             -EBADMSG },
        {"(-\r\n",                               -EBADMSG },
        {"_x\r\n",                               -EBADMSG },
        {"=3\r\ntxt\r\n",                        -EBADMSG },
        {"=8\r\ntext:abc\r\n",                   -EBADMSG },
        {"%-1\r\n",                              -EBADMSG },
        {"~-1\r\n",                              -EBADMSG },
        {"|-1\r\n",                              -EBADMSG },
        {"*?\r\n",                               -EBADMSG },
        {"$?\r\n;1\r\na\r\n",                    -EBADMSG },
        {"*1\r\n>1\r\n+x\r\n",                   -EBADMSG },
        {"$3\r\nabcd\r\n",                       -EBADMSG },
        {"$3\r\nabc\n\n",                        -EBADMSG },
        {"+OK\n",                                -EBADMSG },
        {"\r\n",                                 -EBADMSG },
        {":\r\n",                                -EBADMSG },
        {":9223372036854775808\r\n",             -EBADMSG },
        {"%4611686018427387905\r\n",             -EMSGSIZE},
        {"|4611686018427387905\r\n",             -EMSGSIZE},
        {"%100000000\r\n",                       -EMSGSIZE},
        {"~9223372036854775807\r\n",             -EMSGSIZE},
        {"!9223372036854775807\r\n",             -EMSGSIZE},
        {"*2\r\n$1048570\r\n",                   -EMSGSIZE},
        {"*30000\r\n*30000\r\n*30000\r\n:1\r\n", -EMSGSIZE},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        size_t n = strlen(cases[i].text);
        for (size_t piece = 1; piece <= n; piece++) {
            hr_reply *reply = NULL;
            size_t count = 0;
            int r = read_pieces(cases[i].text, n, piece, &reply, 1, &count);
            if (r != cases[i].code || count != 0)
                test_fail(__FILE__, __LINE__, "%zu: %d, %zu replies", i, r, count);
        }
    }
}

TEST_PLAIN(r4_a_line_that_never_ends_is_refused)
{
    static char filler[4096];
    memset(filler, 'x', sizeof(filler));
    struct hr__redis_reader *reader = hr__redis_reader_new(LIMIT);
    ASSERT_TRUE(reader);
    hr_reply *reply = NULL;
    hr__redis_reader_feed(reader, "-", 1);
    int r = hr__redis_reader_next(reader, &reply);
    int pieces = 0;
    for (; r == 0 && pieces < 100; pieces++) {
        hr__redis_reader_feed(reader, filler, sizeof(filler));
        r = hr__redis_reader_next(reader, &reply);
    }
    ASSERT_ERR(r, -EBADMSG);
    ASSERT_TRUE(pieces <= 17);
    ASSERT_ERR(hr__redis_reader_next(reader, &reply), -EBADMSG);
    hr__redis_reader_free(reader);
}

static int parse(const char *text, hr_reply **ret)
{
    size_t count = 0;
    (void)read_pieces(text, strlen(text), strlen(text), ret, 1, &count);
    return (int)count;
}

TEST_PLAIN(numbers_are_told_apart_from_what_is_none)
{
    static const struct {
        const char *text;
        int is_int, is_double;
        double want;
    } cases[] = {
        {":7\r\n",          0,       0,       7    },
        {"#t\r\n",          0,       0,       1    },
        {"$2\r\n-7\r\n",    0,       0,       -7   },
        {"(12\r\n",         0,       0,       12   },
        {"$3\r\n1.5\r\n",   -EPROTO, 0,       1.5  },
        {",1.5\r\n",        -EPROTO, 0,       1.5  },
        {"$5\r\n1e-10\r\n", -EPROTO, 0,       1e-10},
        {"$0\r\n\r\n",      -EPROTO, -EPROTO, 0    },
        {"$2\r\n7x\r\n",    -EPROTO, -EPROTO, 0    },
        {"$2\r\n 7\r\n",    -EPROTO, -EPROTO, 0    },
        {"$3\r\n1,5\r\n",   -EPROTO, -EPROTO, 0    },
        {"_\r\n",           -EPROTO, -EPROTO, 0    },
        {"*1\r\n:1\r\n",    -EPROTO, -EPROTO, 0    },
        {"-7\r\n",          -EPROTO, -EPROTO, 0    },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        hr_auto(hr_reply_freep) hr_reply *reply = NULL;
        int64_t number = 0;
        double real = 0;
        ASSERT_EQ(parse(cases[i].text, &reply), 1);
        ASSERT_ERR(hr_reply_get_int(reply, &number), cases[i].is_int);
        ASSERT_ERR(hr_reply_get_double(reply, &real), cases[i].is_double);
        ASSERT_TRUE(real == cases[i].want);
        ASSERT_TRUE(cases[i].is_int < 0 || number == (int64_t)cases[i].want);
    }
}
