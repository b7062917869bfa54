/* SPDX-License-Identifier: MIT */
/*
 * Values of prepared statements by their bytes: what no server should send is refused, down to the
 * last byte and the first number that is too much.
 */
#include "drivers/mysql/binary.h"

#include <stdlib.h>
#include <string.h>

#include "tests/drivers/mysql/mysql_test.h"

struct value {
    int type;
    unsigned decimals;
    const char *bytes;
    size_t len;
    const char *text; /* NULL: it is refused */
};

#define VALUE(type, decimals, bytes, text)                                                         \
    {                                                                                              \
        type, decimals, bytes, sizeof(bytes) - 1, text                                             \
    }

/* Reads a value that lies where nothing is behind it. */
static void check_value(const struct value *value)
{
    const struct hr__mysql_column column = {.type = value->type, .decimals = value->decimals};
    hr_auto(hr_freep) unsigned char *bytes = malloc(value->len + 1);
    ASSERT_TRUE(bytes);
    unsigned char *first = bytes + 1; /* of an empty one, too */
    memcpy(first, value->bytes, value->len);
    struct hr__mysql_span in = {first, first + value->len};
    struct hr__mysql_binary binary;
    ASSERT_TRUE(hr__mysql_binary_knows(&column));
    bool good = hr__mysql_binary_read(&in, &column, &binary);
    ASSERT_EQ(good, value->text != NULL);
    if (!good)
        return;
    ASSERT_TRUE(in.p == in.end);
    char text[64];
    ASSERT_TRUE(binary.room <= sizeof(text));
    size_t len = hr__mysql_binary_text(&binary, &column, text);
    ASSERT_STR(text, value->text);
    ASSERT_TRUE(len == strlen(text) && len < binary.room);
}

static void check_values(const struct value *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_value(&values[i]);
}

TEST_PLAIN(a_length_that_is_cut_off_or_none_is_refused)
{
    static const struct value values[] = {
        VALUE(MYSQL_TYPE_STRING, 0, "\3abc", "abc"),
        VALUE(MYSQL_TYPE_STRING, 0, "\0", ""),
        VALUE(MYSQL_TYPE_STRING, 0, "\3ab", NULL),
        VALUE(MYSQL_TYPE_STRING, 0, "", NULL),
        VALUE(MYSQL_TYPE_STRING, 0, "\374\3\0abc", "abc"),
        VALUE(MYSQL_TYPE_STRING, 0, "\374\0\0", ""),
        VALUE(MYSQL_TYPE_STRING, 0, "\374\0", NULL),
        VALUE(MYSQL_TYPE_STRING, 0, "\375\3\0\0abc", "abc"),
        VALUE(MYSQL_TYPE_STRING, 0, "\375\0\0", NULL),
        VALUE(MYSQL_TYPE_STRING, 0, "\376\3\0\0\0\0\0\0\0abc", "abc"),
        VALUE(MYSQL_TYPE_STRING, 0, "\376\3\0\0\0\0\0\0", NULL),
        VALUE(MYSQL_TYPE_STRING, 0, "\376\377\377\377\377\377\377\377\377abc", NULL),
        VALUE(MYSQL_TYPE_STRING, 0, "\373", NULL), /* where text has a NULL */
        VALUE(MYSQL_TYPE_STRING, 0, "\377\3\0\0\0\0\0\0\0abc", NULL),
    };
    check_values(values, HR_ARRAY_LEN(values));
}

TEST_PLAIN(a_moment_that_no_calendar_has_is_refused)
{
    static const struct value values[] = {
        VALUE(MYSQL_TYPE_DATE, 0, "\4\352\7\13\37", "2026-11-31"),
        VALUE(MYSQL_TYPE_DATE, 0, "\0", "0000-00-00"),
        VALUE(MYSQL_TYPE_DATE, 0, "\4\17\47\14\37", "9999-12-31"),
        VALUE(MYSQL_TYPE_DATE, 0, "\4\20\47\1\1", NULL),
        VALUE(MYSQL_TYPE_DATE, 0, "\4\352\7\15\1", NULL),
        VALUE(MYSQL_TYPE_DATE, 0, "\4\352\7\1\40", NULL),
        VALUE(MYSQL_TYPE_DATE, 0, "\3\352\7\1", NULL),
        VALUE(MYSQL_TYPE_DATE, 0, "\5\352\7\1\1\0", NULL),
        VALUE(MYSQL_TYPE_DATETIME, 0, "\7\352\7\1\1\27\73\73", "2026-01-01 23:59:59"),
        VALUE(MYSQL_TYPE_DATETIME, 0, "\7\352\7\1\1\30\0\0", NULL),
        VALUE(MYSQL_TYPE_DATETIME, 0, "\7\352\7\1\1\0\74\0", NULL),
        VALUE(MYSQL_TYPE_DATETIME, 0, "\7\352\7\1\1\0\0\74", NULL),
        VALUE(MYSQL_TYPE_DATETIME, 0, "\6\352\7\1\1\0\0", NULL),
        VALUE(MYSQL_TYPE_DATETIME, 0, "\10\352\7\1\1\0\0\0\0", NULL),
        VALUE(MYSQL_TYPE_DATETIME, 6, "\13\352\7\1\1\0\0\0\77\102\17\0",
              "2026-01-01 00:00:00.999999"),
        VALUE(MYSQL_TYPE_DATETIME, 6, "\13\352\7\1\1\0\0\0\100\102\17\0", NULL),
        VALUE(MYSQL_TYPE_DATETIME, 6, "\14\352\7\1\1\0\0\0\0\0\0\0\0", NULL),
        /* More places than microseconds have are said of a column whose own are not known. */
        VALUE(MYSQL_TYPE_DATETIME, 31, "\13\352\7\1\1\0\0\0\77\102\17\0", "2026-01-01 00:00:00"),
        VALUE(MYSQL_TYPE_TIME, 0, "\0", "00:00:00"),
        VALUE(MYSQL_TYPE_TIME, 0, "\10\1\42\0\0\0\26\73\73", "-838:59:59"),
        VALUE(MYSQL_TYPE_TIME, 0, "\10\0\43\0\0\0\0\0\0", NULL),
        VALUE(MYSQL_TYPE_TIME, 0, "\10\0\0\0\0\0\30\0\0", NULL),
        VALUE(MYSQL_TYPE_TIME, 0, "\7\0\0\0\0\0\0\0", NULL),
        VALUE(MYSQL_TYPE_TIME, 0, "\11\0\0\0\0\0\0\0\0\0", NULL),
        VALUE(MYSQL_TYPE_TIME, 3, "\14\0\0\0\0\0\1\2\3\77\102\17\0", "01:02:03.999"),
        VALUE(MYSQL_TYPE_TIME, 3, "\13\0\0\0\0\0\1\2\3\0\0\0", NULL),
        VALUE(MYSQL_TYPE_TIME, 3, "\15\0\0\0\0\0\1\2\3\0\0\0\0\0", NULL),
    };
    check_values(values, HR_ARRAY_LEN(values));
}

TEST_PLAIN(a_number_that_is_cut_off_or_none_is_refused)
{
    static const struct value values[] = {
        VALUE(MYSQL_TYPE_LONG, 0, "\377\377\377\377", "-1"),
        VALUE(MYSQL_TYPE_LONG, 0, "\377\377\377", NULL),
        VALUE(MYSQL_TYPE_LONGLONG, 0, "\0\0\0\0\0\0\0\200", "-9223372036854775808"),
        VALUE(MYSQL_TYPE_LONGLONG, 0, "\0\0\0\0\0\0\0", NULL),
        VALUE(MYSQL_TYPE_TINY, 0, "", NULL),
        VALUE(MYSQL_TYPE_FLOAT, 31, "\0\0\300\77", "1.5"),
        VALUE(MYSQL_TYPE_FLOAT, 31, "\0\0\300", NULL),
        VALUE(MYSQL_TYPE_FLOAT, 31, "\0\0\200\177", NULL), /* infinity */
        VALUE(MYSQL_TYPE_DOUBLE, 31, "\0\0\0\0\0\0\370\77", "1.5"),
        VALUE(MYSQL_TYPE_DOUBLE, 31, "\0\0\0\0\0\0\370", NULL),
        VALUE(MYSQL_TYPE_DOUBLE, 31, "\0\0\0\0\0\0\370\177", NULL), /* not a number */
    };
    check_values(values, HR_ARRAY_LEN(values));
}

TEST_PLAIN(a_padded_number_has_room_up_to_a_width_and_beyond_it_is_left_to_the_library)
{
    struct hr__mysql_column column = {
        .type = MYSQL_TYPE_LONGLONG, .flags = ZEROFILL_FLAG, .length = 255};
    ASSERT_TRUE(hr__mysql_binary_knows(&column));
    static const unsigned char bytes[8] = {7};
    struct hr__mysql_span in = {bytes, bytes + sizeof(bytes)};
    struct hr__mysql_binary binary;
    ASSERT_TRUE(hr__mysql_binary_read(&in, &column, &binary));
    char text[256];
    ASSERT_EQ(binary.room, sizeof(text));
    ASSERT_EQ(hr__mysql_binary_text(&binary, &column, text), 255);
    ASSERT_TRUE(text[0] == '0' && text[253] == '0' && strcmp(text + 254, "7") == 0);
    column.length = 256;
    ASSERT_FALSE(hr__mysql_binary_knows(&column));
    column.flags = 0;
    ASSERT_TRUE(hr__mysql_binary_knows(&column));
    column.type = MYSQL_TYPE_NULL;
    ASSERT_FALSE(hr__mysql_binary_knows(&column));
}
