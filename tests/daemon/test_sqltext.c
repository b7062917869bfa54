/* SPDX-License-Identifier: MIT */
/*
 * The SQL text of a job: where a name is a parameter, and which INSERT can run in bulk.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/sqltext.h"

static void assert_becomes(const char *text, const char *want, size_t n_names)
{
    hr_auto(sqltext_done) struct sqltext sql = {0};
    struct sqltext_error err;
    assert_int_equal(sqltext_parse(text, &sql, &err), 0);
    assert_string_equal(sql.sql, want);
    assert_int_equal(sql.n_names, n_names);
    assert_null(sql.table);
    assert_null(sql.columns);
}

static void a_name_becomes_a_question_mark(void **state)
{
    assert_becomes("UPDATE t SET a = :a, b = :b_2 WHERE a = :a",
                   "UPDATE t SET a = ?, b = ? WHERE a = ?", 3);
    assert_becomes("DO :a;", "DO ?", 1);
    assert_becomes(" \n DO :größe ; -- over\n", " \n DO ?", 1);
    assert_becomes("SELECT @x := :a", "SELECT @x := ?", 1);
    assert_becomes("SELECT :a:b", "SELECT ??", 2);
}

static void strings_names_and_comments_are_left_alone(void **state)
{
    assert_becomes("DO ':a', \":b\", `:c`, :d", "DO ':a', \":b\", `:c`, ?", 1);
    assert_becomes("DO 'it''s :a', 'it\\'s :b', \"\\\":c\", :d",
                   "DO 'it''s :a', 'it\\'s :b', \"\\\":c\", ?", 1);
    assert_becomes("DO `a\\`, :b", "DO `a\\`, ?", 1);
    assert_becomes("DO 1 -- :a\n, 2 # :b\n, /* :c; ? {{ */ :d",
                   "DO 1 -- :a\n, 2 # :b\n, /* :c; ? {{ */ ?", 1);
    assert_becomes("DO 1--:a", "DO 1--?", 1);
    assert_becomes("DO '{{', '?', ';'", "DO '{{', '?', ';'", 0);
    assert_becomes("DO 12:30, ::, : a", "DO 12:30, ::, : a", 0);
}

static void a_parameter_knows_its_name_and_place(void **state)
{
    hr_auto(sqltext_done) struct sqltext sql = {0};
    struct sqltext_error err;
    assert_int_equal(sqltext_parse("DO ':', :one, :two", &sql, &err), 0);
    assert_int_equal(sql.n_names, 2);
    assert_string_equal(sql.names[0], "one");
    assert_string_equal(sql.names[1], "two");
    assert_int_equal(sql.offsets[0], 8);
    assert_int_equal(sql.offsets[1], 14);
}

static void assert_bulk(const char *text, const char *table, const char *want)
{
    hr_auto(sqltext_done) struct sqltext sql = {0};
    struct sqltext_error err;
    assert_int_equal(sqltext_parse(text, &sql, &err), 0);
    assert_non_null(sql.table);
    assert_string_equal(sql.table, table);
    assert_string_equal(sql.sql, want);
}

static void an_insert_of_parameters_runs_in_bulk(void **state)
{
    assert_bulk("INSERT INTO orders (uid, note) VALUES (:u, :n)", "`orders`",
                "INSERT INTO `orders` (`uid`, `note`) VALUES (?, ?)");
    assert_bulk("insert shop . `or``ders`(`a b`)/* one */value(:u) ; # end", "`shop`.`or``ders`",
                "INSERT INTO `shop`.`or``ders` (`a b`) VALUES (?)");
    assert_bulk("INSERT INTO t (a, b) VALUES (:x, :x)", "`t`",
                "INSERT INTO `t` (`a`, `b`) VALUES (?, ?)");

    hr_auto(sqltext_done) struct sqltext sql = {0};
    struct sqltext_error err;
    assert_int_equal(sqltext_parse("INSERT INTO t (`a``b`, c) VALUES (:x, :y)", &sql, &err), 0);
    assert_string_equal(sql.columns[0], "a`b");
    assert_string_equal(sql.columns[1], "c");
}

static void any_other_statement_runs_once_a_row(void **state)
{
    static const char *const texts[] = {
        "INSERT INTO t (a) VALUES (NOW())",
        "INSERT INTO t (a, b) VALUES (:a, 1)",
        "INSERT INTO t (a, b) VALUES (:a)",
        "INSERT INTO t (a) VALUES (:a, :b)",
        "INSERT INTO t (a) VALUES (:a), (:b)",
        "INSERT INTO t (a) VALUES (:a) ON DUPLICATE KEY UPDATE a = 1",
        "INSERT INTO t (a) VALUES (:a) RETURNING id",
        "INSERT INTO t (a) SELECT :a",
        "INSERT INTO t VALUES (:a)",
        "INSERT INTO t () VALUES ()",
        "INSERT INTO t (a,) VALUES (:a)",
        "INSERT INTO t.u.v (a) VALUES (:a)",
        "INSERT DELAYED t (a) VALUES (:a)",
        "INSERT INTO t (a) VALUES (-:a)",
        "INSERT INTO t (a) VALUES (:a",
        "INSERT INTO",
        "INSERT",
        "REPLACE INTO t (a) VALUES (:a)",
        "UPDATE t SET a = :a",
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++) {
        hr_auto(sqltext_done) struct sqltext sql = {0};
        struct sqltext_error err;
        assert_int_equal(sqltext_parse(texts[i], &sql, &err), 0);
        assert_null(sql.table);
    }
}

static void what_cannot_run_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text;
        size_t offset;
    } refused[] = {
        {"",                                                                      0 },
        {" -- nothing\n;",                                                        0 },
        {"DO {{ .a }}",                                                           3 },
        {"DO 1, ?",                                                               6 },
        {"DO 1; DO 2",                                                            4 },
        {"DO 1;;",                                                                4 },
        {"DO 'open",                                                              3 },
        {"DO 'open\\'",                                                           3 },
        {"DO `open",                                                              3 },
        {"DO 1 /* open",                                                          5 },
        {"DO 1 /*! , 2 */",                                                       5 },
        {"DO 1 /*M! , 2 */",                                                      5 },
        {"INSERT IGNORE INTO t (a) VALUES (:a)",                                  7 },
        {"INSERT LOW_PRIORITY ignore INTO t (a) VALUES (:a)",                     20},
        {"DO :aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg", 3 },
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(refused); i++) {
        hr_auto(sqltext_done) struct sqltext sql = {0};
        struct sqltext_error err = {0};
        assert_int_equal(sqltext_parse(refused[i].text, &sql, &err), -EINVAL);
        assert_int_equal(err.offset, refused[i].offset);
        assert_true(err.message[0]);
    }
}

static void bounds_hold(void **state)
{
    size_t size = 300 * 1024;
    hr_auto(hr_freep) char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'x', size);
    text[size - 1] = '\0';
    hr_auto(sqltext_done) struct sqltext sql = {0};
    struct sqltext_error err;
    assert_int_equal(sqltext_parse(text, &sql, &err), -EINVAL);

    for (size_t i = 0; i < 5000; i++)
        memcpy(text + 3 * i, ":a ", 4);
    assert_int_equal(sqltext_parse(text, &sql, &err), -EINVAL);
    text[3 * 4096] = '\0';
    assert_int_equal(sqltext_parse(text, &sql, &err), 0);
    assert_int_equal(sql.n_names, 4096);
}

static void an_insert_is_written_from_names(void **state)
{
    static const char *const columns[] = {"a", "b`c"};
    hr_auto(hr_freep) char *sql = NULL;
    hr_auto(hr_freep) char *table = NULL;
    assert_int_equal(sqltext_insert("shop.orders", columns, 2, true, &sql, &table), 0);
    assert_string_equal(table, "`shop`.`orders`");
    assert_string_equal(sql, "INSERT INTO `shop`.`orders` (`a`, `b``c`) VALUES (?, ?) ON DUPLICATE "
                             "KEY UPDATE `a` = VALUES(`a`), `b``c` = VALUES(`b``c`)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_becomes_a_question_mark),
        cmocka_unit_test(strings_names_and_comments_are_left_alone),
        cmocka_unit_test(a_parameter_knows_its_name_and_place),
        cmocka_unit_test(an_insert_of_parameters_runs_in_bulk),
        cmocka_unit_test(any_other_statement_runs_once_a_row),
        cmocka_unit_test(what_cannot_run_is_refused_with_its_place),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(an_insert_is_written_from_names),
    };
    return cmocka_run_group_tests_name("sqltext", tests, NULL, NULL);
}
