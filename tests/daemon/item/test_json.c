/* SPDX-License-Identifier: MIT */
/*
 * JSON: what is read and how it is written again, what is refused and at which byte, jq's order.
 */
#include "tests/daemon/item/fixture.h"

#include <stdio.h>

static void values_are_written_as_they_came(void **state)
{
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "9007199254740993",
        "1.10",
        "1E400",
        "-0.1e-7",
        "123456789012345678901234567890.123456789",
        "\"\"",
        "\"\\u0000\"",
        "\"\\\"\\\\\\n\\t\"",
        "\"\xc3\xa9\xf0\x9f\x98\x80\"",
        "[]",
        "{}",
        "[1,[2,{\"a\":null}]]",
        "{\"b\":1,\"a\":{\"\":[true,false]}}",
        "{\"a\\u0000\":1,\"a\":2}",
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++)
        assert_string_equal(written(json(texts[i])), texts[i]);
    assert_string_equal(written(json(" { \"a\" : [ 1 , 2 ] } \n")), "{\"a\":[1,2]}");
    assert_string_equal(written(json("\"\\u00e9\\ud83d\\ude00\\/\"")),
                        "\"\xc3\xa9\xf0\x9f\x98\x80/\"");
}

static void of_equal_keys_the_last_counts(void **state)
{
    assert_string_equal(written(json("{\"a\":1,\"b\":2,\"a\":{\"x\":1,\"x\":2}}")),
                        "{\"a\":{\"x\":2},\"b\":2}");
    assert_string_equal(written(json("[{\"k\":[1,2],\"k\":[],\"k\":3},{\"k\":1}]")),
                        "[{\"k\":3},{\"k\":1}]");
    assert_string_equal(written(json("{\"a\":1,\"\\u0061\":2}")), "{\"a\":2}");

    char text[20000];
    size_t n = 0;
    text[n++] = '{';
    for (int i = 0; i < 1000; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "\"k%d\":%d,", i % 500, i);
    text[n - 1] = '}';
    text[n] = 0;
    const struct json_value *v = json(text);
    assert_int_equal(json_count(v), 500);
    assert_string_equal(written(json_get(v, "k0", 2)), "500");
}

static void refused(const char *bytes, size_t len, const char *message)
{
    const struct json_value *v;
    assert_int_equal(json_parse(arena, bytes, len, &v, &why), -EBADMSG);
    assert_string_equal(why.error_class, "decode");
    if (!strstr(why.message, message))
        fail_msg("\"%s\" does not say \"%s\"", why.message, message);
}

#define REFUSED(literal, message) refused(literal, sizeof(literal) - 1, message)

static void what_is_not_json_is_refused_with_its_place(void **state)
{
    REFUSED("", "empty");
    REFUSED(" \n\t", "empty");
    REFUSED("\xef\xbb\xbf{}", "byte order mark");
    REFUSED("{\"a\":1", "ends too early, at byte 6");
    REFUSED("\"abc", "ends too early, at byte 4");
    REFUSED("{} x", "at byte 3");
    REFUSED("{}{}", "at byte 2");
    REFUSED("hello", "at byte 0");
    REFUSED("{\"a\":01}", "at byte ");
    REFUSED("[1,]", "at byte ");
    REFUSED("{\"a\":1,}", "at byte ");
    REFUSED("{'a':1}", "at byte 1");
    REFUSED("[NaN]", "at byte 1");
    REFUSED("[Infinity]", "at byte 1");
    REFUSED("[+1]", "at byte 1");
    REFUSED("[1 /* two */]", "at byte 3");
    REFUSED("{\"a\":1}\0", "NUL byte at byte 7");
    REFUSED("{\0\"a\":1}", "NUL byte at byte 1");
    REFUSED("\"a\0b\"", "NUL byte at byte 2");
    REFUSED("\"a\nb\"", "at byte 2");
    REFUSED("\"\xff\"", "at byte 1");
    REFUSED("[\"ok\",\"\xc3\"]", "at byte 7");
    REFUSED("\"\xed\xa0\x80\"", "at byte 1");
    REFUSED("\"\xc0\xaf\"", "at byte 1");
    REFUSED("\"\\ud800\"", "at byte ");
    REFUSED("\"\\ud800\\u0041\"", "at byte ");
    REFUSED("\"\\x41\"", "at byte ");
}

static void the_nesting_is_bounded(void **state)
{
    static char text[100000];
    for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = 0;
        if (depth == JSON_DEPTH_MAX) {
            const struct json_value *v = json(text);
            int order;
            assert_string_equal(written(v), text);
            assert_int_equal(json_compare(arena, v, v, &order), 0);
            assert_int_equal(order, 0);
        } else {
            refused(text, 2 * (size_t)depth, "nested deeper than 256 levels, at byte 256");
        }
    }
    memset(text, '[', 50000);
    memset(text + 50000, ']', 50000);
    refused(text, sizeof text, "nested deeper than 256 levels");

    /* Many, but side by side; and brackets in strings are none. */
    size_t n = 0;
    text[n++] = '[';
    for (int i = 0; i < 1000; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s{\"[[\":[]}", i ? "," : "");
    text[n++] = ']';
    text[n] = 0;
    assert_int_equal(json_count(json(text)), 1000);
}

static void members_and_elements_are_found(void **state)
{
    const struct json_value *v = json("{\"a\":[1,\"two\",{}],\"\":null}");
    const struct json_value *a = json_get(v, "a", 1), *key, *value;
    assert_int_equal(json_count(a), 3);
    assert_string_equal(written(json_at(a, 1)), "\"two\"");
    assert_null(json_at(a, 3));
    assert_null(json_at(v, 0));
    assert_null(json_get(a, "a", 1));
    assert_null(json_get(v, "b", 1));
    assert_int_equal(json_type(json_get(v, "", 0)), JSON_NULL);
    struct json_iter i = json_iter(v);
    assert_true(json_next(&i, &key, &value));
    assert_string_equal(written(key), "\"a\"");
    assert_true(json_next(&i, &key, &value));
    assert_false(json_next(&i, &key, &value));
    i = json_iter(json_at(a, 0));
    assert_false(json_next(&i, &key, &value));
    size_t len;
    assert_null(json_text(a, &len));
    assert_int_equal(len, 0);
}

static void values_have_jqs_order(void **state)
{
    static const char *const ascending[] = {
        "null",
        "false",
        "true",
        "-5",
        "0",
        "9007199254740992",
        "9007199254740993",
        "\"\"",
        "\"\\u0000\"",
        "\"A\"",
        "\"AB\"",
        "\"a\"",
        "\"\xc3\xa9\"",
        "[]",
        "[null]",
        "[0]",
        "[0,1]",
        "[1]",
        "{}",
        "{\"a\":1}",
        "{\"a\":2}",
        "{\"a\":0,\"b\":0}",
        "{\"b\":0}",
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(ascending); i++) {
        for (size_t j = 0; j < HR_ARRAY_LEN(ascending); j++) {
            int order;
            assert_int_equal(json_compare(arena, json(ascending[i]), json(ascending[j]), &order),
                             0);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
    int order;
    assert_int_equal(
        json_compare(arena, json("{\"a\":1,\"b\":[2.0]}"), json("{\"b\":[2],\"a\":1e0}"), &order),
        0);
    assert_int_equal(order, 0);
}

static void bytes_that_are_no_text_cannot_be_written(void **state)
{
    const struct json_value *v;
    assert_int_equal(json_string(arena, "a\xff", 2, &v), 0);
    const char *text;
    size_t len;
    assert_int_equal(json_write(arena, v, &text, &len, &why), -EBADMSG);
    assert_string_equal(why.error_class, "decode");
}

static void an_excerpt_is_text_and_fits(void **state)
{
    struct failure f;
    failure_set(&f, "row", 1406, "%s", "Data too long");
    failure_set_value(&f, "a\0b\xff\xc3\xa9", 6);
    assert_string_equal(f.value, "a\\0b\xef\xbf\xbd\xc3\xa9");
    char long_text[1000];
    for (size_t i = 0; i < sizeof long_text; i += 2)
        memcpy(long_text + i, "\xc3\xa9", 2);
    for (size_t start = 0; start < 2; start++) {
        failure_set_value(&f, long_text + start, sizeof long_text - start);
        assert_true(strlen(f.value) < sizeof f.value);
        assert_true(strlen(f.value) > sizeof f.value - 6);
        assert_true(text_is_utf8(f.value, strlen(f.value)));
        assert_non_null(strstr(f.value, "…"));
    }
    failure_set_value(&f, long_text, FAILURE_VALUE_MAX - 2);
    assert_null(strstr(f.value, "…"));
    failure_set(&f, "row", 1, "%s%0300d", "x", 1);
    assert_true(strlen(f.message) < sizeof f.message);
    assert_non_null(strstr(f.message, "…"));
}

int test_json(void)
{
    const struct CMUnitTest tests[] = {
        ITEM_TEST(values_are_written_as_they_came),
        ITEM_TEST(of_equal_keys_the_last_counts),
        ITEM_TEST(what_is_not_json_is_refused_with_its_place),
        ITEM_TEST(the_nesting_is_bounded),
        ITEM_TEST(members_and_elements_are_found),
        ITEM_TEST(values_have_jqs_order),
        ITEM_TEST(bytes_that_are_no_text_cannot_be_written),
        ITEM_TEST(an_excerpt_is_text_and_fits),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
