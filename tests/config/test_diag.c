/* SPDX-License-Identifier: MIT */
/*
 * The list of mistakes: order, bound, no repetition; and guesses at what was meant.
 */
#include <string.h>

#include "config/suggest.h"
#include "tests/config/fixture.h"

static void add(struct fixture *f, const char *file, unsigned line, const char *text)
{
    hr_conf_diags_add(&f->diags, HR_CONF_ERROR, file, line, 1, "", "%s", text);
}

static void files_stay_together_and_lines_in_order(void **state)
{
    hr_auto(fixture_done) struct fixture f = {0};
    add(&f, "b", 7, "1");
    add(&f, "a", 3, "2");
    add(&f, "b", 2, "3");
    add(&f, "a", 9, "4");
    add(&f, "b", 2, "5");
    hr_conf_diags_sort(&f.diags);
    assert_string_equal(fixture_said(&f), "b:2:1: error: 3\nb:2:1: error: 5\nb:7:1: error: 1\n"
                                          "a:3:1: error: 2\na:9:1: error: 4\n");
}

static void the_same_mistake_is_listed_once(void **state)
{
    hr_auto(fixture_done) struct fixture f = {0};
    add(&f, "a", 1, "x");
    add(&f, "a", 1, "x");
    assert_int_equal(f.diags.n, 1);
    assert_int_equal(f.diags.errors, 1);
}

static void beyond_the_bound_mistakes_are_counted(void **state)
{
    hr_auto(fixture_done) struct fixture f = {0};
    for (unsigned i = 0; i < HR_CONF_DIAGS_MAX + 5; i++)
        add(&f, "a", i + 1, "x");
    assert_int_equal(f.diags.n, HR_CONF_DIAGS_MAX);
    assert_int_equal(f.diags.errors, HR_CONF_DIAGS_MAX + 5);
    assert_non_null(strstr(fixture_said(&f), "a:100:1: error: x\n… and 5 more\n"));
}

static void a_misspelt_word_finds_its_neighbour(void **state)
{
    static const char *const words[] = {"servers",     "limits", "shutdown",
                                        "max_payload", "key",    "to"};
    size_t n = HR_ARRAY_LEN(words), stride = sizeof(words[0]);
    assert_string_equal(hr_conf_suggest("severs", words, n, stride), "servers");
    assert_string_equal(hr_conf_suggest("sevrers", words, n, stride), "servers");
    assert_string_equal(hr_conf_suggest("limit", words, n, stride), "limits");
    assert_string_equal(hr_conf_suggest("maxPayload", words, n, stride), "max_payload");
    assert_string_equal(hr_conf_suggest("max-payload", words, n, stride), "max_payload");
    assert_string_equal(hr_conf_suggest("kye", words, n, stride), "key");
    assert_null(hr_conf_suggest("banana", words, n, stride));
    assert_null(hr_conf_suggest("zz", words, n, stride));
    assert_null(hr_conf_suggest("severs", words, 0, stride));
    assert_null(hr_conf_suggest("servers_servers_servers_servers_servers_servers_servers", words, n,
                                stride));
}

int test_diag(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_stay_together_and_lines_in_order),
        cmocka_unit_test(the_same_mistake_is_listed_once),
        cmocka_unit_test(beyond_the_bound_mistakes_are_counted),
        cmocka_unit_test(a_misspelt_word_finds_its_neighbour),
    };
    return cmocka_run_group_tests_name("diag", tests, NULL, NULL);
}
