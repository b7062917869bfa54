/* SPDX-License-Identifier: MIT */
/*
 * Commands as bytes.
 */
#include "drivers/redis/format.h"

#include <string.h>

#include "tests/support/hrtest.h"

static int format(struct hr_buf *out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct hr__redis_request request = {.fmt = fmt, .args = &args};
    int r = hr__redis_format(out, &request);
    va_end(args);
    return r;
}

static void assert_bytes(struct hr_buf *out, const char *want, size_t n)
{
    ASSERT_EQ(hr_buf_size(out), n);
    ASSERT_TRUE(memcmp(hr_buf_data(out), want, n) == 0);
    hr_buf_done(out);
}

#define ASSERT_FORMAT(want, ...)                                                                   \
    do {                                                                                           \
        struct hr_buf bytes;                                                                       \
        hr_buf_init(&bytes, SIZE_MAX);                                                             \
        ASSERT_EQ(format(&bytes, __VA_ARGS__), 0);                                                 \
        assert_bytes(&bytes, want, sizeof(want) - 1);                                              \
    } while (0)

TEST_PLAIN(words_are_cut_at_blanks)
{
    ASSERT_FORMAT("*1\r\n$4\r\nPING\r\n", "PING");
    ASSERT_FORMAT("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n", "  SET   a b ");
}

TEST_PLAIN(what_is_put_in_never_splits_a_word)
{
    ASSERT_FORMAT("*3\r\n$3\r\nSET\r\n$3\r\na b\r\n$0\r\n\r\n", "SET %s %s", "a b", "");
    ASSERT_FORMAT("*2\r\n$3\r\nGET\r\n$11\r\nsession:x y\r\n", "GET session:%s", "x y");
    ASSERT_FORMAT("*2\r\n$1\r\nX\r\n$5\r\na\0b\r\n\r\n", "X %b", "a\0b\r\n", (size_t)5);
    ASSERT_FORMAT("*2\r\n$1\r\nX\r\n$4\r\n<\0\0>\r\n", "X <%b>", "\0\0", (size_t)2);
    ASSERT_FORMAT("*2\r\n$1\r\nX\r\n$0\r\n\r\n", "X %b", NULL, (size_t)0);
}

TEST_PLAIN(numbers_are_written_whole)
{
    ASSERT_FORMAT("*3\r\n$1\r\nX\r\n$2\r\n-7\r\n$20\r\n-9223372036854775808\r\n", "X %d %lld", -7,
                  INT64_MIN);
    ASSERT_FORMAT("*4\r\n$1\r\nX\r\n$20\r\n18446744073709551615\r\n$2\r\nff\r\n$1\r\n0\r\n",
                  "X %zu %x %ld", SIZE_MAX, 255u, 0L);
    ASSERT_FORMAT("*3\r\n$1\r\nX\r\n$19\r\n0.10000000000000001\r\n$8\r\n1.500000\r\n", "X %g %f",
                  0.1, 1.5);
    ASSERT_FORMAT("*2\r\n$1\r\nX\r\n$4\r\n50%4\r\n", "X 50%%%d", 4);
}

TEST_PLAIN(a_command_may_have_many_words_and_long_ones)
{
    ASSERT_FORMAT("*10\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n"
                  "$1\r\nf\r\n$1\r\ng\r\n$1\r\nh\r\n$1\r\ni\r\n$2\r\nj1\r\n",
                  "a b c d e f g h i j%d", 1);
    char word[1000], want[1100];
    memset(word, 'w', sizeof(word));
    for (size_t len = 1; len < sizeof(word); len++) {
        size_t used = (size_t)sprintf(want, "*2\r\n$1\r\nX\r\n$%zu\r\n=", len + 1);
        memcpy(want + used, word, len);
        memcpy(want + used + len, "\r\n", 2);
        struct hr_buf out;
        hr_buf_init(&out, SIZE_MAX);
        ASSERT_EQ(format(&out, "X =%b", word, len), 0);
        assert_bytes(&out, want, used + len + 2);
    }
}

TEST_PLAIN(a_word_of_the_format_may_have_any_length)
{
    static const char word[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    char fmt[128], want[128];
    for (int len = 1; len < (int)sizeof(word); len++) {
        snprintf(fmt, sizeof(fmt), "%.*s %.*s%%d", len, word, len, word);
        snprintf(want, sizeof(want), "*2\r\n$%d\r\n%.*s\r\n$%d\r\n%.*s7\r\n", len, len, word,
                 len + 1, len, word);
        struct hr_buf out;
        hr_buf_init(&out, SIZE_MAX);
        ASSERT_EQ(format(&out, fmt, 7), 0);
        assert_bytes(&out, want, strlen(want));
    }
}

TEST_PLAIN(an_array_of_arguments_is_taken_as_it_is)
{
    const char *argv[] = {"SET", "a b", "%s"};
    const size_t lens[] = {3, 1, 2};
    struct hr_buf out;
    hr_buf_init(&out, SIZE_MAX);
    struct hr__redis_request request = {.argc = 3, .argv = argv};
    ASSERT_EQ(hr__redis_format(&out, &request), 0);
    request.lens = lens;
    ASSERT_EQ(hr__redis_format(&out, &request), 0);
    const char *want = "*3\r\n$3\r\nSET\r\n$3\r\na b\r\n$2\r\n%s\r\n"
                       "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n%s\r\n";
    ASSERT_EQ(hr_buf_size(&out), strlen(want));
    ASSERT_TRUE(memcmp(hr_buf_data(&out), want, strlen(want)) == 0);
    hr_buf_done(&out);
}

TEST_PLAIN(a_wrong_format_appends_nothing)
{
    struct hr_buf out;
    hr_buf_init(&out, SIZE_MAX);
    ASSERT_EQ(format(&out, "PING"), 0);
    size_t before = hr_buf_size(&out);
    const char *null = NULL;
    ASSERT_EQ(format(&out, ""), -EINVAL);
    ASSERT_EQ(format(&out, "   "), -EINVAL);
    ASSERT_EQ(format(&out, "SET a %q", 1), -EINVAL);
    ASSERT_TRUE(strstr(hr_last_error()->message, " at character 8: there is no %q (%s %b "));
    ASSERT_EQ(format(&out, "SET a b%"), -EINVAL);
    ASSERT_TRUE(strstr(hr_last_error()->message, " at character 8: it ends behind a %"));
    ASSERT_EQ(format(&out, "SET a x%5d", 1), -EINVAL);
    ASSERT_TRUE(strstr(hr_last_error()->message, " at character 9: there is no %5 "));
    ASSERT_EQ(format(&out, "SET %s %s", "a", null), -EINVAL);
    ASSERT_TRUE(strstr(hr_last_error()->message, " at character 9: NULL stands for a string"));
    ASSERT_EQ(format(&out, "SET a %b", null, (size_t)3), -EINVAL);
    struct hr__redis_request nothing = {0};
    ASSERT_EQ(hr__redis_format(&out, &nothing), -EINVAL);
    ASSERT_EQ(hr_buf_size(&out), before);
    hr_buf_done(&out);
}

TEST_PLAIN(a_mixed_word_may_move_the_buffer)
{
    char big[5000];
    memset(big, 'x', sizeof(big));
    struct hr_buf out;
    hr_buf_init(&out, SIZE_MAX);
    for (size_t n = 0; n < sizeof(big); n += 7) {
        size_t before = hr_buf_size(&out);
        ASSERT_EQ(format(&out, "a%bz", big, n), 0);
        const char *at = hr_buf_data(&out) + before;
        char header[32];
        size_t len = (size_t)snprintf(header, sizeof(header), "*1\r\n$%zu\r\na", n + 2);
        ASSERT_TRUE(memcmp(at, header, len) == 0);
        ASSERT_EQ(hr_buf_size(&out) - before, len + n + 3);
        ASSERT_TRUE(memcmp(at + len + n, "z\r\n", 3) == 0);
        if (n % 3 == 0) /* room at the front is used again */
            hr_buf_consume(&out, hr_buf_size(&out) / 2);
    }
    hr_buf_done(&out);
}
