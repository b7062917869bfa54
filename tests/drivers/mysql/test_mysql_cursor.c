/* SPDX-License-Identifier: MIT */
/*
 * What a cursor fetches and tells: rows as they are asked for, and the results of several.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/mysql/conn.h"
#include "drivers/mysql/cursor.h"
#include "tests/drivers/mysql/mysql_test.h"

TEST_REAL(s23_2_a_cursor_fetches_one_some_and_the_rest)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    for (int way = 0; way < 2; way++) {
        hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(conn);
        ASSERT_ERR(hr_mysql_execute(cursor, mysql_test_seven[way], mysql_test_args(way)), 0);
        ASSERT_EQ(hr_mysql_cursor_columns(cursor), 2);
        ASSERT_STR(hr_mysql_column_name(hr_mysql_cursor_description(cursor), 0), "n");

        const hr_mysql_result *row = NULL;
        for (int i = 1; i <= 2; i++) {
            ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
            ASSERT_EQ(hr_mysql_rows(row), 1);
            ASSERT_EQ(hr_mysql_int(row, 0, 0), i);
        }
        ASSERT_STR(hr_mysql_text(row, 0, 1, NULL), "row 2");
        hr_auto(hr_mysql_result_freep) hr_mysql_result *some = NULL;
        hr_auto(hr_mysql_result_freep) hr_mysql_result *rest = NULL;
        hr_auto(hr_mysql_result_freep) hr_mysql_result *none = NULL;
        ASSERT_EQ(hr_mysql_fetch_many(cursor, 3, &some), 3);
        ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), -EBUSY);
        ASSERT_EQ(hr_mysql_fetch_all(cursor, &rest), 2);
        ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), 0);
        ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 0);
        ASSERT_EQ(hr_mysql_fetch_all(cursor, &none), 0);
        ASSERT_EQ(hr_mysql_columns(none), 2);
        ASSERT_STR(hr_mysql_text(some, 2, 1, NULL), "row 5");
        ASSERT_STR(hr_mysql_column_name(rest, 0), "n");
        ASSERT_EQ(hr_mysql_int(rest, 1, 0), 7);
    }
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(s23_2_a_fetch_without_a_statement_is_an_error)
{
    mysql_test_table("id INT AUTO_INCREMENT PRIMARY KEY, v INT");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(conn);
    const hr_mysql_result *row = NULL;
    hr_mysql_result *rows = NULL;
    ASSERT_ERR(hr_mysql_fetch_one(cursor, &row), -EINVAL);
    ASSERT_STR(hr_last_error()->message, "fetch: the cursor has run no statement");
    ASSERT_ERR(hr_mysql_fetch_many(cursor, 3, &rows), -EINVAL);

    ASSERT_EQ(hr_mysql_execute(cursor, "INSERT INTO t (v) VALUES (?), (5)", HR_ARGS(hr_i(4))), 2);
    ASSERT_EQ(hr_mysql_cursor_affected(cursor), 2);
    ASSERT_EQ(hr_mysql_cursor_insert_id(cursor), 1);
    ASSERT_EQ(hr_mysql_cursor_columns(cursor), 0);
    ASSERT_ERR(hr_mysql_fetch_all(cursor, &rows), -EINVAL);
    ASSERT_STR(hr_last_error()->message, "fetch: the statement gives no rows");

    ASSERT_ERR(hr_mysql_execute(cursor, "SELECT nosuch FROM t", HR_NO_ARGS), HR_EREPLY);
    ASSERT_ERR(hr_mysql_fetch_one(cursor, &row), -EINVAL);
    ASSERT_ERR(hr_mysql_execute(cursor, "SELECT ? + ?", HR_ARGS(hr_i(1))), -EINVAL);
    ASSERT_ERR(hr_mysql_execute(cursor, "SELECT v FROM t", HR_NO_ARGS), 0);
    ASSERT_ERR(hr_mysql_cursor_close(cursor), 0);
    ASSERT_ERR(hr_mysql_fetch_one(cursor, &row), -EINVAL);
    ASSERT_TRUE(row == NULL && rows == NULL);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(s23_2_columns_are_described_with_their_table)
{
    mysql_test_table("id INT UNSIGNED PRIMARY KEY, name VARCHAR(20), price DECIMAL(10,2) NOT NULL,"
                     " doc JSON");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(conn);
    for (int way = 0; way < 2; way++) {
        ASSERT_ERR(hr_mysql_execute(cursor,
                                    way ? "SELECT id, name AS called, price, doc, 1 + 1 FROM t AS x"
                                          " WHERE id >= ?"
                                        : "SELECT id, name AS called, price, doc, 1 + 1 FROM t x",
                                    mysql_test_args(way)),
                   0);
        const hr_mysql_result *columns = hr_mysql_cursor_description(cursor);
        struct hr_mysql_field f[5];
        for (size_t i = 0; i < 5; i++)
            hr_mysql_column_field(columns, i, &f[i]);
        ASSERT_TRUE(f[0].type == MYSQL_TYPE_LONG && f[0].is_unsigned && f[0].not_null);
        ASSERT_STR(f[1].name, "called");
        ASSERT_STR(f[1].table, "t");
        ASSERT_TRUE(f[1].type == MYSQL_TYPE_VAR_STRING && f[1].characters == 20);
        ASSERT_FALSE(f[1].not_null);
        ASSERT_TRUE(f[2].type == MYSQL_TYPE_NEWDECIMAL && f[2].decimals == 2 && f[2].not_null);
        ASSERT_TRUE(f[3].is_json);
        ASSERT_STR(f[4].table, "");
        ASSERT_ERR(hr_mysql_cursor_close(cursor), 0);
    }
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

/* Results of several. */

TEST_REAL(a_procedure_gives_its_results_one_after_the_other)
{
    mariadb_server_sql(mariadb_server_shared(),
                       "CREATE OR REPLACE PROCEDURE test.two(n INT, OUT total INT, INOUT x INT) "
                       "BEGIN SELECT n; SELECT seq FROM seq_1_to_3; SET total = n * 2; "
                       "SET x = x + 1; END");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(conn);
    const hr_mysql_result *row = NULL;
    for (int round = 0; round < 2; round++) {
        ASSERT_ERR(
            hr_mysql_execute(cursor, "CALL two(?, ?, ?)", HR_ARGS(hr_i(21), hr_null(), hr_i(6))),
            0);
        ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
        ASSERT_EQ(hr_mysql_int(row, 0, 0), 21);
        ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 0);
        ASSERT_EQ(hr_mysql_next_result(cursor), 1);
        ASSERT_FALSE(hr_mysql_cursor_is_out(cursor));
        hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
        ASSERT_EQ(hr_mysql_fetch_all(cursor, &rows), 3);
        ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), -EBUSY);
        ASSERT_EQ(hr_mysql_next_result(cursor), 1);
        ASSERT_TRUE(hr_mysql_cursor_is_out(cursor));
        ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
        ASSERT_EQ(hr_mysql_int(row, 0, 0), 42);
        ASSERT_EQ(hr_mysql_int(row, 0, 1), 7);
        ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 0);
        ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), 0); /* it was the last with rows */
        ASSERT_EQ(hr_mysql_next_result(cursor), 1);
        ASSERT_EQ(hr_mysql_cursor_columns(cursor), 0);
        ASSERT_FALSE(hr_mysql_cursor_is_out(cursor));
        ASSERT_EQ(hr_mysql_next_result(cursor), 0);
    }
    /* The next statement drops what was not fetched. */
    ASSERT_ERR(hr_mysql_execute(cursor, "CALL two(3, @a, @b)", HR_NO_ARGS), 0);
    ASSERT_EQ(hr_mysql_next_result(cursor), 1);
    ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
    ASSERT_ERR(hr_mysql_execute(cursor, "SELECT @a", HR_NO_ARGS), 0);
    ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
    ASSERT_EQ(hr_mysql_int(row, 0, 0), 6);
    ASSERT_ERR(hr_mysql_cursor_close(cursor), 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(of_several_results_exec_counts_the_first_without_rows)
{
    mysql_test_table("id INT PRIMARY KEY");
    mariadb_server_sql(mariadb_server_shared(),
                       "CREATE OR REPLACE PROCEDURE test.adds(n INT) "
                       "BEGIN SELECT n; INSERT INTO t VALUES (n + 100), (n + 200); END");
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.multi_statements = true});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_EQ(hr_mysql_exec(conn, "CALL adds(1)", HR_NO_ARGS), 2);
    ASSERT_EQ(hr_mysql_exec(conn, "CALL adds(?)", HR_ARGS(hr_i(2))), 2);
    ASSERT_EQ(hr_mysql_exec(conn, "SELECT 1; DELETE FROM t WHERE id < 200; DELETE FROM t; SELECT 2",
                            HR_NO_ARGS),
              2);
    ASSERT_EQ(mysql_test_number("SELECT COUNT(*) FROM t"), 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(a_cursor_knows_nothing_of_the_statement_before)
{
    mariadb_server_sql(mariadb_server_shared(),
                       "CREATE OR REPLACE PROCEDURE test.one(n INT) SELECT n");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(conn);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    /* Its status is there behind its rows, and nobody asks for it. */
    ASSERT_ERR(hr_mysql_execute(cursor, "CALL one(?)", HR_ARGS(hr_i(5))), 0);
    ASSERT_EQ(hr_mysql_fetch_all(cursor, &rows), 1);
    struct hr_mysql_counts before, after;
    hr_mysql_pool_get_counts(pool, &before);
    for (int i = 0; i < 2; i++) {
        rows = hr_mysql_result_free(rows);
        ASSERT_ERR(hr_mysql_execute(cursor, "SELECT ? + 1", HR_ARGS(hr_i(i))), 0);
        ASSERT_EQ(hr_mysql_fetch_all(cursor, &rows), 1);
        ASSERT_EQ(hr_mysql_int(rows, 0, 0), i + 1);
        ASSERT_EQ(hr_mysql_next_result(cursor), 0);
    }
    hr_mysql_pool_get_counts(pool, &after);
    ASSERT_EQ(after.prepared, before.prepared + 1);
    ASSERT_EQ(after.reused, before.reused + 1);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(a_transaction_that_ends_under_a_cursor_is_over)
{
    mysql_test_table("id INT");
    mariadb_server_sql(mariadb_server_shared(), "CREATE OR REPLACE PROCEDURE test.commits(n INT) "
                                                "BEGIN SELECT n; COMMIT; END");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    const struct {
        const char *sql;
        int way;
    } ends[] = {
        {"CALL commits(1)", 0},
        {"CALL commits(?)", 1},
        {"ANALYZE TABLE t", 0},
        {"DROP TABLE t",    0},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(ends); i++) {
        hr_auto(hr_mysql_tx_end) hr_mysql_tx *tx = NULL;
        ASSERT_ERR(hr_mysql_begin(pool, &tx), 0);
        ASSERT_ERR(hr_mysql_exec(tx, "INSERT INTO t VALUES (1)", HR_NO_ARGS), 1);
        ASSERT_TRUE(hr_mysql_in_transaction(tx));
        hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(tx);
        hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
        ASSERT_ERR(hr_mysql_execute(cursor, ends[i].sql, mysql_test_args(ends[i].way)), 0);
        if (hr_mysql_cursor_columns(cursor) > 0)
            ASSERT_EQ(hr_mysql_fetch_all(cursor, &rows), 1);
        ASSERT_FALSE(hr_mysql_in_transaction(tx));
        ASSERT_ERR(hr_mysql_commit(tx), -EINVAL);
    }
    mysql_test_done(pool);
}

TEST_REAL(an_error_in_the_middle_of_rows_ends_them_and_spares_the_connection)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(conn);
    const hr_mysql_result *row;
    for (int way = 0; way < 2; way++) {
        /* The subquery has two rows for the last seq only. */
        const char *sql = way ? "SELECT seq, (SELECT s.seq FROM seq_1_to_2 s WHERE s.seq = 1 OR "
                                "q.seq = 3 AND q.seq > ?) FROM seq_1_to_3 q"
                              : "SELECT seq, (SELECT s.seq FROM seq_1_to_2 s WHERE s.seq = 1 OR "
                                "q.seq = 3) FROM seq_1_to_3 q";
        ASSERT_ERR(hr_mysql_execute(cursor, sql, mysql_test_args(way)), 0);
        ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
        ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
        ASSERT_ERR(hr_mysql_fetch_one(cursor, &row), HR_EREPLY);
        ASSERT_EQ(hr_last_error()->native, 1242);
        ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), 0);
        ASSERT_ERR(hr_mysql_fetch_one(cursor, &row), -EINVAL);
    }
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(warnings_are_counted_and_told)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(conn);
    hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
    hr_auto(hr_mysql_result_freep) hr_mysql_result *warnings = NULL;
    ASSERT_ERR(hr_mysql_execute(cursor, "SELECT CAST('12x' AS INT), CAST('y' AS INT)", HR_NO_ARGS),
               0);
    ASSERT_EQ(hr_mysql_fetch_all(cursor, &rows), 1);
    ASSERT_EQ(hr_mysql_cursor_warnings(cursor), 2);
    ASSERT_EQ(hr_mysql_warnings(conn, &warnings), 2);
    ASSERT_STR(hr_mysql_text(warnings, 0, 0, NULL), "Warning");
    ASSERT_EQ(hr_mysql_int(warnings, 0, 1), 1292);
    ASSERT_STR(hr_mysql_text(warnings, 1, 2, NULL), "Truncated incorrect INTEGER value: 'y'");
    hr_mysql_release(conn);
    mysql_test_done(pool);
}
