/* SPDX-License-Identifier: MIT */
/*
 * What calls say that are handed nothing: neither the thing nor what to do with it.
 */
#include <string.h>

#include "drivers/mysql/cursor.h"
#include "drivers/mysql/load.h"
#include "drivers/mysql/once.h"
#include "drivers/mysql/savepoint.h"
#include "drivers/mysql/transaction.h"
#include "tests/drivers/mysql/mysql_test.h"

static int go_through(hr_mysql_tx *tx, void *arg)
{
    return 0;
}

static int no_data(void *arg, char *buffer, size_t size)
{
    return 0;
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
    ASSERT_PTR(hr_mysql_cursor_new(NULL), NULL);
    ASSERT_EQ(hr_last_error()->code, code);
    struct hr_mysql_savepoint savepoint = {0};
    const struct hr_mysql_column column = {0};
    ASSERT_ERR(hr_mysql_savepoint(conn, &savepoint), code);
    ASSERT_ERR(hr_mysql_restart(conn), code);
    ASSERT_ERR(hr_mysql_transaction(pool, NULL, go_through, NULL), code);
    ASSERT_ERR(hr_mysql_bulk(conn, "INSERT INTO t VALUES (?)", &column, 1, 0, 1), code);
    ASSERT_ERR(hr_mysql_once(conn, "DO 1", "INSERT INTO t VALUES (?)", &column, 1, 1), code);
    ASSERT_ERR(hr_mysql_load(conn, "LOAD DATA", no_data, NULL), code);
    ASSERT_ERR(hr_mysql_pool_close(pool), code);
}

static int deadlock(hr_mysql_tx *tx, void *arg)
{
    return hr_fail_native(HR_EREPLY, 1213, "40001", NULL, true, "deadlock");
}

/* Although what failed last is what a transaction is tried again for. */
TEST_REAL(s0_6_without_a_pool_a_transaction_is_tried_once)
{
    const struct hr_mysql_tx_options once = {.attempts = 1};
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    int r = hr_mysql_transaction(pool, &once, deadlock, NULL);
    mysql_test_done(pool);
    ASSERT_ERR(r, HR_EREPLY);
    ASSERT_EQ(hr_last_error()->native, 1213);
    ASSERT_ERR(hr_mysql_transaction(NULL, NULL, go_through, NULL), HR_EREPLY);
}

#define ASSERT_MISSES(call, what)                                                                  \
    do {                                                                                           \
        ASSERT_ERR(call, -EINVAL);                                                                 \
        ASSERT_TRUE(strstr(hr_last_error()->message, ": " what " is missing: NULL"));              \
    } while (0)

TEST_REAL(s0_4_a_statement_that_is_null_is_refused_and_the_connection_goes_on)
{
    const int64_t ids[] = {1};
    const struct hr_mysql_column column = {HR_MYSQL_INT, {.ints = ids}};
    hr_mysql_result *rows;
    struct hr_mysql_field *fields;
    hr_mysql_pool *pool = mysql_test_pool(NULL);
    hr_mysql_conn *conn = mysql_test_acquire(pool);
    hr_auto(hr_mysql_cursor_freep) hr_mysql_cursor *cursor = mysql_test_cursor(conn);
    (void)mysql_test_cancel_at(0);
    for (int way = 0; way < 2; way++) {
        ASSERT_MISSES(hr_mysql_exec(conn, NULL, mysql_test_args(way)), "the statement");
        ASSERT_MISSES(hr_mysql_query(conn, &rows, NULL, mysql_test_args(way)), "the statement");
        ASSERT_MISSES(hr_mysql_execute(cursor, NULL, mysql_test_args(way)), "the statement");
    }
    ASSERT_MISSES(hr_mysql_exec(conn, NULL, HR_ARGS(hr_named("a", hr_i(1)))), "the statement");
    ASSERT_MISSES(hr_mysql_describe(conn, NULL, &fields), "the statement");
    ASSERT_MISSES(hr_mysql_bulk(conn, NULL, &column, 1, 0, 1), "the statement");
    ASSERT_MISSES(hr_mysql_bulk_returning(conn, &rows, NULL, &column, 1, 0, 1), "the statement");
    ASSERT_MISSES(hr_mysql_once(conn, NULL, "INSERT INTO t VALUES (?)", &column, 1, 1),
                  "the first statement");
    ASSERT_MISSES(hr_mysql_once(conn, "DO 1", NULL, &column, 1, 1), "the statement");
    ASSERT_MISSES(hr_mysql_exec_ahead(conn, NULL), "the statement");
    ASSERT_MISSES(hr_mysql_load(conn, NULL, no_data, NULL), "the statement");
    ASSERT_MISSES(hr_mysql_load(conn, "LOAD DATA LOCAL INFILE 'x' INTO TABLE t", NULL, NULL),
                  "the function that gives data");
    ASSERT_MISSES(hr_mysql_transaction(pool, NULL, NULL, NULL), "the function of a transaction");
    ASSERT_EQ(mysql_test_cancel_at(0), 0); /* nothing was sent */
    ASSERT_ERR(hr_mysql_exec(conn, "DO 1", HR_NO_ARGS), 0);
    hr_mysql_release(conn);
    mysql_test_done(pool);
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
