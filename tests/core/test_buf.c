/* SPDX-License-Identifier: MIT */
/*
 * Growing bytes.
 */
#include "core/buf.h"

#include <errno.h>
#include <string.h>

#include "tests/support/hrtest.h"

TEST_PLAIN(an_empty_buffer_is_an_empty_string)
{
    struct hr_buf buf;
    hr_buf_init(&buf, SIZE_MAX);
    ASSERT_STR(hr_buf_data(&buf), "");
    ASSERT_EQ(hr_buf_size(&buf), 0);
    hr_buf_consume(&buf, 5);
    size_t size = 9;
    char *taken = hr_buf_take(&buf, &size);
    ASSERT_STR(taken, "");
    ASSERT_EQ(size, 0);
    free(taken);
    hr_buf_done(&buf);
}

TEST_PLAIN(what_is_appended_is_read_in_order_with_a_nul_behind_it)
{
    hr_auto(hr_buf_done) struct hr_buf buf;
    hr_buf_init(&buf, SIZE_MAX);
    ASSERT_EQ(hr_buf_append(&buf, "ab\0c", 4), 0);
    ASSERT_EQ(hr_buf_size(&buf), 4);
    hr_buf_consume(&buf, 3);
    ASSERT_EQ(hr_buf_printf(&buf, "-%d-%s", 42, "x"), 0);
    ASSERT_EQ(hr_buf_append_text(&buf, "!"), 0);
    ASSERT_STR(hr_buf_data(&buf), "c-42-x!");
    hr_buf_consume(&buf, 100);
    ASSERT_STR(hr_buf_data(&buf), "");
}

TEST_PLAIN(past_its_bound_a_buffer_refuses_and_stays_as_it_is)
{
    hr_auto(hr_buf_done) struct hr_buf buf;
    hr_buf_init(&buf, 5);
    ASSERT_EQ(hr_buf_append_text(&buf, "abc"), 0);
    ASSERT_EQ(hr_buf_append_text(&buf, "def"), -ENOBUFS);
    ASSERT_EQ(hr_buf_printf(&buf, "%d", 123), -ENOBUFS);
    char *room;
    ASSERT_EQ(hr_buf_reserve(&buf, SIZE_MAX, &room), -ENOBUFS);
    ASSERT_STR(hr_buf_data(&buf), "abc");
    ASSERT_EQ(hr_buf_append_text(&buf, "de"), 0);
    hr_buf_consume(&buf, 1);
    ASSERT_EQ(hr_buf_append_text(&buf, "f"), 0);
    ASSERT_STR(hr_buf_data(&buf), "bcdef");
}

TEST_PLAIN(a_size_that_no_memory_has_is_out_of_memory)
{
    hr_auto(hr_buf_done) struct hr_buf buf;
    hr_buf_init(&buf, SIZE_MAX);
    char *room;
    ASSERT_EQ(hr_buf_append_text(&buf, "abc"), 0);
    ASSERT_EQ(hr_buf_reserve(&buf, SIZE_MAX - 3, &room), -ENOMEM);
    ASSERT_STR(hr_buf_data(&buf), "abc");
}

TEST_PLAIN(reading_into_a_buffer_keeps_what_was_committed)
{
    hr_auto(hr_buf_done) struct hr_buf buf;
    hr_buf_init(&buf, SIZE_MAX);
    char *room;
    ASSERT_EQ(hr_buf_reserve(&buf, 1000, &room), 0);
    memset(room, 'x', 1000);
    hr_buf_commit(&buf, 3);
    ASSERT_STR(hr_buf_data(&buf), "xxx");
}

TEST_PLAIN(a_stream_through_a_buffer_needs_no_more_memory_than_what_is_in_it)
{
    hr_auto(hr_buf_done) struct hr_buf buf;
    hr_buf_init(&buf, SIZE_MAX);
    unsigned in = 0, out = 0;
    for (int i = 0; i < 10000; i++) {
        for (int k = i % 7; k >= 0; k--) {
            unsigned char byte = (unsigned char)in++;
            ASSERT_EQ(hr_buf_append(&buf, &byte, 1), 0);
        }
        while (hr_buf_size(&buf) > 40) {
            ASSERT_EQ((unsigned char)hr_buf_data(&buf)[0], (unsigned char)out++);
            hr_buf_consume(&buf, 1);
        }
        ASSERT_EQ(hr_buf_data(&buf)[hr_buf_size(&buf)], 0);
    }
    ASSERT_EQ(in - out, 40);
    ASSERT_TRUE(buf.capacity <= 256);
}

TEST_PLAIN(the_bytes_can_be_moved_out)
{
    struct hr_buf buf;
    hr_buf_init(&buf, 100);
    ASSERT_EQ(hr_buf_append_text(&buf, "hello world"), 0);
    hr_buf_consume(&buf, 6);
    size_t size;
    char *taken = hr_buf_take(&buf, &size);
    ASSERT_STR(taken, "world");
    ASSERT_EQ(size, 5);
    free(taken);
    ASSERT_EQ(hr_buf_append_text(&buf, "again"), 0);
    ASSERT_STR(hr_buf_data(&buf), "again");
    hr_buf_done(&buf);
}

TEST_PLAIN(what_is_cut_out_moves_the_shorter_side)
{
    struct hr_buf buf;
    hr_buf_init(&buf, 100);
    ASSERT_EQ(hr_buf_append_text(&buf, "one two three four five"), 0);
    const char *end = hr_buf_data(&buf) + hr_buf_size(&buf);
    hr_buf_cut(&buf, 4, 4);
    ASSERT_STR(hr_buf_data(&buf), "one three four five");
    ASSERT_PTR(hr_buf_data(&buf) + hr_buf_size(&buf), end);

    const char *start = hr_buf_data(&buf);
    hr_buf_cut(&buf, 10, 5);
    ASSERT_STR(hr_buf_data(&buf), "one three five");
    ASSERT_PTR(hr_buf_data(&buf), start);
    hr_buf_cut(&buf, 0, 4);
    ASSERT_STR(hr_buf_data(&buf), "three five");
    hr_buf_cut(&buf, 5, 5);
    ASSERT_STR(hr_buf_data(&buf), "three");
    hr_buf_cut(&buf, 0, 5);
    ASSERT_STR(hr_buf_data(&buf), "");
    ASSERT_EQ(hr_buf_append_text(&buf, "again"), 0);
    ASSERT_STR(hr_buf_data(&buf), "again");
    hr_buf_done(&buf);
}
