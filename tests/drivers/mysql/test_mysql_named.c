/* SPDX-License-Identifier: MIT */
/*
 * Values by name: where a name stands and where it only seems to.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/mysql/named.h"
#include "tests/drivers/mysql/mysql_test.h"

TEST_PLAIN(names_are_rewritten_where_they_are_names)
{
    const struct {
        const char *sql, *becomes;
        int order[4];
        size_t n;
    } cases[] = {
        {":a",                                      "?",                                {1},          1},
        {"SELECT :b, :a,:b+:a",                     "SELECT ?, ?,?+?",                  {2, 1, 2, 1}, 4},
        {"x = ':b' AND y = :a AND \":b\" = `:b`:b",
         "x = ':b' AND y = ? AND \":b\" = `:b`?",                                       {1, 2},
         2                                                                                             },
        {"'it''s :b' \"\\\":b\" :a :b",             "'it''s :b' \"\\\":b\" ? ?",        {1, 2},       2},
        {"a::a :b@x :a /* :a */ -- :b\n # :b",      "a::a ?@x ? /* :a */ -- :b\n # :b", {2, 1},       2},
        {"SET @v := :a, @w:=:b",                    "SET @v := ?, @w:=?",               {1, 2},       2},
        {"12:30 :b: a :a1",                         NULL,                               {0},          0},
        {"TIME '12:30:a' > :a AND 1 - -:b",         "TIME '12:30:a' > ? AND 1 - -?",    {1, 2},       2},
        {"::b :a :b",                               "::b ? ?",                          {1, 2},       2},
        {":b :a 'open :a",                          "? ? 'open :a",                     {2, 1},       2},
        {":b :a /* open :a",                        "? ? /* open :a",                   {2, 1},       2},
        {"`\\` = :a - :b",                          "`\\` = ? - ?",                     {1, 2},       2},
        {":a--:b",                                  "?--?",                             {1, 2},       2},
    };
    const struct hr_mysql_arg both[] = {hr_named("a", hr_i(1)), hr_named("b", hr_i(2))};
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        hr_auto(hr_freep) char *sql = NULL;
        struct hr_mysql_args args = {NULL, 0};
        struct hr_mysql_args given = {both, i == 0 ? 1 : 2};
        int r = hr__mysql_named(cases[i].sql, given, &sql, &args);
        if (!cases[i].becomes) {
            ASSERT_ERR(r, -EINVAL);
            ASSERT_STR(hr_last_error()->message, "the statement asks for :a1, which has no value");
            continue;
        }
        ASSERT_ERR(r, 0);
        ASSERT_STR(sql, cases[i].becomes);
        ASSERT_EQ(args.count, cases[i].n);
        for (size_t k = 0; k < args.count; k++)
            ASSERT_EQ(args.items[k].i, cases[i].order[k]);
        free((void *)args.items);
    }
}

static void refused(const char *sql, struct hr_mysql_args given, const char *why)
{
    hr_auto(hr_freep) char *rewritten = NULL;
    struct hr_mysql_args args = {NULL, 0};
    ASSERT_ERR(hr__mysql_named(sql, given, &rewritten, &args), -EINVAL);
    ASSERT_STR(hr_last_error()->message, why);
    ASSERT_TRUE(rewritten == NULL && args.items == NULL);
}

TEST_PLAIN(names_and_values_that_do_not_meet_are_told)
{
    struct hr_mysql_arg a = hr_named("a", hr_i(1)), b = hr_named("b", hr_i(2));
    refused("SELECT :a, :c", HR_ARGS(a), "the statement asks for :c, which has no value");
    refused("SELECT :ab, :a", HR_ARGS(hr_named("ab", hr_i(1))),
            "the statement asks for :a, which has no value");
    refused("SELECT :a, :ab", HR_ARGS(a), "the statement asks for :ab, which has no value");
    refused("SELECT :a, ':b'", HR_ARGS(a, b), "the statement does not ask for :b");
    refused("SELECT :a", HR_ARGS(a, a), "two values are named a");
    refused("SELECT :a, ?", HR_ARGS(a), "a statement has names or question marks, not both");
    refused("SELECT :a, ?", HR_ARGS(a, hr_i(2)), "value 2 has no name, and others have");
}

TEST_REAL(values_are_given_by_name)
{
    mysql_test_table("id INT PRIMARY KEY, name VARCHAR(20)");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(
            hr_mysql_exec(conn, "INSERT INTO t VALUES (:id, CONCAT(:name, :id))",
                          HR_ARGS(hr_named("name", hr_s("it's :id?")), hr_named("id", hr_i(i)))),
            1);
    ASSERT_STR(mysql_test_value(conn, "SELECT name FROM t WHERE id = :id",
                                HR_ARGS(hr_named("id", hr_i(2)))),
               "it's :id?2");
    ASSERT_ERR(
        hr_mysql_exec(conn, "DELETE FROM t WHERE id = :key", HR_ARGS(hr_named("id", hr_i(2)))),
        -EINVAL);
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}
