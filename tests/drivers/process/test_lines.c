/* SPDX-License-Identifier: MIT */
/*
 * Lines out of pieces, and the bound on them.
 */
#include "drivers/process/lines.h"

#include <errno.h>
#include <string.h>

#include "tests/support/hrtest.h"

static void feed(struct hr__lines *lines, const char *bytes, size_t n)
{
    while (n > 0) {
        char *room;
        size_t size;
        ASSERT_ERR(hr__lines_room(lines, &room, &size), 0);
        size = size < n ? size : n;
        memcpy(room, bytes, size);
        hr__lines_commit(lines, size);
        bytes += size;
        n -= size;
    }
}

static void next_is(struct hr__lines *lines, const char *expected)
{
    const char *line;
    size_t size;
    ASSERT_EQ(hr__lines_next(lines, &line, &size), 1);
    ASSERT_STR(line, expected);
    ASSERT_EQ(size, strlen(expected));
}

TEST_PLAIN(lines_come_out_as_they_are_however_they_came)
{
    struct hr__lines lines;
    const char *line;
    size_t size;
    hr__lines_init(&lines, 8);
    feed(&lines, "{\"a\"", 4);
    ASSERT_EQ(hr__lines_next(&lines, &line, &size), 0);
    feed(&lines, ":1}\n\nlast", 9);
    next_is(&lines, "{\"a\":1}");
    next_is(&lines, "");
    ASSERT_EQ(hr__lines_next(&lines, &line, &size), 0);
    ASSERT_EQ(hr__lines_held(&lines), 4);
    ASSERT_EQ(hr__lines_rest(&lines, &line, &size), 1);
    ASSERT_EQ(size, 4);
    ASSERT_EQ(hr__lines_rest(&lines, &line, &size), 0);
    hr__lines_done(&lines);
}

TEST_PLAIN(a_line_over_the_bound_is_refused_with_and_without_its_end)
{
    struct hr__lines lines;
    const char *line;
    char piece[4];
    size_t size;
    hr__lines_init(&lines, 4);
    feed(&lines, "1234\n12345\nx\n", 13);
    next_is(&lines, "1234");
    ASSERT_EQ(hr__lines_next(&lines, &line, &size), -EMSGSIZE);
    ASSERT_EQ(hr__lines_next(&lines, &line, &size), -EMSGSIZE);
    ASSERT_EQ(hr__lines_take(&lines, piece, 4), 4);
    next_is(&lines, "5");
    next_is(&lines, "x");
    feed(&lines, "12345", 5);
    ASSERT_EQ(hr__lines_next(&lines, &line, &size), -EMSGSIZE);
    ASSERT_EQ(hr__lines_rest(&lines, &line, &size), 1);
    ASSERT_EQ(size, 4);
    hr__lines_done(&lines);
}
