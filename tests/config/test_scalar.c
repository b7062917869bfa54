/* SPDX-License-Identifier: MIT */
/*
 * Scalars: what is a span, a size, a count, and what is not.
 */
#include "config/scalar.h"
#include "tests/config/fixture.h"

static void a_span_is_a_number_and_a_unit(void **state)
{
    static const struct {
        const char *text;
        hr_usec span;
    } spans[] = {
        {"0ms",  0            },
        {"7us",  7            },
        {"50ms", 50000        },
        {"30s",  30000000     },
        {"5m",   300000000    },
        {"24h",  86400000000  },
        {"14d",  1209600000000},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(spans); i++) {
        hr_usec span = -1;
        assert_null(hr__conf_scan_span(spans[i].text, &span));
        assert_int_equal(span, spans[i].span);
    }
}

static void no_other_text_is_a_span(void **state)
{
    static const char *const texts[] = {
        "",     "s",          "30",    "0",    "-1s", "+1s",  " 1s",
        "1 s",  "1.5s",       "1h30m", "010s", "1S",  "1sec", "99999999999999999999s",
        "1e3s", "200000000d",
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++) {
        hr_usec span = -1;
        assert_non_null(hr__conf_scan_span(texts[i], &span));
        assert_int_equal(span, -1);
    }
}

static void a_size_is_a_number_and_a_binary_unit(void **state)
{
    int64_t size;
    assert_null(hr__conf_scan_size("512B", &size));
    assert_int_equal(size, 512);
    assert_null(hr__conf_scan_size("256KiB", &size));
    assert_int_equal(size, 256 * 1024);
    assert_null(hr__conf_scan_size("2TiB", &size));
    assert_int_equal(size, (int64_t)2 << 40);
    static const char *const texts[] = {"", "1", "1K", "1KB", "1kib", "1M", "1.5MiB", "8388608TiB"};
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++)
        assert_non_null(hr__conf_scan_size(texts[i], &size));
}

static void a_count_is_digits(void **state)
{
    int64_t n;
    assert_null(hr__conf_scan_count("0", &n));
    assert_int_equal(n, 0);
    assert_null(hr__conf_scan_count("9223372036854775807", &n));
    assert_int_equal(n, INT64_MAX);
    static const char *const texts[] = {"",    "-1", "1.0",   "1e3",
                                        "0x1", "01", "1_000", "9223372036854775808"};
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++)
        assert_non_null(hr__conf_scan_count(texts[i], &n));
}

static void a_factor_may_have_decimals(void **state)
{
    double factor;
    assert_null(hr__conf_scan_factor("2", &factor));
    assert_true(factor == 2.0);
    assert_null(hr__conf_scan_factor("1.25", &factor));
    assert_true(factor == 1.25);
    static const char *const texts[] = {"", ".5", "1.", "1,5", "nan", "inf", "1e3", "-1"};
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++)
        assert_non_null(hr__conf_scan_factor(texts[i], &factor));
}

static void only_true_and_false_are_booleans(void **state)
{
    bool value = false;
    assert_null(hr__conf_scan_bool("true", &value));
    assert_true(value);
    assert_null(hr__conf_scan_bool("false", &value));
    assert_false(value);
    static const char *const texts[] = {"yes", "no", "on", "off", "True", "1", "y", ""};
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++)
        assert_non_null(hr__conf_scan_bool(texts[i], &value));
    assert_string_equal(hr__conf_scan_bool("on", &value), "write true");
    assert_string_equal(hr__conf_scan_bool("No", &value), "write false");
}

int test_scalar(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_is_a_number_and_a_unit),
        cmocka_unit_test(no_other_text_is_a_span),
        cmocka_unit_test(a_size_is_a_number_and_a_binary_unit),
        cmocka_unit_test(a_count_is_digits),
        cmocka_unit_test(a_factor_may_have_decimals),
        cmocka_unit_test(only_true_and_false_are_booleans),
    };
    return cmocka_run_group_tests_name("scalar", tests, NULL, NULL);
}
