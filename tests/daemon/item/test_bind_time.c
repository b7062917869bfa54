/* SPDX-License-Identifier: MIT */
/*
 * Binding of dates and times: to UTC, within the column's range and precision, or 1292 and 1265.
 */
#include "tests/daemon/item/fixture.h"

#include "daemon/item/bind.h"

#include <stdio.h>

static const char *bind(const struct column *column, enum bind_as as, const char *value)
{
    static char out[100];
    struct bound b;
    if (bind_value(column, as, json(value), arena, &b, &why) < 0)
        snprintf(out, sizeof out, "%d", why.code);
    else
        snprintf(out, sizeof out, "%.*s", (int)b.len, b.text);
    return out;
}

static void moments_become_utc_as_fine_as_the_column(void **state)
{
    static const struct column coarse = {.name = "t", .kind = COLUMN_DATETIME};
    static const struct column fine = {.name = "t", .kind = COLUMN_DATETIME, .fsp = 3};
    static const struct {
        const struct column *column;
        const char *value, *bound;
    } cases[] = {
        {&coarse, "\"2026-01-01T00:30:00+01:00\"",  "2025-12-31 23:30:00"    },
        {&coarse, "\"2026-01-01T00:30:00.000Z\"",   "2026-01-01 00:30:00"    },
        {&coarse, "\"2026-01-01T00:30:00.5Z\"",     "1292"                   },
        {&fine,   "\"2026-01-01T00:30:00.5Z\"",     "2026-01-01 00:30:00.5"  },
        {&fine,   "\"2026-01-01T00:30:00.12300Z\"", "2026-01-01 00:30:00.123"},
        {&fine,   "\"2026-01-01T00:30:00.1234Z\"",  "1292"                   },
        {&coarse, "\"2026-01-02 03:04:05\"",        "2026-01-02 03:04:05"    },
        {&coarse, "\"2026-01-02\"",                 "2026-01-02 00:00:00"    },
        {&coarse, "1700000000",                     "2023-11-14 22:13:20"    },
        {&fine,   "1700000000.25",                  "2023-11-14 22:13:20.25" },
        {&coarse, "1700000000.25",                  "1292"                   },
        {&coarse, "\"2026-02-30T00:00:00Z\"",       "1292"                   },
        {&coarse, "\"yesterday\"",                  "1292"                   },
        {&coarse, "\"0000-00-00 00:00:00\"",        "1292"                   },
        {&coarse, "\"\"",                           "1292"                   },
        {&coarse, "true",                           "1292"                   },
        {&coarse, "{}",                             "1292"                   },
        {&coarse, "-1",                             "1292"                   },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        assert_string_equal(bind(cases[i].column, BIND_AUTO, cases[i].value), cases[i].bound);
        assert_string_equal(bind(cases[i].column, BIND_TIME, cases[i].value), cases[i].bound);
    }
}

static void a_date_keeps_no_time_of_day(void **state)
{
    static const struct column c = {.name = "d", .kind = COLUMN_DATE};
    assert_string_equal(bind(&c, BIND_AUTO, "\"2024-02-29\""), "2024-02-29");
    assert_string_equal(bind(&c, BIND_AUTO, "\"2024-02-29T00:00:00Z\""), "2024-02-29");
    assert_string_equal(bind(&c, BIND_AUTO, "\"2024-02-29T00:00:00+02:00\""), "1265");
    assert_string_equal(bind(&c, BIND_AUTO, "\"2024-02-29 00:00:00.1\""), "1265");
    assert_string_equal(bind(&c, BIND_AUTO, "\"2023-02-29\""), "1292");
}

static void a_timestamp_has_a_range(void **state)
{
    static const struct column c = {.name = "t", .kind = COLUMN_TIMESTAMP};
    assert_string_equal(bind(&c, BIND_AUTO, "1"), "1970-01-01 00:00:01");
    assert_string_equal(bind(&c, BIND_AUTO, "0"), "1292");
    assert_string_equal(bind(&c, BIND_AUTO, "\"1969-12-31T23:59:59Z\""), "1292");
    assert_string_equal(bind(&c, BIND_AUTO, "\"2107-01-01T00:00:00Z\""), "1292");
}

static void a_time_is_hours_minutes_seconds(void **state)
{
    static const struct column c = {.name = "t", .kind = COLUMN_TIME, .fsp = 1};
    static const char *const good[] = {"03:04:05", "-838:59:59", "0:00:00", "23:59:59.5"};
    static const char *const bad[] = {"839:00:00", "03:60:05", "03:04",       "x",        "",
                                      "03:04:05.", "3:4:5",    "03:04:05.25", "03:04:05Z"};
    char value[40];
    for (size_t i = 0; i < HR_ARRAY_LEN(good); i++) {
        snprintf(value, sizeof value, "\"%s\"", good[i]);
        assert_string_equal(bind(&c, BIND_AUTO, value), good[i]);
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(bad); i++) {
        snprintf(value, sizeof value, "\"%s\"", bad[i]);
        assert_string_equal(bind(&c, BIND_AUTO, value), "1292");
    }
    assert_string_equal(bind(&c, BIND_AUTO, "\"03:04:05.50\""), "03:04:05.50");
}

static void as_time_works_without_a_known_column(void **state)
{
    static const struct column unknown = {.name = "p"};
    static const struct column number = {.name = "n", .kind = COLUMN_INT, .width = 8};
    assert_string_equal(bind(&unknown, BIND_TIME, "\"2026-01-01T00:30:00.25+01:00\""),
                        "2025-12-31 23:30:00.25");
    assert_string_equal(bind(&unknown, BIND_TIME, "\"2026-01-01T00:00:00.1234567Z\""), "1292");
    assert_string_equal(bind(&unknown, BIND_AUTO, "\"2026-01-01T00:30:00+01:00\""),
                        "2026-01-01T00:30:00+01:00");
    assert_string_equal(bind(&number, BIND_TIME, "1700000000"), "1366");
}

int test_bind_time(void)
{
    const struct CMUnitTest tests[] = {
        ITEM_TEST(moments_become_utc_as_fine_as_the_column),
        ITEM_TEST(a_date_keeps_no_time_of_day),
        ITEM_TEST(a_timestamp_has_a_range),
        ITEM_TEST(a_time_is_hours_minutes_seconds),
        ITEM_TEST(as_time_works_without_a_known_column),
    };
    return cmocka_run_group_tests_name("bind: times", tests, NULL, NULL);
}
