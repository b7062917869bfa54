/* SPDX-License-Identifier: MIT */
/*
 * Expressions: results that matter, errors in jq's words, and what is refused by name.
 */
#include "tests/daemon/item/fixture.h"

#include <stdio.h>

static void programs_give_jqs_results(void **state)
{
    static const struct {
        const char *program, *item, *result;
    } cases[] = {
        {".id",                                        "{\"id\":9007199254740993}",          "9007199254740993"            },
        {".a.b[0]",                                    "{\"a\":{\"b\":[1.10]}}",             "1.10"                        },
        {".a.b[-1]",                                   "{\"a\":{\"b\":[1,2]}}",              "2"                           },
        {".[\"odd key\"]",                             "{\"odd key\":1}",                    "1"                           },
        {".a.b.c",                                     "{}",                                 "null"                        },
        {". # all of it",                              "[1]",                                "[1]"                         },
        {".test == true",                              "{\"test\":true}",                    "true"                        },
        {".a // \"none\"",                             "{\"a\":false}",                      "\"none\""                    },
        {".a = .b // 3",                               "{\"b\":1}",                          "{\"b\":1,\"a\":1}"           },
        {".a = (.b // 3)",                             "{}",                                 "{\"a\":3}"                   },
        {".a.b = 1 | del(.c)",                         "{\"c\":2}",                          "{\"a\":{\"b\":1}}"           },
        {"[.a, (.b | not)]",                           "{\"a\":1}",                          "[1,true]"                    },
        {"[.a | .b]",                                  "{\"a\":{\"b\":1}}",                  "[1]"                         },
        {"{id: .order.id, \"k\", n: .n|not, (.k): 1}", "{\"order\":{\"id\":7},\"k\":\"x\"}",
         "{\"id\":7,\"k\":\"x\",\"n\":true,\"x\":1}"                                                                       },
        {".n > 9007199254740992",                      "{\"n\":9007199254740993}",           "true"                        },
        {"1 == 1.0 and 100 == 1e2",                    "null",                               "true"                        },
        {"$job.id",                                    "null",                               "\"b:1\""                     },
        {"{j: $job.attempt, m: $meta.list, $meta}",    "null",
         "{\"j\":2,\"m\":\"q\",\"meta\":{\"list\":\"q\"}}"                                                                 },
        {"\"\\u0000\\ud83d\\ude00\\/\"",               "null",                               "\"\\u0000\xf0\x9f\x98\x80/\""},
        {".a or .b.c.d",                               "{\"a\":1,\"b\":{\"c\":5}}",          "true"                        },
        {"del(.)",                                     "1",                                  "null"                        },
        {".[3] = 1",                                   "[0]",                                "[0,null,null,1]"             },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++)
        assert_string_equal(run(cases[i].program, cases[i].item), cases[i].result);
}

static void errors_have_jqs_meaning_and_name_the_place(void **state)
{
    assert_string_equal(run(".a.b", "{\"a\":5}"), "Cannot index number with \"b\"");
    assert_string_equal(why.error_class, "expression");
    assert_string_equal(why.column, "b");
    assert_string_equal(run(".a // .a.b", "{\"a\":false}"), "Cannot index boolean with \"b\"");
    assert_string_equal(run(".[0]", "{}"), "Cannot index object with number");
    assert_string_equal(run(".[-2] = 1", "[0]"), "Out of bounds negative array index");
    assert_string_equal(run("{(.k): 1}", "{\"k\":1}"), "Cannot use number as object key");
    assert_string_equal(run("del(.a.b)", "{\"a\":\"x\"}"), "Cannot index string with \"b\"");
}

static void refused(const char *program, size_t offset, const char *message)
{
    struct expr *e = NULL;
    struct expr_error error = {0};
    if (expr_compile(program, &e, &error) != -EINVAL)
        fail_msg("%s is not refused", program);
    assert_null(e);
    if (error.offset != offset || !strstr(error.message, message))
        fail_msg("%s: at %zu: %s", program, error.offset, error.message);
}

static void what_is_beyond_us_is_refused_by_name(void **state)
{
    static const struct {
        const char *program;
        size_t offset;
        const char *name;
    } cases[] = {
        {".amount|tonumber",        8, "`tonumber`"},
        {".amount|tonumber*100",    8, "`tonumber`"},
        {".a + 1",                  3, "`+`"       },
        {".a - 1",                  3, "`-`"       },
        {"-.a",                     0, "`-`"       },
        {".a * 2",                  3, "`*`"       },
        {".a / 2",                  3, "`/`"       },
        {".a % 2",                  3, "`%`"       },
        {".a, .b",                  2, "`,`"       },
        {"[.a | .b, .c]",           8, "`,`"       },
        {"..",                      0, "`..`"      },
        {".a?",                     2, "`?`"       },
        {".a |= 1",                 3, "`|=`"      },
        {".a += 1",                 3, "`+=`"      },
        {".a //= 1",                3, "`//=`"     },
        {". as $x | $x",            2, "`as`"      },
        {"if .a then 1 else 2 end", 0, "`if`"      },
        {"reduce .[] as $x (0; 1)", 0, "`reduce`"  },
        {"try .a",                  0, "`try`"     },
        {"def f: 1; f",             0, "`def`"     },
        {"@base64",                 0, "`@base64`" },
        {"{@base64 \"x\": 1}",      1, "`@base64`" },
        {"\"a\\(.b)\"",             2, "`\\(…)`" },
        {".[]",                     2, "`.[]`"     },
        {"length",                  0, "`length`"  },
        {"lib::f",                  0, "`lib::f`"  },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        refused(cases[i].program, cases[i].offset, cases[i].name);
        refused(cases[i].program, cases[i].offset,
                " is jq that does not run here (there are paths, ");
        refused(cases[i].program, cases[i].offset, "compute it before the push, or in the SQL");
    }
    refused(".a[1:2]", 4, "a slice is jq that does not run here");
    refused(".[.a]", 2, "an index that is no literal is jq that");
    refused("del(.a // .b)", 4, "is jq that does not run here");
    refused("(.a // .b) = 1", 11, "is jq that does not run here");
    refused("$job.id = 1", 8, "is jq that does not run here");
}

static void a_bare_name_may_lack_its_dot(void **state)
{
    refused("kwh", 0, "; a field is `.kwh`");
    refused(".a == kwh", 6, "; a field is `.kwh`");
    static const char *const others[] = {"if .a then 1 else 2 end", "ltrimstr (\"x\")", "lib::f",
                                         ".a | length"};
    for (size_t i = 0; i < HR_ARRAY_LEN(others); i++) {
        struct expr *e = NULL;
        struct expr_error error = {0};
        assert_int_equal(expr_compile(others[i], &e, &error), -EINVAL);
        assert_null(strstr(error.message, "a field is"));
    }
}

static void what_is_wrong_is_refused_at_its_place(void **state)
{
    refused("", 0, "the program ends where a value is missing");
    refused(".a |", 4, "the program ends where a value is missing");
    refused("(.a", 3, "the program ends where `)` is missing");
    refused(".a .b)", 5, "unexpected `)`");
    refused("1 == 1 == 1", 7, "do not chain");
    refused(".a = 1 = 2", 7, "do not chain");
    refused("{a: .b // 1}", 7, "needs parentheses");
    refused("{a: 1,}", 6, "unexpected `}`");
    refused("{and}", 4, "unexpected `}`");
    refused("[1,]", 3, "unexpected `]`");
    refused("[.a, .b | not]", 8, "needs parentheses");
    refused("$jop.id", 0, "$jop is not known");
    refused("$job.atempt", 4, "$job has");
    refused("\"abc", 0, "no end");
    refused("\"\\x\"", 1, "no escape");
    refused("\"\\ud800\"", 1, "half a character");
    refused("\"\\u12g4\"", 1, "hexadecimal");
    refused(".[1.5]", 2, "whole number");
    refused(".[99999999999]", 2, "whole number");
    refused(".a.[0]", 3, "unexpected `[`");
    refused(".a ~ 1", 3, "unexpected character");
    refused("1.a", 2, "unexpected `a`");
    refused(".a\xff", 0, "UTF-8");
}

static void programs_nest_within_bounds(void **state)
{
    char program[4096];
    memset(program, '(', 1000);
    strcpy(program + 1000, ".");
    refused(program, 128, "nested deeper than 128 levels");
    memset(program, '[', 1000);
    refused(program, 128, "nested deeper than 128 levels");
    for (size_t i = 0; i < 500; i++)
        memcpy(program + 5 * i, "not |", 5);
    strcpy(program + 2500, ".");
    struct expr *e = NULL;
    struct expr_error error;
    assert_int_equal(expr_compile(program, &e, &error), -EINVAL);
    assert_non_null(strstr(error.message, "nested deeper"));
}

static void plain_paths_and_variables_are_known(void **state)
{
    static const struct {
        const char *program;
        bool path, job, meta;
    } cases[] = {
        {".",               true,  false, false},
        {".a.b[0][\"c\"]",  true,  false, false},
        {"(.a | .b)",       true,  false, false},
        {".a // 1",         false, false, false},
        {"$job.id",         false, true,  false},
        {"{a: $meta.list}", false, false, true },
        {"{a: 1}.a",        false, false, false},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        hr_auto(expr_freep) struct expr *e = NULL;
        struct expr_error error;
        assert_int_equal(expr_compile(cases[i].program, &e, &error), 0);
        assert_int_equal(expr_is_path(e), cases[i].path);
        assert_int_equal(expr_uses_job(e), cases[i].job);
        assert_int_equal(expr_uses_meta(e), cases[i].meta);
        const struct json_value *v;
        assert_int_equal(expr_eval(e, arena, json_null(), NULL, &v, &why), 0);
    }
}

static void what_can_only_be_true_is_known(void **state)
{
    static const struct {
        const char *program;
        bool always;
    } cases[] = {
        {".a = 1",       true },
        {".a = .b // 1", true },
        {"del(.a)",      true },
        {"{}",           true },
        {".a | [.]",     true },
        {"[.] | .[0]",   false},
        {". = .a",       false},
        {".a // .b",     false},
        {".a == {}",     false},
        {".a and {}",    false},
        {"true",         false},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        hr_auto(expr_freep) struct expr *e = NULL;
        struct expr_error error;
        assert_int_equal(expr_compile(cases[i].program, &e, &error), 0);
        assert_int_equal(expr_is_always_true(e), cases[i].always);
        assert_string_equal(expr_text(e), cases[i].program);
        expr_make_secret(e);
        assert_null(expr_text(e));
    }
}

int test_expr(void)
{
    const struct CMUnitTest tests[] = {
        ITEM_TEST(programs_give_jqs_results),
        ITEM_TEST(errors_have_jqs_meaning_and_name_the_place),
        ITEM_TEST(what_is_beyond_us_is_refused_by_name),
        ITEM_TEST(a_bare_name_may_lack_its_dot),
        ITEM_TEST(what_is_wrong_is_refused_at_its_place),
        ITEM_TEST(programs_nest_within_bounds),
        ITEM_TEST(plain_paths_and_variables_are_known),
        ITEM_TEST(what_can_only_be_true_is_known),
    };
    return cmocka_run_group_tests_name("expr", tests, NULL, NULL);
}
