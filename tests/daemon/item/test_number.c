/* SPDX-License-Identifier: MIT */
/*
 * Decimal numbers as digits: what is one, order, counts, conversions.
 */
#include "tests/daemon/item/fixture.h"

#include "daemon/item/number.h"

static struct number number(const char *text)
{
    struct number n = {0};
    if (!number_parse(text, strlen(text), &n))
        fail_msg("%s is a number", text);
    return n;
}

static void other_texts_are_no_numbers(void **state)
{
    static const char *const texts[] = {"",    "-",     "+1",  "1.",  ".5",   "1e",  "1e+",
                                        "e5",  "1.e2",  " 1",  "1 ",  "0x10", "1,5", "--1",
                                        "NaN", "1e5.0", "inf", "1e-", "1.2.3"};
    struct number n;
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++)
        assert_false(number_parse(texts[i], strlen(texts[i]), &n));
    assert_false(number_parse("1\0002", 3, &n));
}

static void digits_are_counted_without_needless_zeros(void **state)
{
    static const struct {
        const char *text;
        unsigned whole, decimals;
        const char *written;
    } cases[] = {
        {"0",              0, 0, "0"     },
        {"-0.00",          0, 0, "0"     },
        {"7",              1, 0, "7"     },
        {"1200",           4, 0, "1200"  },
        {"-12.50",         2, 1, "-12.5" },
        {"0.05",           0, 2, "0.05"  },
        {"1e3",            4, 0, "1000"  },
        {"12.5e1",         3, 0, "125"   },
        {"12.5e-3",        0, 4, "0.0125"},
        {"00123.40",       3, 1, "123.4" },
        {"0.001e2",        0, 1, "0.1"   },
        {"100e-2",         1, 0, "1"     },
        {"10.01",          2, 2, "10.01" },
        {"120.0e-1",       2, 0, "12"    },
        {"0e999999999999", 0, 0, "0"     },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        struct number n = number(cases[i].text);
        char text[64];
        text[number_write(&n, text)] = 0;
        assert_int_equal(number_whole_digits(&n), cases[i].whole);
        assert_int_equal(number_decimals(&n), cases[i].decimals);
        assert_string_equal(text, cases[i].written);
    }
    struct number huge = number("1e99999999999999999999"), tiny = number("1e-99999999999999999999");
    assert_int_equal(number_whole_digits(&huge), INT32_MAX);
    assert_int_equal(number_decimals(&tiny), INT32_MAX);
}

static void numbers_are_compared_exactly(void **state)
{
    static const char *const ascending[] = {
        "-1e400",
        "-9007199254740993",
        "-9007199254740992",
        "-1.5",
        "-1",
        "-0.001",
        "0",
        "1e-400",
        "0.1",
        "0.10000000000000000001",
        "1",
        "1.5",
        "9",
        "10",
        "9007199254740992",
        "9007199254740993",
        "1e400",
        "1.1e400",
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(ascending); i++) {
        for (size_t j = 0; j < HR_ARRAY_LEN(ascending); j++) {
            struct number x = number(ascending[i]), y = number(ascending[j]);
            int order = number_compare(&x, &y);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
    static const char *const equal[] = {"100", "1e2", "100.00", "0.1e3", "1000e-1", "0100"};
    for (size_t i = 0; i < HR_ARRAY_LEN(equal); i++) {
        struct number x = number(equal[0]), y = number(equal[i]);
        assert_int_equal(number_compare(&x, &y), 0);
    }
}

static void integers_convert_up_to_their_bounds(void **state)
{
    struct number n;
    int64_t i = 1;
    uint64_t u = 1;
    n = number("-9223372036854775808");
    assert_true(number_to_int64(&n, &i) && i == INT64_MIN);
    n = number("9223372036854775807.0");
    assert_true(number_to_int64(&n, &i) && i == INT64_MAX);
    n = number("18446744073709551615");
    assert_true(number_to_uint64(&n, &u) && u == UINT64_MAX);
    assert_false(number_to_int64(&n, &i));
    n = number("0");
    assert_true(number_to_int64(&n, &i) && i == 0);
    static const char *const none[] = {"18446744073709551616",
                                       "-9223372036854775809",
                                       "1.5",
                                       "1e20",
                                       "99999999999999999999",
                                       "1e-1"};
    for (size_t k = 0; k < HR_ARRAY_LEN(none); k++) {
        n = number(none[k]);
        assert_false(number_to_int64(&n, &i));
        assert_false(number_to_uint64(&n, &u));
    }
    n = number("-1");
    assert_false(number_to_uint64(&n, &u));
}

int test_number(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_texts_are_no_numbers),
        cmocka_unit_test(digits_are_counted_without_needless_zeros),
        cmocka_unit_test(numbers_are_compared_exactly),
        cmocka_unit_test(integers_convert_up_to_their_bounds),
    };
    return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
