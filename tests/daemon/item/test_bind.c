/* SPDX-License-Identifier: MIT */
/*
 * Binding: what each kind of column takes exactly, and the errno of what it does not.
 */
#include "tests/daemon/item/fixture.h"

#include "daemon/item/bind.h"

#include <inttypes.h>
#include <stdio.h>

/* What the value is bound to, as text: i:…, u:…, t:…, b:…, null, or the errno. */
static const char *bind(const struct column *column, enum bind_as as, const char *value)
{
    static char out[400];
    struct bound b;
    int r = bind_value(column, as, *value ? json(value) : NULL, arena, &b, &why);
    if (r < 0) {
        assert_int_equal(r, -EBADMSG);
        assert_string_equal(why.error_class, "row");
        assert_string_equal(why.column, column->name);
        snprintf(out, sizeof out, "%d", why.code);
    } else if (b.is_null) {
        return "null";
    } else if (b.kind == BOUND_INT64) {
        snprintf(out, sizeof out, "i:%" PRId64, b.i);
    } else if (b.kind == BOUND_UINT64) {
        snprintf(out, sizeof out, "u:%" PRIu64, b.u);
    } else {
        snprintf(out, sizeof out, "%c:%.*s", b.kind == BOUND_TEXT ? 't' : 'b', (int)b.len, b.text);
    }
    return out;
}

struct expectation {
    const char *value, *bound;
};

static void check(const struct column *column, enum bind_as as, const struct expectation *e,
                  size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *is = bind(column, as, e[i].value);
        if (strcmp(is, e[i].bound) != 0)
            fail_msg("%s: %s is bound to %s, not %s", column->name, e[i].value, is, e[i].bound);
    }
}

#define CHECK(column, as, ...)                                                                     \
    do {                                                                                           \
        static const struct expectation list[] = {__VA_ARGS__};                                    \
        check(&column, as, list, HR_ARRAY_LEN(list));                                              \
    } while (0)

static void an_unknown_column_takes_everything_as_it_is(void **state)
{
    static const struct column c = {.name = "p"};
    CHECK(c, BIND_AUTO, {"\"text\"", "t:text"}, {"9007199254740993", "t:9007199254740993"},
          {"1.10", "t:1.10"}, {"1E5", "t:1E5"}, {"true", "t:1"}, {"false", "t:0"}, {"null", "null"},
          {"", "null"}, {"[1, 2]", "t:[1,2]"}, {"{\"a\": 1.0}", "t:{\"a\":1.0}"}, {"\"\"", "t:"});
    CHECK(c, BIND_TEXT, {"5", "t:5"}, {"true", "t:1"});
    CHECK(c, BIND_INT, {"5", "t:5"}, {"\"-7\"", "t:-7"}, {"true", "t:1"}, {"1.7", "1265"},
          {"1e3", "t:1000"}, {"2.0", "t:2"}, {"\"x\"", "1366"}, {"[]", "1366"}, {"1e9999", "1264"},
          {"null", "null"});
    CHECK(c, BIND_DECIMAL, {"1.50", "t:1.5"}, {"1.5", "t:1.5"}, {"\"12.25\"", "t:12.25"},
          {"1.5e-3", "t:0.0015"}, {"\"1,5\"", "1366"});
    CHECK(c, BIND_JSON, {"\"a\\\"b\"", "t:\"a\\\"b\""}, {"5", "t:5"}, {"true", "t:true"},
          {"{}", "t:{}"}, {"null", "null"});
    CHECK(c, BIND_BYTES, {"\"ab\"", "b:ab"});
}

static void integers_fit_their_width_or_are_out_of_range(void **state)
{
    static const struct column tiny = {.name = "t", .kind = COLUMN_INT, .width = 1};
    static const struct column medium = {
        .name = "m", .kind = COLUMN_INT, .width = 3, .is_unsigned = true};
    static const struct column big = {.name = "b", .kind = COLUMN_INT, .width = 8};
    static const struct column huge = {
        .name = "h", .kind = COLUMN_INT, .width = 8, .is_unsigned = true};
    CHECK(tiny, BIND_AUTO, {"127", "i:127"}, {"-128", "i:-128"}, {"128", "1264"}, {"-129", "1264"},
          {"true", "i:1"}, {"false", "i:0"}, {"1.7", "1265"}, {"1.0", "i:1"}, {"1e2", "i:100"},
          {"\"12\"", "i:12"}, {"\"\"", "1366"}, {"\"12x\"", "1366"}, {"\" 12\"", "1366"},
          {"{}", "1366"}, {"1e-2", "1265"}, {"-0", "i:0"});
    CHECK(medium, BIND_AUTO, {"16777215", "u:16777215"}, {"16777216", "1264"}, {"-1", "1264"});
    CHECK(big, BIND_AUTO, {"9007199254740993", "i:9007199254740993"},
          {"9223372036854775807", "i:9223372036854775807"},
          {"-9223372036854775808", "i:-9223372036854775808"}, {"9223372036854775808", "1264"},
          {"1e30", "1264"});
    CHECK(huge, BIND_AUTO, {"18446744073709551615", "u:18446744073709551615"},
          {"18446744073709551616", "1264"});
    CHECK(big, BIND_TEXT, {"5", "i:5"}, {"\"x\"", "1366"});
    CHECK(big, BIND_INT, {"5", "i:5"});
}

static void other_number_columns_take_what_they_can_hold(void **state)
{
    static const struct column money = {
        .name = "d", .kind = COLUMN_DECIMAL, .precision = 10, .scale = 2};
    static const struct column positive = {
        .name = "p", .kind = COLUMN_DECIMAL, .precision = 3, .scale = 0, .is_unsigned = true};
    static const struct column single = {.name = "f", .kind = COLUMN_FLOAT};
    static const struct column twice = {.name = "g", .kind = COLUMN_DOUBLE};
    static const struct column bits = {.name = "b", .kind = COLUMN_BIT, .width = 5};
    static const struct column year = {.name = "y", .kind = COLUMN_YEAR};
    CHECK(money, BIND_AUTO, {"1.23", "t:1.23"}, {"1.239", "1265"}, {"1.2300", "t:1.23"},
          {"99999999.99", "t:99999999.99"}, {"100000000", "1264"}, {"\"0.50\"", "t:0.5"},
          {"1e3", "t:1000"}, {"1e-3", "1265"}, {"\"a\"", "1366"}, {"true", "t:1"},
          {"-0.01", "t:-0.01"}, {"1e999999999999", "1264"});
    CHECK(positive, BIND_AUTO, {"999", "t:999"}, {"-1", "1264"}, {"0.5", "1265"});
    CHECK(single, BIND_AUTO, {"3.4e38", "t:3.4e38"}, {"3.5e38", "1264"}, {"-1e39", "1264"},
          {"0.1", "t:0.1"}, {"\"x\"", "1366"});
    CHECK(twice, BIND_AUTO, {"1.7e308", "t:1.7e308"}, {"-1.8e308", "1264"}, {"1e309", "1264"},
          {"9007199254740993", "t:9007199254740993"});
    CHECK(bits, BIND_AUTO, {"31", "u:31"}, {"32", "1406"}, {"true", "u:1"}, {"-1", "1406"});
    CHECK(year, BIND_AUTO, {"2026", "i:2026"}, {"0", "i:0"}, {"70", "1264"}, {"2156", "1264"});
}

static void lengths_count_characters_for_text_and_bytes_for_binary(void **state)
{
    static const struct column text = {
        .name = "c", .kind = COLUMN_CHAR, .max_chars = 3, .max_bytes = 12};
    static const struct column blob = {.name = "b", .kind = COLUMN_BINARY, .max_bytes = 3};
    static const struct column doc = {.name = "j", .kind = COLUMN_JSON};
    CHECK(text, BIND_AUTO, {"\"abc\"", "t:abc"},
          {"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "t:\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
          {"\"abcd\"", "1406"}, {"123", "t:123"}, {"1234", "1406"}, {"true", "t:1"},
          {"[1]", "t:[1]"}, {"[1,2]", "1406"});
    CHECK(blob, BIND_AUTO, {"\"abc\"", "b:abc"}, {"\"\xc3\xa9\xc3\xa9\"", "1406"});
    CHECK(doc, BIND_AUTO, {"\"a\"", "t:\"a\""}, {"{\"a\": [1.0]}", "t:{\"a\":[1.0]}"},
          {"true", "t:true"});
    CHECK(doc, BIND_TEXT, {"\"[1]\"", "t:[1]"});
    struct bound b;
    assert_int_equal(bind_value(&text, BIND_AUTO, json("\"\\u0000\""), arena, &b, &why), 0);
    assert_int_equal(b.len, 1);
    assert_int_equal(b.text[0], 0);
}

static void null_is_for_columns_that_take_it(void **state)
{
    static const struct column strict = {
        .name = "c", .kind = COLUMN_INT, .width = 4, .not_null = true, .has_default = true};
    static const struct column automatic = {
        .name = "id", .kind = COLUMN_INT, .width = 4, .not_null = true, .null_fills_in = true};
    CHECK(strict, BIND_AUTO, {"null", "1048"}, {"", "1048"}, {"1", "i:1"});
    CHECK(automatic, BIND_AUTO, {"null", "null"});
}

static void a_misfit_shows_the_value(void **state)
{
    static const struct column c = {.name = "note", .kind = COLUMN_CHAR, .max_chars = 3};
    (void)bind(&c, BIND_AUTO,
               "\"\xc3\xbc"
               "ber\"");
    assert_string_equal(why.message, "Data too long for column 'note'");
    assert_string_equal(why.value, "\xc3\xbc"
                                   "ber");
    (void)bind(&c, BIND_AUTO, "[\"secret\"]");
    assert_string_equal(why.value, "[…]");
}

static void strings_and_digits_are_bound_where_they_lie(void **state)
{
    static const struct column c = {.name = "c", .kind = COLUMN_CHAR};
    const struct json_value *v = json("\"text\"");
    struct bound b;
    size_t len;
    assert_int_equal(bind_value(&c, BIND_AUTO, v, arena, &b, &why), 0);
    assert_ptr_equal(b.text, json_text(v, &len));
}

int test_bind(void)
{
    const struct CMUnitTest tests[] = {
        ITEM_TEST(an_unknown_column_takes_everything_as_it_is),
        ITEM_TEST(integers_fit_their_width_or_are_out_of_range),
        ITEM_TEST(other_number_columns_take_what_they_can_hold),
        ITEM_TEST(lengths_count_characters_for_text_and_bytes_for_binary),
        ITEM_TEST(null_is_for_columns_that_take_it),
        ITEM_TEST(a_misfit_shows_the_value),
        ITEM_TEST(strings_and_digits_are_bound_where_they_lie),
    };
    return cmocka_run_group_tests_name("bind", tests, NULL, NULL);
}
