/* SPDX-License-Identifier: MIT */
/*
 * The contract: which values each type takes, what a violation says, which types are refused.
 */
#include "tests/daemon/item/fixture.h"

#undef expect_check /* cmocka's has the same name and is not used here */
#include "daemon/item/expect.h"

#include <stdio.h>

static struct expect *contract(const char *const lines[][2], size_t n)
{
    struct expect *e = expect_new();
    assert_non_null(e);
    for (size_t i = 0; i < n; i++) {
        struct expect_error error;
        if (expect_add(e, lines[i][0], lines[i][1], &error) < 0)
            fail_msg("%s: %s: %s", lines[i][0], lines[i][1], error.message);
    }
    return e;
}

static bool takes(const char *type, const char *value)
{
    const char *const lines[][2] = {
        {"f", type}
    };
    hr_auto(expect_freep) struct expect *e = contract(lines, 1);
    char item[400];
    snprintf(item, sizeof item, "{\"f\":%s}", value);
    int r = expect_check(e, json(*value ? item : "{}"), &why);
    assert_true(r == 0 || r == -EBADMSG);
    return r == 0;
}

static void each_type_takes_its_values_and_no_others(void **state)
{
    static const struct {
        const char *type;
        const char *good[9], *bad[12];
    } cases[] = {
        {"string",                   {"\"\"", "\"x\""},                                     {"1", "null", "", "[]", "true"}                      },
        {"string(3)",
         {"\"\"", "\"abc\"", "\"\xc3\xa9\xc3\xa9\xf0\x9f\x98\x80\""},
         {"\"abcd\"", "null"}                                                                                                                    },
        {"string(1..36)",            {"\"a\""},                                             {"\"\"", "\"0123456789012345678901234567890123456\""}},
        {"string(2..)",              {"\"ab\"", "\"abcdefgh\""},                            {"\"a\""}                                            },
        {"string?",                  {"null", "", "\"x\""},                                 {"1"}                                                },
        {"int",
         {"0", "-1", "12e2", "1.0", "\"7\"", "\"-007\"", "123456789012345678901234567890"},
         {"1.5", "\"1.5\"", "\"\"", "\"x\"", "\" 7\"", "\"7 \"", "\"0x7\"", "true", "null",
          "1e-1"}                                                                                                                                },
        {"int(1..)",                 {"1", "99999999999999999999"},                         {"0", "-5", "\"0\""}                                 },
        {"int(1..9007199254740992)", {"9007199254740992"},                                  {"9007199254740993"}                                 },
        {"int(-5..-2)",              {"-5", "-2"},                                          {"-6", "-1"}                                         },
        {"int(..9)",                 {"9", "-99"},                                          {"10"}                                               },
        {"decimal(12,2)",
         {"1", "1.20", "1.23", "-9999999999.99", "\"0.5\"", "1.2300", "1e9"},
         {"1.239", "10000000000", "\"1,2\"", "1e10", "1e-3", "true", "\"\""}                                                                     },
        {"decimal( 3 , 3 )",         {"0.999", "0"},                                        {"1", "0.9999"}                                      },
        {"number",                   {"1", "1.5", "1e400"},                                 {"\"1\"", "true", "null"}                            },
        {"bool",                     {"true", "false"},                                     {"0", "\"true\"", "null"}                            },
        {"time(rfc3339)",
         {"\"2026-01-02T03:04:05Z\"", "\"2026-01-02T03:04:05.5+02:00\""},
         {"\"2026-01-02\"", "\"2026-02-30T00:00:00Z\"", "1700000000", "\"\""}                                                                    },
        {"time(unix)",               {"0", "1700000000.5"},                                 {"-1", "\"1700000000\"", "1e15"}                     },
        {"enum(new|paid)",           {"\"new\"", "\"paid\""},                               {"\"ne\"", "\"new|paid\"", "\"\"", "1"}              },
        {"enum(new)?",               {"\"new\"", "null", ""},                               {"\"old\""}                                          },
        {"object",                   {"{}"},                                                {"[]", "null"}                                       },
        {"array",                    {"[1]"},                                               {"{}", "\"[]\""}                                     },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        for (size_t j = 0; j < HR_ARRAY_LEN(cases[i].good) && cases[i].good[j]; j++) {
            if (!takes(cases[i].type, cases[i].good[j]))
                fail_msg("%s does not take %s: %s", cases[i].type, cases[i].good[j], why.message);
        }
        for (size_t j = 0; j < HR_ARRAY_LEN(cases[i].bad) && cases[i].bad[j]; j++) {
            if (takes(cases[i].type, cases[i].bad[j]))
                fail_msg("%s takes %s", cases[i].type, cases[i].bad[j]);
        }
    }
}

static void a_violation_names_field_rule_and_value(void **state)
{
    static const char *const lines[][2] = {
        {"uid", "string(1..3)"},
        {"a.b", "int"         },
        {"a.c", "bool?"       },
        {"x.y", "number?"     },
    };
    static const struct {
        const char *item, *message, *column, *value;
    } cases[] = {
        {"{\"uid\":\"x\",\"a\":{\"b\":1}}",                       NULL,                                              NULL,  NULL   },
        {"{\"uid\":\"x\",\"a\":{\"b\":1,\"more\":1},\"x\":null}", NULL,                                              NULL,  NULL   },
        {"{}",                                                    "uid must be string(1..3), but is missing",        "uid", ""     },
        {"{\"uid\":null}",                                        "uid must be string(1..3), but is null",           "uid", "null" },
        {"{\"uid\":\"long\"}",                                    "uid must be string(1..3), but has 4 characters",  "uid", "long" },
        {"{\"uid\":[1]}",                                         "uid must be string(1..3), but is array",          "uid", "[…]"},
        {"{\"uid\":\"x\"}",                                       "a.b must be int, but is missing",                 "a.b", ""     },
        {"{\"uid\":\"x\",\"a\":5}",                               "a.b must be int, but what it is in is no object", "a.b", "5"    },
        {"{\"uid\":\"x\",\"a\":{\"b\":1.7}}",                     "a.b must be int, but has a fraction",             "a.b", "1.7"  },
        {"{\"uid\":\"x\",\"a\":{\"b\":1},\"x\":[]}",
         "x.y must be number?, but what it is in is no object",                                                      "x.y", "[…]"},
        {"[1]",                                                   "the item must be an object, but is array",        "",    "[…]"},
    };
    hr_auto(expect_freep) struct expect *e = contract(lines, HR_ARRAY_LEN(lines));
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        int r = expect_check(e, json(cases[i].item), &why);
        assert_int_equal(r, cases[i].message ? -EBADMSG : 0);
        if (r == 0)
            continue;
        assert_string_equal(why.error_class, "expect");
        assert_string_equal(why.message, cases[i].message);
        assert_string_equal(why.column, cases[i].column);
        assert_string_equal(why.value, cases[i].value);
    }
}

static void other_fields_are_rejected_where_asked(void **state)
{
    static const char *const lines[][2] = {
        {"a.b", "int?"  },
        {"c",   "int?"  },
        {"*",   "reject"}
    };
    hr_auto(expect_freep) struct expect *e = contract(lines, HR_ARRAY_LEN(lines));
    assert_int_equal(expect_check(e, json("{\"a\":{\"z\":1},\"c\":1}"), &why), 0);
    assert_int_equal(expect_check(e, json("{\"a\":{},\"d\":\"secret\"}"), &why), -EBADMSG);
    assert_string_equal(why.message, "d is not among the fields of `expect`");
    assert_string_equal(why.column, "d");
}

static void wrong_types_are_refused_with_a_hint(void **state)
{
    static const struct {
        const char *type, *message;
    } cases[] = {
        {"strng",         "unknown type `strng`"            },
        {"",              "unknown type"                    },
        {"decimal",       "\"decimal(12,2)\""               },
        {"decimal(12)",   "\"decimal(12,2)\""               },
        {"decimal(2,3)",  "not more of them after the point"},
        {"decimal(66,2)", "1 to 65"                         },
        {"decimal(12",    "no `)`"                          },
        {"time",          "time(rfc3339)"                   },
        {"time(iso)",     "time(rfc3339)"                   },
        {"enum",          "enum(new|paid)"                  },
        {"enum(a||b)",    "empty word"                      },
        {"enum()",        "empty word"                      },
        {"string(5..1)",  "the wrong way round"             },
        {"string(-1..5)", "min..max"                        },
        {"string(..)",    "min..max"                        },
        {"string(a)",     "min..max"                        },
        {"int(5)",        "min..max"                        },
        {"int(1.5..2)",   "min..max"                        },
        {"bool(1)",       "nothing in parentheses"          },
        {"int??",         "unknown type"                    },
    };
    hr_auto(expect_freep) struct expect *e = expect_new();
    struct expect_error error;
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        if (expect_add(e, "f", cases[i].type, &error) != -EINVAL)
            fail_msg("%s is not refused", cases[i].type);
        if (!strstr(error.message, cases[i].message))
            fail_msg("%s: %s", cases[i].type, error.message);
    }
    assert_int_equal(expect_add(e, "a..b", "int", &error), -EINVAL);
    assert_int_equal(expect_add(e, "", "int", &error), -EINVAL);
    assert_int_equal(expect_add(e, "*", "int", &error), -EINVAL);
    assert_int_equal(expect_check(e, json("{}"), &why), 0);
}

static void a_contract_that_no_item_can_fulfil_is_refused(void **state)
{
    hr_auto(expect_freep) struct expect *e = expect_new();
    struct expect_error error;
    assert_int_equal(expect_add(e, "price", "int", &error), 0);
    assert_int_equal(expect_add(e, "prices.amount", "int", &error), 0);
    assert_int_equal(expect_add(e, "price.amount", "decimal(10,2)?", &error), -EINVAL);
    assert_non_null(strstr(error.message, "price is int, so there is no price.amount in it"));
    assert_int_equal(expect_add(e, "prices", "array?", &error), -EINVAL);
    assert_non_null(strstr(error.message, "prices is array?"));
    assert_int_equal(expect_add(e, "prices", "object?", &error), 0);
    assert_int_equal(expect_check(e, json("{\"price\":1,\"prices\":{\"amount\":2}}"), &why), 0);
}

int test_expect(void)
{
    const struct CMUnitTest tests[] = {
        ITEM_TEST(each_type_takes_its_values_and_no_others),
        ITEM_TEST(a_violation_names_field_rule_and_value),
        ITEM_TEST(a_contract_that_no_item_can_fulfil_is_refused),
        ITEM_TEST(other_fields_are_rejected_where_asked),
        ITEM_TEST(wrong_types_are_refused_with_a_hint),
    };
    return cmocka_run_group_tests_name("expect", tests, NULL, NULL);
}
