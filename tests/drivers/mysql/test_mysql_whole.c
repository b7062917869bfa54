/* SPDX-License-Identifier: MIT */
/*
 * Small results of prepared statements, which are read past libmariadb: they are what it would
 * read.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/mysql/conn.h"
#include "drivers/mysql/result.h"
#include "tests/drivers/mysql/mysql_test.h"

/* Runs the SELECT as text, and twice with an argument (libmariadb may read the first reply); the
 * last must have been read whole, or not, and all are alike. Returns the number of rows. */
static int same_rows(hr_mysql_conn *conn, const char *select, bool whole)
{
    hr_auto(hr_mysql_result_freep) hr_mysql_result *text = NULL;
    char sql[512], prepared[600];
    snprintf(sql, sizeof(sql), "%s", select);
    snprintf(prepared, sizeof(prepared), "%s LIMIT ?", select);
    int n = hr_mysql_query(conn, &text, sql, HR_NO_ARGS);
    ASSERT_TRUE(n >= 0);
    for (int i = 0; i < 2; i++) {
        hr_auto(hr_mysql_result_freep) hr_mysql_result *binary = NULL;
        ASSERT_EQ(hr_mysql_query(conn, &binary, prepared, HR_ARGS(hr_i(100))), n);
        ASSERT_TRUE(i == 0 || binary->solid == whole);
        ASSERT_EQ(hr_mysql_columns(binary), hr_mysql_columns(text));
        ASSERT_EQ(hr_mysql_rows(binary), hr_mysql_rows(text));
        for (size_t k = 0; k < (size_t)n * hr_mysql_columns(text); k++) {
            size_t row = k / hr_mysql_columns(text), column = k % hr_mysql_columns(text);
            size_t wanted_len = 0, len = 0;
            const char *wanted = hr_mysql_text(text, row, column, &wanted_len);
            const char *got = hr_mysql_text(binary, row, column, &len);
            ASSERT_STR(hr_mysql_column_name(binary, column), hr_mysql_column_name(text, column));
            ASSERT_EQ(wanted == NULL, got == NULL);
            ASSERT_TRUE(!wanted || (len == wanted_len && memcmp(got, wanted, len + 1) == 0));
        }
    }
    return n;
}

TEST_REAL(small_results_with_arguments_are_as_without_23_3)
{
    mysql_test_table("a TINYINT, b TINYINT UNSIGNED, c SMALLINT, d SMALLINT UNSIGNED, e MEDIUMINT, "
                     "f MEDIUMINT UNSIGNED, g INT, h INT UNSIGNED, i BIGINT, j BIGINT UNSIGNED, "
                     "k DECIMAL(20,4), l CHAR(5), m VARCHAR(300), n BLOB, o TEXT, p ENUM('x','y'), "
                     "q JSON");
    mariadb_server_sql(
        mariadb_server_shared(),
        "INSERT INTO t VALUES (-128, 255, -32768, 65535, -8388608, 16777215, -2147483648, "
        "4294967295, -9223372036854775808, 18446744073709551615, -0.5, 'ab', REPEAT('x', 250), "
        "x'00ff00', REPEAT('y', 251), 'y', '[1]'),"
        "(127, 0, 32767, 1, 8388607, 1, 2147483647, 1, 9223372036854775807, 1, 1, '', '', '', "
        "REPEAT('z', 2000), 'x', '{}'),"
        "(-1, 9, -1, 9, -1, 9, -1, 9, -1, 9, 0, NULL, NULL, NULL, NULL, NULL, NULL),"
        "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
        "NULL, NULL)");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_EQ(same_rows(conn, "SELECT * FROM t", true), 4);
    ASSERT_EQ(same_rows(conn, "SELECT * FROM t WHERE a = 5", true), 0);
    ASSERT_EQ(same_rows(conn, "SELECT a, q, m FROM t WHERE a < 0", true), 2);
    /* What is left to libmariadb: other kinds of values, and replies of several pieces. */
    ASSERT_EQ(same_rows(conn, "SELECT DATE '2026-02-28', 1 + 0e0, a FROM t", false), 4);
    ASSERT_EQ(same_rows(conn, "SELECT a, REPEAT('w', 20000) FROM t", false), 4);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(small_results_follow_a_change_of_their_columns)
{
    mysql_test_table("a INT");
    mariadb_server_sql(mariadb_server_shared(), "INSERT INTO t VALUES (7)");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    const char *select = "SELECT a FROM t WHERE a > ?";
    ASSERT_STR(mysql_test_value(conn, select, HR_ARGS(hr_i(1))), "7");
    ASSERT_STR(mysql_test_value(conn, select, HR_ARGS(hr_i(1))), "7");
    mariadb_server_sql(mariadb_server_shared(), "ALTER TABLE t MODIFY a VARCHAR(20)");
    ASSERT_STR(mysql_test_value(conn, select, HR_ARGS(hr_i(1))), "7");
    ASSERT_STR(mysql_test_value(conn, select, HR_ARGS(hr_i(1))), "7");
    mariadb_server_sql(mariadb_server_shared(), "ALTER TABLE t MODIFY a DOUBLE");
    ASSERT_STR(mysql_test_value(conn, select, HR_ARGS(hr_i(1))), "7");
    mariadb_server_sql(mariadb_server_shared(), "ALTER TABLE t MODIFY a TINYINT UNSIGNED");
    for (int i = 0; i < 3; i++)
        ASSERT_STR(mysql_test_value(conn, select, HR_ARGS(hr_i(1))), "7");
    /* Arguments of other types, which some columns take their own from. */
    for (int i = 0; i < 2; i++) {
        ASSERT_STR(mysql_test_value(conn, "SELECT ?", HR_ARGS(hr_i(-3))), "-3");
        ASSERT_STR(mysql_test_value(conn, "SELECT ?", HR_ARGS(hr_s("three"))), "three");
        ASSERT_STR(mysql_test_value(conn, "SELECT ?", HR_ARGS(hr_d(0.5))), "0.5");
        ASSERT_STR(mysql_test_value(conn, "SELECT ?", HR_ARGS(hr_null())), "NULL");
        ASSERT_STR(mysql_test_value(conn, "SELECT ?", HR_ARGS(hr_u(UINT64_MAX))),
                   "18446744073709551615");
    }
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(small_results_are_bounded_and_their_warnings_are_known)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.max_result = 65536});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    for (int i = 0; i < 2; i++) {
        rows = hr_mysql_result_free(rows);
        ASSERT_EQ(hr_mysql_query(conn, &rows, "SELECT 1/0 LIMIT ?", HR_ARGS(hr_i(1))), 1);
        ASSERT_EQ(mysql_warning_count(conn->mysql), 1);
    }
    ASSERT_TRUE(rows->solid);
    rows = hr_mysql_result_free(rows);
    /* 16 KiB, and cells that take more than the pool allows. */
    const char *nulls = "SELECT NULLIF(1, 1), NULLIF(1, 1), NULLIF(1, 1), NULLIF(1, 1) "
                        "FROM seq_1_to_2000 LIMIT ?";
    ASSERT_EQ(hr_mysql_query(conn, &rows, nulls, HR_ARGS(hr_i(900))), 900);
    rows = hr_mysql_result_free(rows);
    ASSERT_EQ(hr_mysql_query(conn, &rows, nulls, HR_ARGS(hr_i(1100))), -EMSGSIZE);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}
