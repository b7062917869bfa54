/* SPDX-License-Identifier: MIT */
/*
 * Moments: RFC 3339, SQL and seconds to UTC, over the whole calendar.
 */
#include "tests/daemon/item/fixture.h"

#include "daemon/item/moment.h"

#include <stdio.h>
#include <time.h>

static const char *utc(const char *text)
{
    static char out[MOMENT_MAX];
    struct moment m;
    if (!moment_parse_rfc3339(text, strlen(text), &m))
        return "none";
    moment_write(&m, (unsigned)(m.n_fraction < 6 ? m.n_fraction : 6), out);
    return out;
}

static void offsets_are_taken_off(void **state)
{
    assert_string_equal(utc("2026-01-02T03:04:05Z"), "2026-01-02 03:04:05");
    assert_string_equal(utc("2026-01-02t03:04:05.250z"), "2026-01-02 03:04:05.25");
    assert_string_equal(utc("2026-01-01 00:30:00+01:00"), "2025-12-31 23:30:00");
    assert_string_equal(utc("2024-02-28T23:30:00-00:45"), "2024-02-29 00:15:00");
    assert_string_equal(utc("2023-02-28T23:30:00-00:45"), "2023-03-01 00:15:00");
    assert_string_equal(utc("2000-02-29T12:00:00+14:00"), "2000-02-28 22:00:00");
    assert_string_equal(utc("9999-12-31T23:59:59.999999Z"), "9999-12-31 23:59:59.999999");
    assert_string_equal(utc("0001-01-01T00:00:00Z"), "0001-01-01 00:00:00");
}

static void what_is_no_moment_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-13-02T03:04:05Z",
        "2026-00-02T03:04:05Z",
        "2026-02-29T03:04:05Z",
        "1900-02-29T03:04:05Z",
        "2026-04-31T03:04:05Z",
        "2026-01-00T03:04:05Z",
        "0000-01-01T00:00:00Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:60:05Z",
        "2026-01-02T23:59:60Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05+1:00",
        "2026-01-02T03:04:05+0100",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05Z ",
        "26-01-02T03:04:05Z",
        "2026-1-2T03:04:05Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "2026-01-02X03:04:05Z",
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++)
        assert_string_equal(utc(texts[i]), "none");
}

static void every_day_is_the_calendars(void **state)
{
    for (int64_t day = -719162; day <= 2932896; day += 1) {
        time_t t = (time_t)(day * 86400 + 86399);
        struct tm tm;
        char want[MOMENT_MAX], is[MOMENT_MAX];
        struct moment m = {.seconds = t}, back;
        size_t n = moment_write(&m, 0, is);
        assert_true(moment_parse_sql(is, n, &back));
        assert_true(back.seconds == m.seconds);
        if (day % 97 == 0) {
            assert_non_null(gmtime_r(&t, &tm));
            snprintf(want, sizeof want, "%04u-%02u-%02u %02u:%02u:%02u",
                     (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
                     (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100,
                     (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
            assert_string_equal(is, want);
        }
    }
}

static const char *from_number(const char *text)
{
    static char out[MOMENT_MAX];
    struct number n;
    struct moment m;
    if (!number_parse(text, strlen(text), &n) || !moment_from_number(&n, &m))
        return "none";
    moment_write(&m, (unsigned)(m.n_fraction < 6 ? m.n_fraction : 6), out);
    return out;
}

static void seconds_are_moments_with_their_fraction(void **state)
{
    assert_string_equal(from_number("0"), "1970-01-01 00:00:00");
    assert_string_equal(from_number("1700000000"), "2023-11-14 22:13:20");
    assert_string_equal(from_number("1700000000.250"), "2023-11-14 22:13:20.25");
    assert_string_equal(from_number("0.05"), "1970-01-01 00:00:00.05");
    assert_string_equal(from_number("10.5"), "1970-01-01 00:00:10.5");
    assert_string_equal(from_number("1.7e9"), "2023-11-14 22:13:20");
    assert_string_equal(from_number("253402300799"), "9999-12-31 23:59:59");
    assert_string_equal(from_number("253402300800"), "none");
    assert_string_equal(from_number("20260102030405"), "none");
    assert_string_equal(from_number("-1"), "none");
    assert_string_equal(from_number("15e-1"), "none");
}

static void milliseconds_go_there_and_back(void **state)
{
    static const int64_t times[] = {1, 999, 1000, 1763698207123, 253402300799999};
    for (size_t i = 0; i < HR_ARRAY_LEN(times); i++) {
        char text[MOMENT_MAX];
        int64_t back = 0;
        moment_write_ms(times[i], text);
        assert_true(moment_parse_ms(text, strlen(text), &back));
        assert_true(back == times[i]);
    }
    char text[MOMENT_MAX];
    moment_write_ms(1763698207123, text);
    assert_string_equal(text, "2025-11-21T04:10:07.123Z");
    moment_write_ms(INT64_MAX, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
}

int test_moment(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_are_taken_off),
        cmocka_unit_test(what_is_no_moment_is_refused),
        cmocka_unit_test(every_day_is_the_calendars),
        cmocka_unit_test(seconds_are_moments_with_their_fraction),
        cmocka_unit_test(milliseconds_go_there_and_back),
    };
    return cmocka_run_group_tests_name("moment", tests, NULL, NULL);
}
