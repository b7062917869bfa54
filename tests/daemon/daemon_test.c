/* SPDX-License-Identifier: MIT */
#include "tests/daemon/daemon_test.h"

#include <string.h>

#include "drivers/redis/reader.h"

struct batch *test_batch(const char *text)
{
    struct batch *batch = batch_of_lines(TEST_ID, strdup(text), strlen(text));
    ASSERT_TRUE(batch);
    return batch;
}

struct batch *test_batch_of(size_t n)
{
    char *text = malloc(n * 24 + 1);
    size_t len = 0;
    ASSERT_TRUE(text);
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, 24, "%zu\n", i);
    struct batch *batch = batch_of_lines(TEST_ID, text, len);
    ASSERT_TRUE(batch);
    return batch;
}

static void feed(struct hr__redis_reader *reader, const char *bytes, size_t len)
{
    hr__redis_reader_feed(reader, bytes, len);
}

static hr_reply *make_reply(size_t n, const char *const entries[], const size_t lens[])
{
    struct hr__redis_reader *reader = hr__redis_reader_new((size_t)1 << 20);
    char head[32];
    ASSERT_TRUE(reader);
    feed(reader, head, (size_t)snprintf(head, sizeof(head), "*%zu\r\n", n));
    for (size_t i = 0; i < n; i++) {
        feed(reader, head, (size_t)snprintf(head, sizeof(head), "$%zu\r\n", lens[i]));
        feed(reader, entries[i], lens[i]);
        feed(reader, "\r\n", 2);
    }
    hr_reply *reply = NULL;
    ASSERT_EQ(hr__redis_reader_next(reader, &reply), 1);
    hr__redis_reader_free(reader);
    return reply;
}

struct batch *test_batch_of_entries(size_t d, size_t n, const char *const entries[],
                                    const size_t lens[])
{
    struct batch *batch = batch_new(TEST_ID, "token", make_reply(n, entries, lens), 0, d);
    ASSERT_TRUE(batch);
    return batch;
}

uint32_t test_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}
