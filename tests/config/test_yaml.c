/* SPDX-License-Identifier: MIT */
/*
 * Files as trees: places, aliases, merging, bounds, and text that is no YAML.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/config/fixture.h"

static const struct hr_conf_node *down(const struct hr_conf_node *node, const char *first,
                                       const char *second)
{
    node = hr_conf_get(node, first);
    return second ? hr_conf_get(node, second) : node;
}

static void a_node_knows_its_place_and_path(void **state)
{
    hr_auto(fixture_done) struct fixture f = {0};
    assert_int_equal(fixture_read(&f, "a: 1\nb:\n  list:\n    - x: y\n"), 0);
    const struct hr_conf_node *list = down(f.root, "b", "list");
    const struct hr_conf_node *x = hr_conf_get(list->items[0], "x");
    char path[64];
    assert_string_equal(hr_conf_path(x, path, sizeof(path)), "b.list[0].x");
    assert_int_equal(x->line, 4);
    assert_int_equal(x->column, 10);
    assert_int_equal(x->key_column, 7);
    assert_string_equal(x->text, "y");
    assert_string_equal(hr_conf_path(f.root, path, sizeof(path)), "");
}

static void a_path_that_is_too_long_is_cut(void **state)
{
    hr_auto(fixture_done) struct fixture f = {0};
    assert_int_equal(fixture_read(&f, "abcdef: {ghi: [1]}\n"), 0);
    char path[9];
    const struct hr_conf_node *list = down(f.root, "abcdef", "ghi");
    assert_string_equal(hr_conf_path(list->items[0], path, sizeof(path)), "abcdef.g");
}

static void columns_count_characters(void **state)
{
    hr_auto(fixture_done) struct fixture f = {0};
    assert_int_equal(fixture_read(&f, "{ü: größe, b: c}\n"), 0);
    assert_int_equal(hr_conf_get(f.root, "b")->column, 15);
}

/* Where byte `offset` of the value of key a stands. */
static void assert_located(const char *text, const char *needle, unsigned line, unsigned column)
{
    hr_auto(fixture_done) struct fixture f = {0};
    assert_int_equal(fixture_read(&f, text), 0);
    const struct hr_conf_node *a = hr_conf_get(f.root, "a");
    const char *at = strstr(a->text, needle);
    assert_non_null(at);
    unsigned is_line, is_column;
    hr_conf_locate(a, (size_t)(at - a->text), &is_line, &is_column);
    assert_int_equal(is_line, line);
    assert_int_equal(is_column, column);
}

static void a_byte_of_a_value_is_found_in_the_file(void **state)
{
    assert_located("a: plain X\n", "X", 1, 10);
    assert_located("a: 'it''s X'\n", "X", 1, 11);
    assert_located("a: \"ü \\u00fc \\n X\"\n", "X", 1, 17);
    assert_located("a: |\n  first\n\n   second X\n", "X", 4, 11);
    assert_located("b: 1\na: |-   # why\n    one\n    zwölf X", "X", 4, 11);
    assert_located("a: >\n  folded\n  X\n", "X", 1, 4);
    assert_located("a: \"one\n  two X\"\n", "X", 1, 4);
    assert_located("a: one\r\nb: 1\r\n", "e", 1, 6);
}

static void an_empty_file_is_an_empty_map(void **state)
{
    static const char *const texts[] = {"", "# only a comment\n", "---\n", "\xef\xbb\xbf"};
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++) {
        hr_auto(fixture_done) struct fixture f = {0};
        assert_int_equal(fixture_read(&f, texts[i]), 0);
        assert_int_equal(f.root->kind, HR_CONF_MAP);
        assert_int_equal(f.root->n, 0);
    }
}

static void an_alias_is_a_copy_of_its_anchor(void **state)
{
    hr_auto(fixture_done) struct fixture f = {0};
    assert_int_equal(fixture_read(&f, "a: &x {b: [1, 2]}\nc: *x\n"), 0);
    const struct hr_conf_node *list = down(f.root, "c", "b");
    assert_int_equal(list->n, 2);
    assert_string_equal(list->items[1]->text, "2");
    char path[32];
    assert_string_equal(hr_conf_path(list->items[1], path, sizeof(path)), "c.b[1]");
    assert_int_equal(f.diags.errors, 0);
}

static void aliases_of_aliases_run_into_the_bound(void **state)
{
    hr_auto(fixture_done) struct fixture f = {0};
    char text[2048];
    size_t len = (size_t)snprintf(text, sizeof(text), "a0: &a0 [x]\n");
    for (int i = 1; i < 20; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "a%d: &a%d [*a%d, *a%d, *a%d]\n", i,
                                i, i - 1, i - 1, i - 1);
    }
    assert_int_equal(fixture_read(&f, text), -EINVAL);
    assert_non_null(strstr(fixture_said(&f), "more than 100000 values"));
}

static void assert_refused(const char *text, const char *said)
{
    hr_auto(fixture_done) struct fixture f = {0};
    fixture_read(&f, text);
    assert_string_equal(fixture_said(&f), said);
    assert_int_equal(f.diags.errors, 1);
}

static void aliases_do_not_nest_deeper_than_the_bound(void **state)
{
    assert_refused("a: &a [[[[[[[[[[x]]]]]]]]]]\n"
                   "b: &b [[[[[[[[[[*a]]]]]]]]]]\n"
                   "c: [[[[[[[[[[[*b]]]]]]]]]]]\n",
                   "t.yaml:3:15: error: nested more than 32 levels deep\n");
    hr_auto(fixture_done) struct fixture f = {0};
    assert_int_equal(fixture_read(&f, "a: &a [[[[[[[[[[x]]]]]]]]]]\n"
                                      "b: &b [[[[[[[[[[*a]]]]]]]]]]\n"
                                      "c: [[[[[[[[[*b, *b], *a]]]]]]]]\n"
                                      "d: [[[[[[[[[[*b]]]]]]]]]]\n"),
                     0);
}

static void merging_replaces_all_but_maps(void **state)
{
    hr_auto(fixture_done) struct fixture f = {0};
    assert_int_equal(fixture_read(&f, "under: {m: {a: 1, b: 2}, l: [1, 2], s: x}\n"
                                      "over: {m: {b: 3, c: 4}, l: [5], t: y}\n"),
                     0);
    const struct hr_conf_node *over = hr_conf_get(f.root, "over");
    const struct hr_conf_node *map =
        hr_conf_merge(&f.conf, hr_conf_get(f.root, "under"), over, HR_CONF_PLACE_OVER);
    assert_string_equal(down(map, "m", "a")->text, "1");
    assert_string_equal(down(map, "m", "b")->text, "3");
    assert_string_equal(down(map, "m", "c")->text, "4");
    assert_int_equal(hr_conf_get(map, "l")->n, 1);
    assert_string_equal(hr_conf_get(map, "s")->text, "x");
    assert_string_equal(hr_conf_get(map, "t")->text, "y");
    assert_int_equal(map->line, over->line);

    char path[32]; /* each entry still names where it was written */
    assert_string_equal(hr_conf_path(down(map, "m", "a"), path, sizeof(path)), "under.m.a");
    assert_string_equal(hr_conf_path(down(map, "m", "b"), path, sizeof(path)), "over.m.b");
}

static void a_value_is_shown_short_and_on_one_line(void **state)
{
    hr_auto(fixture_done) struct fixture f = {0};
    assert_int_equal(fixture_read(&f, "a: \"one\\ntwo\"\nb: aaaaaaaaaaaaüüüüüüüüüüüü\n"), 0);
    char quoted[24];
    assert_string_equal(hr_conf_quote(hr_conf_get(f.root, "a"), quoted, sizeof(quoted)),
                        "\"one two\"");
    assert_string_equal(hr_conf_quote(hr_conf_get(f.root, "b"), quoted, sizeof(quoted)),
                        "\"aaaaaaaaaaaaüüü…\"");
}

static void what_is_no_yaml_is_explained(void **state)
{
    assert_refused(
        "x: {a: .tags[1]}\n",
        "t.yaml:1:13: error: inside { } and [ ] an expression with brackets needs quotes "
        "({a: \".tags[1]\"})\n");
    assert_refused(
        "x: {a: decimal(12,2), b: 1}\n",
        "t.yaml:1:8: error: x.a: \"decimal(12\" is cut at the comma (inside { } and [ ] a "
        "value with a comma needs quotes, as in \"decimal(12,2)\")\n");
    assert_refused(
        "a: [decimal(12,2)]\n",
        "t.yaml:1:5: error: a[0]: \"decimal(12\" is cut at the comma (inside { } and [ ] "
        "a value with a comma needs quotes, as in \"decimal(12,2)\")\n");
    assert_refused("x: {url: ${X}}\n", "t.yaml:1:11: error: inside { } and [ ] a value with ${…} "
                                       "needs quotes (\"${NAME}\")\n");
    assert_refused("a: 1\na: 2\n", "t.yaml:2:1: error: a: is given twice (first in line 1)\n");
    assert_refused("a: *b\n", "t.yaml:1:4: error: a: no anchor &b stands before this alias in this "
                              "file (a value that begins with * needs quotes)\n");
    assert_refused("a: &x {b: *x}\n",
                   "t.yaml:1:11: error: a.b: no anchor &x stands before this alias in this file (a "
                   "value that begins with * needs quotes)\n");
    assert_refused("a: \"x\\0y\"\n", "t.yaml:1:4: error: a: holds a NUL character\n");
    assert_refused("ü: 1\na: ü\xff\n", "t.yaml:2:5: error: this is not UTF-8 text\n");
    assert_refused("a: [1\n", "t.yaml:1:4: error: this [ is not closed\n");
    assert_refused("a: 1\n---\nb: 2\n",
                   "t.yaml:2:1: error: a second document begins here (one a file)\n");
}

static void bounds_hold(void **state)
{
    char text[8192];
    memset(text, '[', 40);
    text[40] = '\0';
    assert_refused(text, "t.yaml:1:33: error: nested more than 32 levels deep\n");

    hr_auto(fixture_done) struct fixture f = {0};
    size_t size = 5000 * 8, len = 0;
    hr_auto(hr_freep) char *many = malloc(size);
    assert_non_null(many);
    for (int i = 0; i < 5000; i++)
        len += (size_t)snprintf(many + len, size - len, "k%d:\n", i);
    assert_int_equal(fixture_read_bytes(&f, many, len), -EINVAL);
    assert_non_null(strstr(fixture_said(&f), "a map with more than 4096 keys"));
}

static void a_file_that_cannot_be_read_is_one_mistake(void **state)
{
    hr_auto(fixture_done) struct fixture f = {0};
    f.conf.mem = hr_conf_mem_new();
    f.conf.diags = &f.diags;
    struct hr_conf_node *root;
    assert_int_equal(hr_conf_read(&f.conf, "/nowhere/x.yaml", &root), -EINVAL);
    assert_int_equal(hr_conf_read(&f.conf, "/", &root), -EINVAL);
    assert_int_equal(hr_conf_read(&f.conf, "/dev/zero", &root), -EINVAL);
    assert_string_equal(fixture_said(&f),
                        "/nowhere/x.yaml: error: cannot be read: No such file or directory\n"
                        "/: error: cannot be read: Is a directory\n"
                        "/dev/zero: error: cannot be read: it has more than 1 MiB\n");
    assert_int_equal(hr_conf_result(&f.conf), -EINVAL);
}

int test_yaml(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_knows_its_place_and_path),
        cmocka_unit_test(a_path_that_is_too_long_is_cut),
        cmocka_unit_test(columns_count_characters),
        cmocka_unit_test(a_byte_of_a_value_is_found_in_the_file),
        cmocka_unit_test(an_empty_file_is_an_empty_map),
        cmocka_unit_test(an_alias_is_a_copy_of_its_anchor),
        cmocka_unit_test(aliases_of_aliases_run_into_the_bound),
        cmocka_unit_test(aliases_do_not_nest_deeper_than_the_bound),
        cmocka_unit_test(merging_replaces_all_but_maps),
        cmocka_unit_test(a_value_is_shown_short_and_on_one_line),
        cmocka_unit_test(what_is_no_yaml_is_explained),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(a_file_that_cannot_be_read_is_one_mistake),
    };
    return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
