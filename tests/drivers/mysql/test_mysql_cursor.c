/* SPDX-License-Identifier: MIT */
/*
 * Rows fetched as they are asked for, and what a connection is good for meanwhile.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/mysql/conn.h"
#include "drivers/mysql/cursor.h"
#include "tests/drivers/mysql/mysql_test.h"

static hr_mysql_cursor *cursor_on(hr_mysql_conn *conn)
{
    hr_mysql_cursor *cursor = hr_mysql_cursor_new(conn);
    ASSERT_TRUE(cursor != NULL);
    return cursor;
}

static struct hr_mysql_args args_of(int way)
{
    static const struct hr_mysql_arg zero = {.type = HR_MYSQL_INT};
    return way ? (struct hr_mysql_args){&zero, 1} : HR_NO_ARGS;
}

static const char *const numbers[] = {"SELECT seq AS n, CONCAT('row ', seq) FROM seq_1_to_7",
                                      "SELECT seq AS n, CONCAT('row ', seq) FROM seq_1_to_7 "
                                      "WHERE seq > ?"};

TEST_REAL(s23_2_a_cursor_fetches_one_some_and_the_rest)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    for (int way = 0; way < 2; way++) {
        hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = cursor_on(conn);
        ASSERT_ERR(hr_mysql_execute(cursor, numbers[way], args_of(way)), 0);
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
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = cursor_on(conn);
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
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = cursor_on(conn);
    for (int way = 0; way < 2; way++) {
        ASSERT_ERR(hr_mysql_execute(cursor,
                                    way ? "SELECT id, name AS called, price, doc, 1 + 1 FROM t AS x"
                                          " WHERE id >= ?"
                                        : "SELECT id, name AS called, price, doc, 1 + 1 FROM t x",
                                    args_of(way)),
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
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = cursor_on(conn);
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

TEST_REAL(a_cursor_knows_nothing_of_the_statement_before)
{
    mariadb_server_sql(mariadb_server_shared(),
                       "CREATE OR REPLACE PROCEDURE test.one(n INT) SELECT n");
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = cursor_on(conn);
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
        hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = cursor_on(tx);
        hr_auto(hr_mysql_result_freep) hr_mysql_result *rows = NULL;
        ASSERT_ERR(hr_mysql_execute(cursor, ends[i].sql, args_of(ends[i].way)), 0);
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
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = cursor_on(conn);
    const hr_mysql_result *row;
    for (int way = 0; way < 2; way++) {
        /* The subquery has two rows for the last seq only. */
        const char *sql = way ? "SELECT seq, (SELECT s.seq FROM seq_1_to_2 s WHERE s.seq = 1 OR "
                                "q.seq = 3 AND q.seq > ?) FROM seq_1_to_3 q"
                              : "SELECT seq, (SELECT s.seq FROM seq_1_to_2 s WHERE s.seq = 1 OR "
                                "q.seq = 3) FROM seq_1_to_3 q";
        ASSERT_ERR(hr_mysql_execute(cursor, sql, args_of(way)), 0);
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
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = cursor_on(conn);
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

/* Leaving early. */

static void until_replaced(hr_mysql_pool *pool, uint64_t opened)
{
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), 0);
    hr_mysql_release(conn);
    struct hr_pool_stats stats;
    hr_mysql_pool_get_stats(pool, &stats);
    ASSERT_EQ(stats.opened, opened);
}

TEST_REAL(a_cursor_closed_early_reads_a_little_and_gives_up_a_lot)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_mysql_cursor *cursor = cursor_on(conn);
    const hr_mysql_result *row;
    for (int way = 0; way < 2; way++) {
        ASSERT_ERR(hr_mysql_execute(cursor, numbers[way], args_of(way)), 0);
        ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
        ASSERT_ERR(hr_mysql_cursor_close(cursor), 0);
        ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), 0);
    }
    ASSERT_ERR(
        hr_mysql_execute(cursor, "SELECT REPEAT('x', 1000) FROM seq_1_to_100000", HR_NO_ARGS), 0);
    ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
    ASSERT_ERR(hr_mysql_cursor_close(cursor), -EMSGSIZE);
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), -ENOTCONN);
    hr_mysql_cursor_free(cursor);
    hr_mysql_release(conn);
    until_replaced(pool, 2);
    mysql_test_done(pool);
}

TEST_REAL(a_cursor_closed_early_gives_up_a_lot_of_nothing_too)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_mysql_cursor *cursor = cursor_on(conn);
    char sql[5100] = "SELECT NULL";
    for (size_t i = 0, len = strlen(sql); i < 999; i++)
        len += (size_t)snprintf(sql + len, sizeof(sql) - len, ",NULL");
    strcat(sql, " FROM seq_1_to_1100");
    ASSERT_ERR(hr_mysql_execute(cursor, sql, HR_NO_ARGS), 0);
    ASSERT_ERR(hr_mysql_cursor_close(cursor), -EMSGSIZE);
    hr_mysql_cursor_free(cursor);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(a_cursor_closed_early_waits_a_second_at_most)
{
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = cursor_on(conn);
    const hr_mysql_result *row;
    ASSERT_ERR(hr_mysql_execute(cursor,
                                "SELECT REPEAT('x', 9000), SLEEP(IF(seq > 9, 20, 0)) FROM "
                                "seq_1_to_10",
                                HR_NO_ARGS),
               0);
    ASSERT_ERR(hr_mysql_fetch_one(cursor, &row), 1);
    ASSERT_ERR(hr_mysql_cursor_close(cursor), -ETIMEDOUT);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}

TEST_REAL(a_cursor_freed_early_costs_the_connection)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    for (int way = 0; way < 2; way++) {
        hr_mysql_conn *conn = mysql_test_acquire(pool);
        hr_mysql_cursor *cursor = cursor_on(conn);
        const hr_mysql_result *row;
        ASSERT_ERR(hr_mysql_execute(cursor, numbers[way], args_of(way)), 0);
        ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
        hr_mysql_cursor_free(cursor);
        ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), -ENOTCONN);
        hr_mysql_release(conn);
    }
    until_replaced(pool, 3);
    mysql_test_done(pool);
}

/* The code is what failed last. */
TEST_REAL(s0_6_what_could_not_be_made_says_why_to_who_uses_it)
{
    const hr_mysql_result *row;
    hr_mysql_result *rows;
    hr_mysql_conn *conn = NULL;
    hr_mysql_pool *pool = hr_mysql_pool_new(&(struct hr_mysql_options){.url = "none"});
    ASSERT_PTR(pool, NULL);
    int code = hr_last_error()->code;
    ASSERT_TRUE(code < 0);
    ASSERT_ERR(hr_mysql_acquire(pool, &conn), code);
    ASSERT_ERR(hr_mysql_begin(pool, &conn), code);
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), code);
    ASSERT_ERR(hr_mysql_query(conn, &rows, "SELECT 1", HR_NO_ARGS), code);
    ASSERT_ERR(hr_mysql_commit(conn), code);
    ASSERT_ERR(hr_mysql_rollback(conn), code);
    ASSERT_ERR(hr_mysql_refused_row(conn), code);
    ASSERT_ERR(hr_mysql_execute(NULL, "SELECT 1", HR_NO_ARGS), code);
    ASSERT_ERR(hr_mysql_fetch_one(NULL, &row), code);
    ASSERT_ERR(hr_mysql_fetch_all(NULL, &rows), code);
    ASSERT_ERR(hr_mysql_next_result(NULL), code);
    ASSERT_ERR(hr_mysql_cursor_close(NULL), code);
    ASSERT_ERR(hr_mysql_pool_close(pool), code);
}

TEST_PLAIN(s0_6_what_could_not_be_made_is_looked_at_like_what_is_empty)
{
    struct hr_pool_stats stats = {.open = 1};
    struct hr_mysql_counts counts = {.prepared = 1};
    hr_mysql_pool_flush(NULL);
    hr_mysql_pool_terminate(NULL);
    hr_mysql_pool_get_stats(NULL, &stats);
    ASSERT_EQ(stats.open, 0);
    hr_mysql_pool_get_counts(NULL, &counts);
    ASSERT_EQ(counts.prepared, 0);

    ASSERT_STR(hr_mysql_host(NULL), "");
    ASSERT_FALSE(hr_mysql_is_read_only(NULL) || hr_mysql_is_mariadb(NULL));
    ASSERT_FALSE(hr_mysql_has_bulk(NULL) || hr_mysql_in_transaction(NULL));
    ASSERT_FALSE(hr_mysql_ahead_refused(NULL));
    ASSERT_EQ(hr_mysql_version(NULL), 0);
    ASSERT_EQ(hr_mysql_last_insert_id(NULL), 0);
    ASSERT_EQ(hr_mysql_max_packet(NULL), 0);

    ASSERT_EQ(hr_mysql_cursor_columns(NULL), 0);
    ASSERT_PTR(hr_mysql_cursor_description(NULL), NULL);
    ASSERT_EQ(hr_mysql_cursor_affected(NULL), 0);
    ASSERT_EQ(hr_mysql_cursor_insert_id(NULL), 0);
    ASSERT_EQ(hr_mysql_cursor_warnings(NULL), 0);
    ASSERT_FALSE(hr_mysql_cursor_is_out(NULL));

    ASSERT_EQ(hr_mysql_rows(NULL), 0);
    ASSERT_EQ(hr_mysql_columns(NULL), 0);
}

TEST_TICKING(t11_what_is_used_after_its_connection_was_given_back_is_an_error)
{
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.connections = 1});
    uint64_t opened = 1;
    for (int way = 0; way < 2; way++) {
        for (int fetched = 0; fetched < 2; fetched++) {
            hr_mysql_conn *conn = mysql_test_acquire(pool);
            hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = cursor_on(conn);
            hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *idle = cursor_on(conn);
            hr_auto(hr_mysql_result_freep) hr_mysql_result *some = NULL;
            const hr_mysql_result *row = NULL, *no_row = NULL;
            ASSERT_ERR(hr_mysql_execute(cursor, numbers[way], args_of(way)), 0);
            ASSERT_EQ(hr_mysql_fetch_many(cursor, fetched ? 100 : 2, &some), fetched ? 7 : 2);
            if (!fetched)
                ASSERT_EQ(hr_mysql_fetch_one(cursor, &row), 1);
            hr_mysql_release(conn);
            opened += !fetched; /* rows were left */

            ASSERT_ERR(hr_mysql_fetch_one(cursor, &no_row), HR_ECLOSED);
            ASSERT_STR(hr_last_error()->message, "mysql: this cursor's connection was given back");
            ASSERT_ERR(hr_mysql_execute(idle, "DO 1", HR_NO_ARGS), HR_ECLOSED);
            ASSERT_ERR(hr_mysql_next_result(cursor), HR_ECLOSED);
            ASSERT_ERR(hr_mysql_cursor_close(cursor), 0);
            until_replaced(pool, opened);
            if (fetched) { /* and so idles */
                ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), HR_ECLOSED);
                ASSERT_ERR(hr_mysql_rollback(conn), HR_ECLOSED);
            }
            /* Somebody else's loan, and what was fetched is as it was. */
            ASSERT_STR(hr_mysql_text(some, 1, 1, NULL), "row 2");
            if (!fetched)
                ASSERT_STR(hr_mysql_text(row, 0, 1, NULL), "row 3");
        }
    }
    mysql_test_done(pool);
}

/* Large results. */

struct count {
    int ticks;
    bool stop;
};

static int count_turns(void *arg)
{
    struct count *count = arg;
    while (!count->stop) {
        count->ticks++;
        int r = hr_yield();
        if (r < 0)
            return r;
    }
    return 0;
}

TEST_REAL(a_large_result_is_streamed_in_little_memory_and_others_run_meanwhile)
{
    enum { ROWS = 200000 };
    hr_mysql_pool *pool = mysql_test_pool(&(struct hr_mysql_options){.max_result = 64 << 10});
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = cursor_on(conn);
    struct count count = {0};
    hr_task *counter = hr_create_task("counter", count_turns, &count);
    for (int way = 0; way < 2; way++) {
        int before = count.ticks;
        ASSERT_ERR(hr_mysql_execute(cursor,
                                    way ? "SELECT seq, REPEAT('x', 90) FROM seq_1_to_200000 WHERE "
                                          "seq > ?"
                                        : "SELECT seq, REPEAT('x', 90) FROM seq_1_to_200000",
                                    args_of(way)),
                   0);
        const hr_mysql_result *row;
        int64_t n = 0, sum = 0;
        int r;
        while ((r = hr_mysql_fetch_one(cursor, &row)) > 0) {
            sum += hr_mysql_int(row, 0, 0);
            n++;
        }
        ASSERT_ERR(r, 0);
        ASSERT_EQ(n, ROWS);
        ASSERT_EQ(sum, (int64_t)ROWS * (ROWS + 1) / 2);
        ASSERT_TRUE(count.ticks - before > 200); /* 20 MB in turns of 64 KiB */
    }
    count.stop = true;
    ASSERT_ERR(hr_join(counter), 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
}
