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

static hr_reply *make_reply(size_t n, const char *const entries[], const size_t lens[])
{
    struct hr__redis_reader *reader = hr__redis_reader_new((size_t)1 << 20);
    hr_auto(hr_buf_done) struct hr_buf bytes;
    hr_buf_init(&bytes, SIZE_MAX);
    ASSERT_TRUE(reader);
    ASSERT_ERR(hr_buf_printf(&bytes, "*%zu\r\n", n), 0);
    for (size_t i = 0; i < n; i++) {
        ASSERT_ERR(hr_buf_printf(&bytes, "$%zu\r\n", lens[i]), 0);
        ASSERT_ERR(hr_buf_append(&bytes, entries[i], lens[i]), 0);
        ASSERT_ERR(hr_buf_append(&bytes, "\r\n", 2), 0);
    }
    hr__redis_reader_feed(reader, hr_buf_data(&bytes), hr_buf_size(&bytes));
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
